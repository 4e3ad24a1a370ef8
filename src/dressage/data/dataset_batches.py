"""Batches of a dataset's samples, read in this process or ahead by workers: the same for any number of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dressage.data.arrays import lay_out
from dressage.data.dataset_samples import Sample, generators_kept, keyed, label_key, stack
from dressage.data.source import StreamedDataset
from dressage.errors import DataError


def read_batch(stream: StreamedDataset, rows: Sequence[int], seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """`x (n, …)` and `y (n,)` of those rows as `Source` lays them out; global generators stay as they were."""
    with generators_kept():
        return _finish(stream, *stack(stream.dataset, [keyed(stream.dataset, r, seed, epoch) for r in rows], rows))


def loader(
    stream: StreamedDataset, batches: Sequence[Sequence[int]], seed: int, epoch: int, workers: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches in order as `read_batch` gives them, read ahead by `workers` processes; the same for any number."""
    if workers == 0:
        for rows in batches:
            yield read_batch(stream, rows, seed, epoch)
        return
    for x, y in _from_workers(stream.dataset, batches, seed, epoch, workers):
        yield _finish(stream, x, y)


def read_all(dataset: Dataset[Any], batches: Sequence[range], workers: int) -> Iterator[Sample]:
    """The batches in order as they are for (seed 0, epoch 0), not yet laid out."""
    if workers:
        yield from _from_workers(dataset, batches, 0, 0, workers)
        return
    items = _Batches(dataset, batches, 0, 0)
    for number in range(len(batches)):
        with generators_kept():
            batch = items[number]
        yield batch


def _from_workers(
    dataset: Dataset[Any], batches: Sequence[Sequence[int]], seed: int, epoch: int, workers: int
) -> Iterator[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns when the workers outnumber the cores; the person chose them.
        pieces = DataLoader(
            _Answers(_Batches(dataset, batches, seed, epoch)),
            batch_size=None,
            num_workers=workers,
            generator=torch.Generator(),  # torch's own would be advanced by making the iterator
            collate_fn=_as_it_is,
        )
        iterator = iter(pieces)
    try:
        for batch in iterator:
            if isinstance(batch, str):
                raise DataError(batch)
            yield batch
    finally:
        # The workers end with the last reference; one that the error's traceback kept would cost five seconds later.
        del iterator, pieces


class _Answers(Dataset[Any]):
    """Batches for a worker: an error goes home as its text, since one that is raised here would keep the iterator."""

    def __init__(self, batches: _Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Sample | str:
        try:
            return self.batches[number]
        except DataError as error:
            return str(error)


class _Batches(Dataset[Any]):
    """Whole batches as items, so that a worker stacks them and what travels between processes is two arrays."""

    def __init__(self, dataset: Dataset[Any], batches: Sequence[Sequence[int]], seed: int, epoch: int) -> None:
        self.dataset, self.batches, self.seed, self.epoch = dataset, batches, seed, epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Sample:
        rows = self.batches[number]
        return stack(self.dataset, [keyed(self.dataset, row, self.seed, self.epoch) for row in rows], rows)


def _as_it_is(batch: Any) -> Any:
    return batch


def _finish(stream: StreamedDataset, x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    name = type(stream.dataset).__name__
    data, _ = lay_out(x, f"{name}: x")
    if stream.numbers is None:
        return data, torch.from_numpy(np.array(y, np.float32))
    try:
        return data, torch.tensor([stream.numbers[label_key(label)] for label in y], dtype=torch.int64)
    except KeyError as error:
        raise DataError.of(
            name,
            f"a label {error} that was not there before",
            "expected the same labels each time",
            "check the dataset",
        ) from None
