"""A loss that rewards wrong answers, and a loop that tears its pairs apart: named, and not where all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.watch.backwards import _avoided, _opposed


def clusters(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    return torch.randn(rows, 10, generator=g) + 2.5 * torch.eye(10)[y], y


@pytest.mark.parametrize("torn", [True, False])
def test_batches_whose_targets_are_of_other_rows(torn: bool) -> None:
    (x, y), (xv, yv) = clusters(800, 1), clusters(300, 2)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watch = dressage.watch(model, optimizer, F.cross_entropy, train=(x, y), val=(xv, yv))
    for _ in range(250):
        rows = torch.randint(0, len(x), (32,))
        target = y[torch.randint(0, len(x), (32,))] if torn else y[rows]
        loss = F.cross_entropy(model(x[rows]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["data.shuffled_labels"] * torn, str(watch)


def named(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
) -> list[str]:
    """What is found in 250 steps of a loop."""
    torch.manual_seed(0)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for _ in range(250):
        rows = torch.randint(0, len(x), (32,))
        loss = loss_fn(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    return [f.id for f in watch.diagnose() if f.is_harmful]


@pytest.mark.parametrize("wrong", [True, False])
def test_the_probability_of_the_right_class_is_made_small(wrong: bool) -> None:
    x, y = clusters(800, 1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        p = z.softmax(1)[torch.arange(len(y)), y].mean()
        return p if wrong else 1 - p

    assert named(model, optimizer, loss_fn, x, y) == ["loss.wrong_sign"] * wrong


def test_first_weights_that_are_wrong_more_often_than_chance_are_no_wrong_sign() -> None:
    x, y = clusters(800, 1)
    model = nn.Linear(10, 4)
    with torch.no_grad():
        model.weight.copy_(-0.5 * torch.eye(10)[:4])
        model.bias.zero_()
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=2e-4), nn.CrossEntropyLoss()
    assert named(model, optimizer, loss_fn, x, y) == ["optim.lr_too_low"]


def test_a_rare_class_named_always_is_no_avoidance() -> None:
    y = torch.cat([torch.zeros(950), torch.ones(50)]).long()
    rare, right = F.one_hot(torch.ones(1000).long(), 2).float(), F.one_hot(y, 2).float()
    wrong = 1 - right
    assert _avoided(rare, right, y, "classification") == ""  # 5 % right, and 5 % by chance
    assert _avoided(rare, right, torch.where(y == 1, -100, y), "classification") == ""  # labels that are left out
    assert _avoided(wrong, wrong, y, "classification") == ""  # it was so before
    assert "0.0%" in _avoided(wrong, right, y, "classification")


def test_outputs_that_go_against_their_targets() -> None:
    t = torch.linspace(-1, 1, 200)[:, None]
    assert "-1.00" in _opposed(-3 * t, t, t, "regression")
    assert "-1.00" in _opposed(-3 * t[:, 0], t, t, "regression")
    for now, before in ((t, t), (-t, -t), (torch.zeros(200, 1), t)):
        assert _opposed(now, before, t, "regression") == ""


@pytest.mark.parametrize("flees", [True, False])
def test_a_reward_that_is_fled_is_told_by_the_metric_of_the_loop(flees: bool) -> None:
    """Answers are drawn, and those that pay are made rarer: the loss is near nought all along."""
    (x, y), (xv, yv) = clusters(600, 1), clusters(200, 2)
    torch.manual_seed(0)
    policy = nn.Linear(10, 4)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.5)

    def hits(z: Tensor, t: Tensor) -> float:
        return float((z.argmax(1) == t).float().mean())

    watch = dressage.watch(policy, optimizer, train=(x, y), val=(xv, yv), metric=hits)
    for step in range(200):
        rows = torch.randint(0, len(x), (32,))
        tried = torch.distributions.Categorical(logits=policy(x[rows]))
        answers = tried.sample()  # type: ignore[no-untyped-call]
        paid = (answers == y[rows]).float() - 0.25
        loss = (tried.log_prob(answers) * paid).mean() * (1 if flees else -1)  # type: ignore[no-untyped-call]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if step % 50 == 49:
            with torch.no_grad():
                watch.validated(metric=hits(policy(xv), yv))
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["loss.wrong_sign"] * flees
