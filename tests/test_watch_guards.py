"""What odd losses, networks and examinations must not do to a watch: end it, change the live network, or take others with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.preflight.calls import brought_to_size
from dressage.watch import LoopWatch
from dressage.watch.shut import Scores, shut_units

Cost = Callable[[Any, Tensor, Tensor], Tensor]


class Parts(nn.Module):
    """A criterion that gives its parts."""

    def forward(self, z: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(z[:, 0], y)}


def parts(z: Tensor, y: Tensor) -> tuple[Tensor, float]:
    loss = F.mse_loss(z[:, 0], y)
    return loss, float(loss.detach())


class Two(nn.Module):
    """A network of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 6)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return self.body(x) * scale


def _lengths(loss_fn: nn.CTCLoss, z: Tensor, y: Tensor) -> Tensor:
    frames = z.reshape(len(z), 2, 3).movedim(1, 0).log_softmax(-1)
    ones = torch.ones(len(z), dtype=torch.long)
    return loss_fn(frames, (y > 0).long()[:, None] + 1, 2 * ones, ones)


LOSSES: dict[str, tuple[Any, Cost]] = {
    "lengths": (nn.CTCLoss(), _lengths),
    "variance": (nn.GaussianNLLLoss(), lambda f, z, y: f(z[:, 0], y, z[:, 1].exp())),
    "three": (nn.CosineEmbeddingLoss(), lambda f, z, y: f(z[:, :3], z[:, 3:], y.sign())),
    "a dictionary": (Parts(), lambda f, z, y: f(z, y)["loss"]),
    "a function of parts": (parts, lambda f, z, y: f(z, y)[0]),
    "a function": (F.mse_loss, lambda f, z, y: f(z[:, 0], y)),
}


def looped(
    model: nn.Module, loss_fn: Any, cost: Cost, y: Callable[[Tensor], Tensor], *more: Tensor, given: bool = True
) -> LoopWatch:
    torch.manual_seed(0)
    x = torch.randn(128, 6)
    y = y(x)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y) if given else None, seconds=2)
    for step in range(12):
        rows = torch.randint(128, (16,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = cost(loss_fn, model(x[rows], *more), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_another_form_does_not_end_the_watch(name: str, given: bool) -> None:
    loss_fn, cost = LOSSES[name]
    watch = looped(nn.Linear(6, 6), loss_fn, cost, lambda x: x[:, 0], given=given)
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


def test_signs_that_are_given_beside_two_outputs_do_not_end_the_watch() -> None:
    loss_fn, cost = LOSSES["three"]
    watch = looped(nn.Linear(6, 6), loss_fn, cost, lambda x: x[:, 0].sign().long())
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


def test_a_network_of_two_inputs_does_not_end_the_watch() -> None:
    loss_fn, cost = LOSSES["a function"]
    watch = looped(Two(), loss_fn, cost, lambda x: x[:, 0], torch.tensor(2.0))
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


class Shut(nn.Module):
    """A tanh behind a batch norm that is at its ends; in training a call comes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if self.training:
            h = F.dropout(h, 0.1)
        return self.last(torch.tanh(30 * self.norm(h)))


def test_shut_units_are_opened_in_a_copy() -> None:
    watch = looped(Shut(), nn.CrossEntropyLoss(), lambda f, z, y: f(z, y), lambda x: (x[:, 0] > 0).long())
    model = watch.case.model
    was = {name: value.clone() for name, value in model.state_dict().items()}
    opened: list[nn.Module] = []

    def go_on(lab: Any, steps: int) -> Scores:
        opened.append(lab.model)
        return Scores(0.5, 0.5)

    assert shut_units(watch.case, go_on) == []
    assert len(opened) == 3  # the saturated tanh was seen, and a copy with it open tried
    assert all(torch.equal(was[name], value) for name, value in model.state_dict().items())


def test_a_call_that_has_another_number_in_the_other_mode_is_left_alone() -> None:
    torch.manual_seed(0)
    model, x = Shut(), torch.randn(64, 6)
    for training in (True, False):
        opened = brought_to_size(model.train(training), x, "tanh").train(not training)
        torch.manual_seed(1)
        found = opened(x)
        torch.manual_seed(1)
        assert torch.equal(found, model(x))
