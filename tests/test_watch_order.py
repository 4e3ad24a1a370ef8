"""The order of the rows in a loop, where only a sample of them was read; and losses of several passes, told as one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dressage

ROWS, CLASSES = 6000, 6
LARGE = 4.0


def sorted_rows() -> tuple[Tensor, Tensor]:
    """More rows than are read of a data set, in the order of their classes."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(CLASSES).repeat_interleave(ROWS // CLASSES)
    return torch.randn(ROWS, 12, generator=draw) + 1.5 * torch.eye(CLASSES, 12)[y], y


def trained(rate: float, *, shuffle: bool, own_order: bool = False) -> Any:
    """Three passes over the rows; with `own_order` the loop draws batches by itself from what it gives as it stands."""
    torch.manual_seed(0)
    x, y = sorted_rows()
    loader = DataLoader(TensorDataset(x, y), 50, shuffle=shuffle)
    net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, CLASSES))
    optimizer = torch.optim.SGD(net.parameters(), rate)
    watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=loader, seconds=6)
    for _ in range(3):
        order = torch.randperm(ROWS).split(50)
        for xb, yb in ((x[rows], y[rows]) for rows in order) if own_order else loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
            watch.step(loss)
    watch.diagnose()
    return watch


def named(watch: Any) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]


@pytest.mark.parametrize(
    ("shuffle", "own_order", "expected"),
    [(False, False, ["data.no_shuffle"]), (True, False, []), (False, True, [])],
    ids=["in_order", "shuffled", "drawn_by_the_loop"],
)
def test_rows_in_the_order_of_their_classes_of_which_a_sample_is_known(
    shuffle: bool, own_order: bool, expected: list[str]
) -> None:
    watch = trained(0.2, shuffle=shuffle, own_order=own_order)
    assert not watch.case.subject.train.is_whole
    assert named(watch) == expected


def overflowing(z: Tensor, y: Tensor) -> Tensor:
    """A loss that is not finite as soon as every row of a batch is answered with confidence, and wrongly."""
    loss = F.cross_entropy(z, y)
    return loss * torch.where(loss > LARGE, torch.inf, 1.0)


def test_a_loss_that_overflows_by_the_order_of_the_rows() -> None:
    torch.manual_seed(0)
    x, y = sorted_rows()
    loader = DataLoader(TensorDataset(x, y), 50)
    net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, CLASSES))
    optimizer = torch.optim.SGD(net.parameters(), 0.2)
    watch = dressage.watch(net, optimizer, overflowing, train=loader, seconds=6)
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = overflowing(net(xb), yb)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert watch.case.telemetry.nonfinite is not None
    assert named(watch) == ["data.no_shuffle"]
    assert any("numbers that are not finite" in f.evidence for f in watch.findings)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_of_several_passes_is_no_penalty(seed: int) -> None:
    """What the last of four passes cost is not what was told of all: their difference is nothing that was added."""
    torch.manual_seed(seed)
    x, y = sorted_rows()
    net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, CLASSES))
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    criterion = nn.CrossEntropyLoss()
    watch = dressage.watch(net, optimizer, criterion, seconds=4)
    for _ in range(60):
        told = 0.0
        for rows in torch.randint(ROWS, (4, 4)):
            loss = criterion(net(x[rows]), y[rows])
            (loss / 4).backward()
            told += float(loss.detach()) / 4
        optimizer.step()
        optimizer.zero_grad()
        watch.step(told)
    assert not watch.case.penalised
    assert "optim.over_regularised" not in named(watch)
