"""Whole numbers under a loss of distances: ratings and counts are values, class numbers are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris, load_wine
from torch import Tensor, nn

import dressage
from dressage.subject import subject_of
from dressage.subject.ordered import _by_ridge, has_order
from dressage.subject.rows import rows_of


def stars(seed: int = 0, count: int = 1500) -> tuple[Tensor, Tensor]:
    """Eight columns, and a rating of 0 to 5 that they speak of."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=draw)
    y = 2.5 + 0.8 * x[:, 0] + 0.8 * torch.sin(2 * x[:, 1]) + 0.4 * torch.randn(count, generator=draw)
    return x, y.round().clamp(0, 5)[:, None]


def r2(z: Tensor, y: Tensor) -> float:
    return float(1 - (z - y).square().sum() / (y - y.mean()).square().sum())


def accuracy(z: Tensor, y: Tensor) -> float:
    return float((z.round() == y).float().mean())


@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine])
def test_numbers_of_classes_have_no_order(load: object) -> None:
    data = load(return_X_y=True)  # type: ignore[operator]
    assert has_order(rows_of((data[0].astype("f4"), data[1]))) is False


def test_ratings_and_counts_have_one_and_noise_tells_nothing() -> None:
    x, y = stars()
    assert has_order(rows_of((x, y)))
    assert has_order(rows_of((x, torch.poisson(torch.exp(x[:, 0]), generator=torch.Generator().manual_seed(0)))))
    assert has_order(rows_of((x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]))) is None
    assert has_order(rows_of((x, (x[:, 0] > 0).float()))) is None  # two kinds: turned round they are the same


def test_each_row_is_explained_by_the_others_alone() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(40, 3)).astype("f4"), draw.normal(size=(40, 2))
    wide = np.concatenate([np.ones((40, 1)), x.astype("f8")], 1)
    for row in (0, 17, 39):
        rest = np.arange(40) != row
        w = np.linalg.solve(wide[rest].T @ wide[rest] + np.eye(4), wide[rest].T @ y[rest])
        np.testing.assert_allclose(_by_ridge(x, y)[row], wide[row] @ w, rtol=1e-9)


@pytest.mark.parametrize(
    ("data", "loss_fn", "metric", "task"),
    [
        ("stars", nn.MSELoss(), None, "regression"),
        ("stars", nn.MSELoss(), r2, "regression"),
        ("stars", nn.L1Loss(), None, "regression"),
        ("stars", nn.MSELoss(), accuracy, "classification"),  # the person counts the right ones
        ("stars", nn.CrossEntropyLoss(), None, "classification"),
        ("digits", nn.MSELoss(), None, "classification"),
        ("digits", nn.MSELoss(), r2, "classification"),  # whatever is measured, the numbers name digits
        ("noise", nn.MSELoss(), None, "classification"),
        ("noise", nn.MSELoss(), r2, "regression"),
        ("noise from 1", nn.MSELoss(), None, "regression"),
    ],
)
def test_the_task_that_is_read_from_whole_numbers(data: str, loss_fn: nn.Module, metric: object, task: str) -> None:
    x, y = stars()
    if data == "digits":
        x, y = (torch.as_tensor(a).float() for a in load_digits(return_X_y=True))
    if data.startswith("noise"):
        y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]
        y = y.clamp(1, 5) if data.endswith("1") else y
    if isinstance(loss_fn, nn.CrossEntropyLoss):
        y = y[:, 0].long()
    model = nn.Linear(x.shape[1], 6 if isinstance(loss_fn, nn.CrossEntropyLoss) else 1)
    subject = subject_of(model, None, loss_fn, train=(x, y), metric=metric)
    assert subject.task == task


@pytest.mark.parametrize("given", [{}, {"metric": r2}])
def test_ratings_that_are_learned_raise_nothing(given: dict[str, object]) -> None:
    """Was told as classes by squared error, with labels that no model finds."""
    torch.manual_seed(0)
    x, y = stars()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer, loss_fn = torch.optim.Adam(net.parameters(), lr=2e-3), nn.MSELoss()
    watch = dressage.watch(net, optimizer, loss_fn, train=(x[:1200], y[:1200]), val=(x[1200:], y[1200:]), **given)  # type: ignore[arg-type]
    for _ in range(30):
        for rows in torch.randperm(1200).split(32):
            loss = loss_fn(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    watch.diagnose()
    assert not watch.findings, str(watch)
