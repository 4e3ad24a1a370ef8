"""Batches of a class of the user's own are read, and the object is left as it was."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dressage
from dressage.errors import DataError
from dressage.subject import rows as module
from dressage.subject.rows import rows_of


class Batches:
    """As people write them: own generator, an order that is shuffled in place, a count of epochs."""

    def __init__(self, rows: int, size: int = 32) -> None:
        self.x, self.y, self.size = torch.arange(2.0 * rows).reshape(rows, 2), torch.arange(rows) % 3, size
        self.rng, self.order, self.epoch = np.random.default_rng(0), np.arange(rows), 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.epoch += 1
        self.rng.shuffle(self.order)
        for start in range(0, len(self.order), self.size):
            rows = self.order[start : start + self.size] + 0 * int(torch.randint(3, ()))
            yield self.x[rows], self.y[rows]


def test_all_rows_are_read_and_nothing_moves() -> None:
    data, same = Batches(100), Batches(100)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    rows = rows_of(data)
    assert torch.equal(torch.rand(3), expected)
    assert data.epoch == 0 and (data.order == np.arange(100)).all()
    assert (rows.total, rows.batch_size, rows.order, len(rows)) == (100, 32, "unknown", 100)
    assert torch.equal(rows.x[:, 0].sort().values, data.x[:, 0])
    assert all(torch.equal(a[0], b[0]) for a, b in zip(data, same, strict=True))


def test_a_sample_of_many_rows_is_spread_over_all_of_them() -> None:
    data = Batches(10_000, size=77)
    rows = rows_of(data, limit=500)
    assert rows.total == 10_000 and len(rows) == 500
    served = torch.cat([x for x, _ in Batches(10_000, size=77)])
    assert torch.equal(served[rows.index], rows.x)
    assert int(rows.index.diff().max()) < 40 and int(rows.index[-1]) > 9_900


class Endless(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from super().__iter__()


class Empty(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(())


class Names(Batches):
    def __iter__(self) -> Iterator[Any]:
        return iter(["a", "b"])


def _generator() -> Iterator[tuple[Tensor, Tensor]]:
    yield torch.ones(2, 2), torch.zeros(2)


def test_what_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)
    with pytest.raises(DataError, match="expected an end"):
        rows_of(Endless(50))
    with pytest.raises(DataError, match="without batches"):
        rows_of(Empty(50))
    with pytest.raises(DataError, match="expected a pair"):
        rows_of(Names(50))


def test_iterators_and_loaders_with_workers_are_not_touched() -> None:
    once = _generator()
    with pytest.raises(DataError, match="generator whose rows cannot be read"):
        rows_of(once)
    assert len(list(once)) == 1
    held = Batches(50)
    held.loader = DataLoader(TensorDataset(held.x, held.y), num_workers=1)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="Batches whose rows cannot be read"):
        rows_of(held)


def test_a_watch_that_is_given_such_batches_has_its_data() -> None:
    model, data = nn.Linear(2, 3), Batches(200)
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=1e-6), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=data)
    for x, y in itertools.chain(data, data):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert data.epoch == 2
    assert "cannot be read" not in str(watch) and "no train data" not in str(watch)
