"""Losses that are given what they are not made for: each named in a watched loop of real rows, and silent once it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor, nn

import dressage
from dressage.preflight import loss_form

Loss = Callable[[Tensor, Tensor], Tensor]


def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.from_numpy(x).float() / 16, torch.from_numpy(y).long()


def tumours() -> tuple[Tensor, Tensor]:
    x, y = (torch.from_numpy(a).float() for a in load_breast_cancer(return_X_y=True))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return ((x - x.mean(0)) / x.std(0))[order], y[order]


def named(model: nn.Module, cost: Loss, x: Tensor, y: Tensor, rate: float = 3e-3, steps: int = 150) -> list[str]:
    """The harmful findings of a loop on three quarters of the rows."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    known = len(x) * 3 // 4
    watch = dressage.watch(model, optimizer, cost, train=(x[:known], y[:known]), val=(x[known:], y[known:]))
    for step in range(steps):
        rows = torch.arange(32 * step, 32 * step + 32) % known
        optimizer.zero_grad()
        loss = cost(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss.detach())
    assert not [note for note in watch.notes if "failed" in note]
    return [f.id for f in watch.diagnose() if f.is_harmful]


class Rows(nn.Module):
    """Each row of a picture is asked for the sixteenths of its eight pixels: `(N, 8, 8)` to `(N, 8, C)`."""

    def __init__(self, soft: bool) -> None:
        super().__init__()
        self.body, self.soft = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 4)), soft

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.body(x)
        return z.softmax(-1) if self.soft else z


def flattened(z: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z.reshape(-1, 4), y.reshape(-1))


@pytest.mark.parametrize("soft", [True, False])
def test_a_softmax_along_the_last_of_three_axes_is_taken_twice(soft: bool) -> None:
    x, _ = digits()
    x = x.view(-1, 8, 8)
    y = x.flip(2).diff(dim=2).argmax(2).clamp_max(3)
    torch.manual_seed(0)
    assert named(Rows(soft), flattened, x, y, steps=300) == (["loss.double_softmax"] if soft else [])


def cut(p: Tensor, t: Tensor) -> Tensor:
    p = p.squeeze(1).clamp(1e-7, 1 - 1e-7)
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def of_classes(p: Tensor, y: Tensor) -> Tensor:
    return -(p[torch.arange(len(y)), y].clamp_min(1e-6)).log().mean()


@pytest.mark.parametrize("raw", [True, False])
def test_raw_outputs_that_a_loss_of_ones_own_cuts_off(raw: bool) -> None:
    x, y = tumours()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1), *[nn.Sigmoid()] * (not raw))
    assert named(model, cut, x, y) == (["loss.logits_as_probs"] if raw else [])


@pytest.mark.slow
@pytest.mark.parametrize("raw", [True, False])
def test_raw_outputs_a_class_whose_logarithm_is_cut_off(raw: bool) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 10), *[nn.Softmax(1)] * (not raw))
    assert named(model, of_classes, *digits(), steps=250) == (["loss.logits_as_probs"] if raw else [])


def focal(p: Tensor, t: Tensor) -> Tensor:
    p = p.clamp(1e-6, 1 - 1e-6)
    return -((1 - p) ** 2 * t * p.log() + p**2 * (1 - t) * (1 - p).log()).mean()


def two_digits() -> tuple[Tensor, Tensor]:
    """Two digits side by side, and which they are: `(1200, 128)`, `(1200, 10)`."""
    x, y = digits()
    a, b = torch.randint(len(x), (2, 1200), generator=torch.Generator().manual_seed(0))
    return torch.cat([x[a], x[b]], 1), (F.one_hot(y[a], 10) | F.one_hot(y[b], 10)).float()


@pytest.mark.parametrize("raw", [True, False])
def test_raw_outputs_of_a_focal_loss_that_takes_probabilities(raw: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(128, 48), nn.ReLU(), nn.Linear(48, 10), *[nn.Sigmoid()] * (not raw))
    assert named(model, focal, *two_digits(), steps=300) == (["loss.logits_as_probs"] if raw else [])


def test_a_focal_loss_is_no_distance_and_cuts_off_what_is_no_probability() -> None:
    t = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    cuts: Any = loss_form.cuts_to_probabilities
    assert cuts(focal, t, t)
    assert cuts(lambda p, y: 1 - (p.clamp(0, 1) * y).sum() / y.sum() + (p.clamp(0, 1) * (1 - y)).mean(), t, t)
    for other in (F.mse_loss, F.binary_cross_entropy_with_logits, lambda z, y: focal(z.sigmoid(), y)):
        assert not cuts(other, t, t)
    assert not cuts(lambda z, y: (1 - z * (2 * y - 1)).clamp(0, 2).mean(), t, t)  # a ramp of margins


@pytest.mark.parametrize("signed", [True, False])
def test_labels_of_minus_one_and_one_under_a_binary_cross_entropy(signed: bool) -> None:
    x, y = tumours()
    x, y = x[:, :3], 2 * y - 1 if signed else y  # three measures overlap
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 1), nn.Flatten(0))
    assert named(model, nn.BCEWithLogitsLoss(), x, y) == (["model.wrong_output_size"] if signed else [])


@pytest.mark.slow
def test_losses_that_are_made_for_minus_one_and_one_say_nothing() -> None:
    def hinge(z: Tensor, t: Tensor) -> Tensor:
        return (1 - z * t).clamp_min(0).mean()

    x, y = tumours()
    for cost in (hinge, nn.MSELoss()):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
        assert named(model, cost, x, 2 * y - 1) == []


def test_the_axis_of_a_softmax_is_the_one_along_which_a_constant_changes_nothing() -> None:
    y = torch.arange(6).reshape(2, 3) % 4
    assert loss_form.softmax_axis(lambda z, t: F.cross_entropy(z, t), y, torch.Size([2, 4, 3])) == 1
    assert loss_form.softmax_axis(lambda z, t: F.cross_entropy(z.movedim(2, 1), t), y, torch.Size([2, 3, 4])) == 2
    assert loss_form.softmax_axis(lambda z, t: z.std(), y, torch.Size([6])) is None
    assert loss_form.softmax_axis(lambda z, t: z.square().mean(), y, torch.Size([2, 3, 4])) is None
    assert loss_form.softmax_axis(lambda z, t: z.diff(dim=0).square().mean(), y, torch.Size([2, 4])) is None


def test_a_loss_takes_probabilities_where_it_is_minus_their_logarithm() -> None:
    t = torch.tensor([0.0, 1.0, 1.0, 0.0])
    takes: Any = loss_form.takes_probabilities
    shape = torch.Size([4])
    assert takes(F.binary_cross_entropy, t, shape)
    assert takes(lambda p, y: 3 * F.binary_cross_entropy(p, y, reduction="sum"), t, shape)
    assert not takes(F.binary_cross_entropy_with_logits, t, shape)
    assert not takes(F.mse_loss, t, shape)
    y = torch.tensor([0, 2, 1, 2])
    assert takes(of_classes, y, torch.Size([4, 3]))
    assert not takes(F.cross_entropy, y, torch.Size([4, 3]))
    assert not takes(F.nll_loss, y, torch.Size([4, 3]))
