"""Distances to one-hot targets behind sigmoids or a softmax: what they are, and when they are to blame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.preflight.loss_form import is_bounded_distance

Loss = Callable[[Tensor, Tensor], Tensor]


def hot(y: Tensor) -> Tensor:
    return F.one_hot(y, 10).float()


def squares(z: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(torch.sigmoid(z), hot(y))


@pytest.mark.parametrize(
    ("loss_fn", "is_one"),
    [
        (squares, True),
        (lambda z, y: (z.softmax(1) - hot(y)).abs().sum(1).mean(), True),
        (F.cross_entropy, False),
        (F.multi_margin_loss, False),
        (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), False),
        (lambda z, y: F.binary_cross_entropy_with_logits(z, hot(y)), False),
        (lambda z, y: F.mse_loss(z, hot(y)), False),
        (lambda z, y: F.nll_loss(z, y), False),
    ],
)
def test_what_is_a_bounded_distance(loss_fn: Loss, is_one: bool) -> None:
    assert is_bounded_distance(loss_fn, torch.arange(40) % 10, torch.Size((40, 10))) is is_one


@pytest.mark.parametrize(("rate", "cause"), [(0.05, ["loss.mse_for_classes"]), (3.0, [])])
def test_squares_behind_sigmoids_are_to_blame_where_little_is_learned(rate: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    data = load_digits()
    x, y = torch.tensor(data.data / 8 - 1, dtype=torch.float32), torch.tensor(data.target)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.5)
    watch = dressage.watch(model, optimizer, squares, train=(x, y))
    for _ in range(400):
        rows = torch.randint(0, len(x), (32,))
        loss = squares(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert [f.id for f in watch.findings if f.is_harmful and not f.is_symptom] == cause, str(watch)
