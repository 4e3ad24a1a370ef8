"""A sample of a split as tensors, read from whatever a loop reads its batches from, which is left as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    default_collate,
    default_convert,
)

from dressage.clock import work_seconds
from dressage.errors import DataError
from dressage.subject.own_batches import has_own_batches, own_batches
from dressage.subject.untouched import generators_kept

LIMIT_ROWS = 4096
LIMIT_BYTES = 64 << 20
SECONDS = 3.0  # in which batches that are only known one after another have to be read to their end
Order = Literal["shuffled", "fixed", "unknown"]
Numbered = tuple[Tensor, Tensor, Tensor]
"""Inputs, targets, and the numbers of their rows."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one split, evenly spread over it and in its own order."""

    x: Tensor
    """`(N, ...)` as the split has them."""
    y: Tensor
    """`(N,)` or `(N, ...)`."""
    total: int
    """Rows of the whole split."""
    index: Tensor
    """`(N,)` int64: which rows of the split these are."""
    order: Order = "unknown"
    """Whether the split is served in a new order each epoch or always in its own."""
    batch_size: int = 0
    """Rows of a batch; 0: not known."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_whole(self) -> bool:
        """Whether these are all rows of the split."""
        return len(self) == self.total

    def head(self, count: int) -> Rows:
        """At most `count` of these rows, evenly spread."""
        chosen = spread(len(self), count)
        return Rows(self.x[chosen], self.y[chosen], self.total, self.index[chosen], self.order, self.batch_size)


def rows_of(data: object, limit: int = LIMIT_ROWS) -> Rows:
    """Rows of `(x, y)`, a DataLoader, a map-style Dataset, a sequence of batches `(x, y)`, or an object that gives such batches.

    Generators stay as they were, a loader's workers are not started, an object of the user's own is read from a copy.
    Raises DataError for anything else.
    """
    if isinstance(data, Rows):
        return data
    with generators_kept(*_own_generators(data)):
        if isinstance(data, DataLoader):
            return _of_loader(data, limit)
        if _is_pair(data):
            return _of_arrays(as_tensor(data[0]), as_tensor(data[1]), limit)  # type: ignore[index]
        if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
            return _of_dataset(data, limit)
        if isinstance(data, Sequence) and len(data) and _is_pair(data[0]):
            return _of_batches(data, limit)
        if has_own_batches(data):
            return _of_own_batches(own_batches(data), limit)
    raise DataError.of(
        "train",
        f"a {type(data).__name__} whose rows cannot be read",
        "expected (x, y), a DataLoader, a Dataset of pairs, or batches (x, y) that can be read again and again",
        "give one of these, or leave it out: what needs data is then not checked",
    )


def spread(total: int, count: int) -> Tensor:
    """`(min(count, total),)` int64: numbers from 0 to total − 1, evenly spread."""
    return torch.arange(total) if total <= count else torch.linspace(0, total - 1, count, dtype=torch.float64).long()


def as_tensor(values: object) -> Tensor:
    """A tensor of an array, a frame or a list, without a graph."""
    if isinstance(values, Tensor):
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DataError.of(
            "train", f"values of type {array.dtype}", "expected numbers", "encode them as numbers before watching"
        )
    return torch.from_numpy(np.ascontiguousarray(array))


def _of_arrays(x: Tensor, y: Tensor, limit: int, order: Order = "unknown", batch_size: int = 0) -> Rows:
    if len(x) != len(y) or not len(x):
        raise DataError.of(
            "train", f"{len(x)} inputs and {len(y)} targets", "expected as many of each", "give the matching rows"
        )
    row_bytes = max(1, x[:1].nbytes)
    chosen = spread(len(x), max(2, min(limit, LIMIT_BYTES // row_bytes)))
    # As a loader stacks them: a network that takes views refuses rows whose axes were exchanged.
    return Rows(x[chosen].contiguous(), y[chosen].contiguous(), len(x), chosen, order, batch_size)


def _of_loader(loader: DataLoader[Any], limit: int) -> Rows:
    order: Order = "unknown"
    if isinstance(loader.sampler, RandomSampler):
        order = "shuffled"
    elif isinstance(loader.sampler, SequentialSampler):
        order = "fixed"
    if isinstance(loader.dataset, IterableDataset):
        rows = _of_batches(_first(iter(loader.dataset), 8), limit)
        return Rows(rows.x, rows.y, rows.total, rows.index, "unknown", loader.batch_size or 0)
    if loader.collate_fn not in (default_collate, default_convert):
        return _collated(loader, limit, order)
    return _of_dataset(loader.dataset, limit, order, loader.batch_size or 0)


def _collated(loader: DataLoader[Any], limit: int, order: Order) -> Rows:
    """Rows as a loader's own `collate_fn` makes them of samples: words become numbers there, sequences of one length."""
    dataset = loader.dataset
    if not isinstance(dataset, Sized):
        raise DataError.of("train", f"a {type(dataset).__name__} without a length", "expected one", "give it __len__")
    one, _ = _pair(loader.collate_fn([dataset[0]]))
    rows = spread(len(dataset), max(2, min(limit, LIMIT_BYTES // max(1, one.nbytes))))
    x, y = _pair(loader.collate_fn([dataset[i] for i in rows.tolist()]))
    if not len(x) == len(y) == len(rows):
        found = f"{len(rows)} samples collated to {len(x)} inputs and {len(y)} targets"
        raise DataError.of("train", found, "expected a row each", "give batches (x, y) with the rows first")
    return Rows(x, y, len(dataset), rows, order, loader.batch_size or 0)


def _of_dataset(dataset: Dataset[Any], limit: int, order: Order = "unknown", batch_size: int = 0) -> Rows:
    base, chosen = dataset, None
    while isinstance(base, Subset):
        own = torch.as_tensor(list(base.indices))
        chosen = own if chosen is None else own[chosen]
        base = base.dataset
    tensors = getattr(base, "tensors", None)  # a TensorDataset: no loop over samples
    if isinstance(tensors, tuple) and len(tensors) == 2:
        x, y = (t if chosen is None else t[chosen] for t in tensors)
        return _of_arrays(x.detach(), y.detach(), limit, order, batch_size)
    if not isinstance(dataset, Sized):
        raise DataError.of("train", f"a {type(dataset).__name__} without a length", "expected one", "give it __len__")
    first = _pair(dataset[0])
    count = max(2, min(limit, LIMIT_BYTES // max(1, first[0].nbytes)))
    rows = spread(len(dataset), count)
    samples = [first, *(_pair(dataset[i]) for i in rows[1:].tolist())]
    if len({(s[0].shape, s[1].shape) for s in samples}) != 1:
        raise DataError.of(
            "train", "samples of different shapes", "expected one shape", "give batches that are padded already"
        )
    x, y = (torch.stack([s[i] for s in samples]) for i in (0, 1))
    return Rows(x, y, len(dataset), rows, order, batch_size)


def _of_batches(batches: Sequence[Any], limit: int) -> Rows:
    pairs = [_pair(batch) for batch in batches]
    x, y = (torch.cat([p[i] for p in pairs]) for i in (0, 1))
    return _of_arrays(x, y, limit, "fixed", len(pairs[0][0]))


def _of_own_batches(batches: Iterator[Any], limit: int) -> Rows:
    """Every k-th row of all batches, k = 1, 2, 4, … so that at most twice the limit are held."""
    kept, size, total, held, every, until = list[Numbered](), 0, 0, 0, 1, work_seconds() + SECONDS
    for x, y in map(_pair, batches):
        kept.append(_each(every, (x, y, torch.arange(total, total + len(x)))))
        size, total, held = size or len(x), total + len(x), held + len(kept[-1][2])
        if held > 2 * max(1, min(limit, LIMIT_BYTES // max(1, x[:1].nbytes))):
            every *= 2
            kept = [_each(every, part) for part in kept]
            held = sum(len(numbers) for _, _, numbers in kept)
        if work_seconds() > until:
            found = f"batches of which {total} rows took {SECONDS:.0f} s"
            raise DataError.of("train", found, "expected an end", "give (x, y) of some rows, or a DataLoader")
    if not kept:
        raise DataError.of("train", "an object without batches", "expected some", "give (x, y), or a DataLoader")
    x, y, index = (torch.cat([part[i] for part in kept]) for i in range(3))
    rows = _of_arrays(x, y, limit)
    return Rows(rows.x, rows.y, total, index[rows.index], "unknown", size)


def _each(every: int, rows: Numbered) -> Numbered:
    x, y, numbers = rows
    chosen = numbers % every == 0
    return x[chosen], y[chosen], numbers[chosen]


def _first(batches: Iterator[Any], count: int) -> list[Any]:
    return [batch for batch, _ in zip(batches, range(count), strict=False)]


def _pair(sample: object) -> tuple[Tensor, Tensor]:
    if not _is_pair(sample):
        raise DataError.of(
            "train", f"a sample that is a {type(sample).__name__}", "expected a pair (x, y)", "give pairs, or (x, y)"
        )
    return as_tensor(sample[0]), as_tensor(sample[1])  # type: ignore[index]


def _is_pair(data: object) -> bool:
    """Whether it is `(x, y)`: two things that are numbers or arrays, and not two batches."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        return False
    return all(isinstance(v, Tensor | np.ndarray | int | float | np.generic) or hasattr(v, "__array__") for v in data)


def _own_generators(data: object) -> list[torch.Generator]:
    sampler = getattr(data, "sampler", None)
    found = [getattr(data, "generator", None), getattr(sampler, "generator", None)]
    return [g for g in found if isinstance(g, torch.Generator)]
