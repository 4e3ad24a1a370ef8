"""Healthy programs that are easily taken for faults: nothing is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.preflight import loss_form
from dressage.subject import Rows, Subject
from dressage.watch.renumbered import renumbered


def test_a_picture_that_is_learned_against_a_network() -> None:
    torch.manual_seed(0)
    net, cost = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)), nn.CrossEntropyLoss()
    picture, wanted = torch.rand(16, 8, requires_grad=True), torch.arange(16) % 3
    optimizer = torch.optim.Adam([picture], 0.05)
    watch = dressage.watch(net, optimizer, cost)
    for _ in range(40):
        optimizer.zero_grad()
        loss = cost(net(picture), wanted)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.diagnose() == []


def left_out(z: Tensor, y: Tensor) -> Tensor:
    known = (y >= 0) & (y <= 1)
    return F.binary_cross_entropy_with_logits(z[known], y[known])


@pytest.mark.parametrize("mark", [255.0, -1.0])
def test_places_of_a_mask_that_are_not_judged(mark: float) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(120, 1, 12, 12, generator=g)
    y = (F.avg_pool2d(x, 3, 1, 1) > 0).float()
    y[torch.rand(y.shape, generator=g) < 0.2] = mark
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    assert dressage.preflight(net, optimizer, left_out, train=(x, y), only=("heads",), seconds=2).findings == []


def test_labels_of_minus_one_and_one_that_the_loss_turns_itself() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 5)
    y = x[:, 0].sign()
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)

    def cost(z: Tensor, t: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(z, (t > 0).float())

    assert dressage.preflight(net, optimizer, cost, train=(x, y), only=("heads",), seconds=2).findings == []


def hinge(z: Tensor, y: Tensor) -> Tensor:
    return (1 - z.reshape(y.shape) * y).clamp_min(0).mean()


@pytest.mark.parametrize("cost, means", [(hinge, False), (left_out, False), (F.mse_loss, True), (F.huber_loss, True)])
def test_only_a_loss_that_is_least_at_the_targets_asks_for_means(
    cost: Callable[[Tensor, Tensor], Tensor], means: bool
) -> None:
    y = torch.tensor([1.0, -1.0]).repeat(32) if cost is hinge else torch.tensor([1.0, -1.0, 0.0, 1.0]).repeat(16)
    rows = Rows(torch.randn(64, 3), y, 64, torch.arange(64))
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    subject = Subject(model, optimizer, cost, train=rows, validation=None, task="regression", classes=0, metric=None)
    assert loss_form.asks_for_means(subject) is means


def test_places_in_a_batch_are_no_targets() -> None:
    torch.manual_seed(0)
    left, right = nn.Linear(8, 4), nn.Linear(8, 4)
    net, cost = nn.ModuleList([left, right]), nn.CrossEntropyLoss()
    net.forward = lambda x: left(x) @ right(x + 0.1 * torch.randn_like(x)).mT  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    watch = dressage.watch(net, optimizer, cost)
    for _ in range(30):
        optimizer.zero_grad()
        scores, places = net(torch.randn(32, 8)), torch.arange(32)
        loss = (cost(scores, places) + cost(scores.mT, places)) / 2
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.case.gathered is None or watch.case.gathered.count == 0


@pytest.mark.parametrize("new", [True, False])
def test_a_class_that_only_validation_has_is_not_renumbered(new: bool) -> None:
    g = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (300,), generator=g)
    x = torch.eye(3)[y] * 4 + torch.randn(300, 3, generator=g)
    held = torch.full((150,), 3) if new else (y[:150] + 1) % 3
    xv = torch.eye(3)[torch.zeros(150, dtype=torch.long)] * 9 if new else x[:150]
    net = nn.Linear(3, 4)
    with torch.no_grad():
        net.weight.copy_(torch.cat([torch.eye(3), torch.zeros(1, 3)]))
        net.bias.zero_()
    optimizer = torch.optim.SGD(net.parameters(), 1e-4)
    watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=(x, y), val=(xv, held))
    assert len(renumbered(watch.case)) == (not new)


@pytest.mark.parametrize("cost, severity", [(hinge, "info"), (F.mse_loss, "warning")])
def test_what_r2_does_not_see_is_a_note_where_the_loss_asks_for_something_else(
    cost: Callable[[Tensor, Tensor], Tensor], severity: str
) -> None:
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(300, 4, generator=g), torch.randn(300, generator=g)
    net = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    found = dressage.preflight(net, optimizer, cost, train=(x, y), only=("data.shuffled_labels",), seconds=2).findings
    assert [(f.id, f.severity) for f in found] == [("data.shuffled_labels", severity)]


def test_right_answers_that_a_weighted_loss_gives_away_for_a_rare_class_are_no_reason_to_train_longer() -> None:
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y == 8)
    kept = torch.cat([(~y).nonzero().flatten(), y.nonzero().flatten()[:85]])  # one in twenty
    kept = kept[torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))]
    x, y = x[kept], y[kept].float()[:, None]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    cost = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([20.0]))
    watch = dressage.watch(model, optimizer, cost, train=(x[:1200], y[:1200]), val=(x[1200:], y[1200:]))
    for rows in (rows for _ in range(4) for rows in torch.randperm(1200).split(32)):
        optimizer.zero_grad()
        loss = cost(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not [f.id for f in watch.diagnose() if f.is_harmful]
