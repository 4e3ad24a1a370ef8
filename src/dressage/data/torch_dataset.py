"""Any map-style `torch.utils.data.Dataset`: read once into tensors, or again and again where its samples are random.

A dataset that draws random numbers (augmentation in `__getitem__`) is read with every generator it may use seeded by
(seed, epoch, row), in whatever process: the samples do not depend on their batch mates, their order or the workers.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from dressage import recipe
from dressage.augment.draw import key
from dressage.data.arrays import as_array, lay_out, open_arrays
from dressage.data.named_arrays import X_NAMES, Y_NAMES
from dressage.data.npz import available_memory
from dressage.data.source import Source
from dressage.errors import DataError
from dressage.files import size_text

Progress = Callable[[str, int, int], None]
PROBED = 32
"""Samples read three times to see whether the dataset is random."""
ROWS_A_READ = 64


@dataclass(frozen=True, slots=True)
class StreamedDataset:
    """A dataset whose samples are drawn anew each epoch; `numbers`: class number of each label (None: targets)."""

    dataset: Dataset[Any]
    numbers: Mapping[Any, int] | None

    def __len__(self) -> int:
        return _length(self.dataset)


def open_dataset(dataset: Dataset[Any], section: recipe.Data, *, progress: Progress | None = None) -> Source:
    """The samples `(x, y)` of a map-style dataset as tensors. Raises DataError.

    Where samples are random, `Source.x` holds those of (seed 0, epoch 0) and `Source.stream` is what training reads.
    """
    name, count = type(dataset).__name__, _length(dataset)
    if type(dataset) is TensorDataset and len(dataset.tensors) == 2:
        return open_arrays(*dataset.tensors, section, name=name, assumed={"data": "a TensorDataset: its two tensors"})
    random_samples, own_generator = _is_random(dataset, count)
    x, y = _materialise(dataset, count, section.workers, progress)
    classes = getattr(dataset, "classes", ())
    named = classes if isinstance(classes, list | tuple) and all(isinstance(c, str) for c in classes) else ()
    said = {"data": f"{count} samples of {name}, read once into memory"}
    if random_samples:
        said["data"] = (
            f"{count} random samples of {name}: training draws them anew each epoch, keyed by (seed, epoch, row)"
        )
    source = open_arrays(x, y, section, name=name, classes=named, assumed=said)
    if not random_samples:
        return source
    text = (
        f"{name} draws from a generator of its own, so a run on it cannot be repeated: draw from torch, numpy or random"
    )
    numbers = _numbers(y, source.y) if source.classes else None
    told = [*source.warnings, *([text] if own_generator else [])]
    return replace(source, stream=StreamedDataset(dataset, numbers), warnings=told)


def read_batch(stream: StreamedDataset, rows: Sequence[int], seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """`x (n, …)` and `y (n,)` of those rows as `Source` lays them out; global generators stay as they were."""
    with _generators_kept():
        return _finish(stream, *_stack(stream.dataset, [_keyed(stream.dataset, r, seed, epoch) for r in rows], rows))


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


def _from_workers(
    dataset: Dataset[Any], batches: Sequence[Sequence[int]], seed: int, epoch: int, workers: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
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

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray] | str:
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

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.batches[number]
        return _stack(self.dataset, [_keyed(self.dataset, row, self.seed, self.epoch) for row in rows], rows)


def _as_it_is(batch: Any) -> Any:
    return batch


def _keyed(dataset: Dataset[Any], row: int, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """One sample, with every global generator seeded by (seed, epoch, row)."""
    number = key(seed, "dataset", epoch, int(row))
    torch.default_generator.manual_seed(number)
    np.random.seed(number & 0xFFFFFFFF)  # the generator that other people's transforms draw from
    random.seed(number)
    try:
        sample = dataset[row]
    except Exception as error:
        found = f"raised {type(error).__name__}: {error}"
        raise DataError.of(
            f"{type(dataset).__name__}[{row}]", found, "expected a sample (x, y)", "correct the dataset"
        ) from error
    return _pair(sample, f"{type(dataset).__name__}[{row}]")


@contextmanager
def _generators_kept() -> Iterator[None]:
    """The generators and the thread count afterwards as before; one thread inside, as in a worker."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
        torch.set_num_threads(before[3])


def _length(dataset: Dataset[Any]) -> int:
    name = type(dataset).__name__
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        found = "an IterableDataset" if isinstance(dataset, IterableDataset) else "a dataset without a length"
        repair = "give a dataset with __len__ and __getitem__, or collect the samples into arrays"
        raise DataError.of(
            name, found, "expected one whose samples have numbers, so that it can be split and shuffled", repair
        )
    count = len(dataset)
    if count < 1:
        raise DataError.of(name, "no samples", "expected some", "check the dataset")
    return count


def _pair(sample: object, where: str) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(sample, Mapping):
        xs = [k for k in sample if str(k).lower() in X_NAMES]
        ys = [k for k in sample if str(k).lower() in Y_NAMES]
        sample = (sample[xs[0]], sample[ys[0]]) if xs and ys else sample
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        found = f"a sample of type {type(sample).__name__}" + (
            f" with {len(sample)} items" if isinstance(sample, tuple | list) else ""
        )
        raise DataError.of(where, found, "expected (x, y)", "return the input and its label")
    x, y = sample
    if hasattr(x, "convert") and hasattr(x, "mode"):  # a Pillow image; a palette's numbers are not colours
        x = x if x.mode in ("L", "RGB") else x.convert("RGB")
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    return as_array(x if np.ndim(x) or isinstance(x, Tensor) else [x], f"{where}: x"), np.asarray(y)


def _stack(
    dataset: Dataset[Any], samples: Sequence[tuple[np.ndarray, np.ndarray]], rows: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Samples on top of each other; raises DataError where their shapes differ."""
    for row, (x, y) in zip(rows, samples, strict=True):
        if x.shape != samples[0][0].shape or y.shape != samples[0][1].shape:
            x0, y0 = samples[0]
            found = f"sample {row} has x {x.shape} and y {y.shape}, sample {rows[0]} x {x0.shape} and y {y0.shape}"
            raise DataError.of(
                type(dataset).__name__, found, "expected samples of one shape", "resize or pad them in the dataset"
            )
    return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])


def _finish(stream: StreamedDataset, x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    name = type(stream.dataset).__name__
    data, _ = lay_out(x, f"{name}: x")
    if stream.numbers is None:
        return data, torch.from_numpy(np.array(y, np.float32))
    try:
        return data, torch.tensor([stream.numbers[_hashable(label)] for label in y], dtype=torch.int64)
    except KeyError as error:
        raise DataError.of(
            name,
            f"a label {error} that was not there before",
            "expected the same labels each time",
            "check the dataset",
        ) from None


def _numbers(raw: np.ndarray, y: Tensor) -> dict[Any, int]:
    return {_hashable(label): number for label, number in zip(raw, y.tolist(), strict=True)}


def _hashable(label: Any) -> Any:
    return (
        tuple(label.tolist())
        if isinstance(label, np.ndarray)
        else label.item()
        if isinstance(label, np.generic)
        else label
    )


def _is_random(dataset: Dataset[Any], count: int) -> tuple[bool, bool]:
    """Whether samples differ between epochs, and whether they differ even under the same key."""
    rows = sorted({round(i * (count - 1) / max(1, PROBED - 1)) for i in range(PROBED)})
    with _generators_kept():
        first, other, again = ([_keyed(dataset, row, 0, epoch) for row in rows] for epoch in (0, 1, 0))
    return not _equal(first, other), not _equal(first, again)


def _equal(a: Sequence[tuple[np.ndarray, np.ndarray]], b: Sequence[tuple[np.ndarray, np.ndarray]]) -> bool:
    def same(p: np.ndarray, q: np.ndarray) -> bool:
        return p.shape == q.shape and p.dtype == q.dtype and p.tobytes() == q.tobytes()

    return all(same(p[0], q[0]) and same(p[1], q[1]) for p, q in zip(a, b, strict=True))


def _materialise(
    dataset: Dataset[Any], count: int, workers: int, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """All samples of (seed 0, epoch 0) as two arrays; raises DataError where they do not fit in memory."""
    with _generators_kept():
        x0, y0 = _keyed(dataset, 0, 0, 0)
    size, free = x0.nbytes * count, available_memory()
    if 2 * size > free and size > free // 2:
        found = (
            f"{count} samples of {size_text(x0.nbytes)} take {size_text(size)}, {size_text(free)} of memory are free"
        )
        raise DataError.of(
            type(dataset).__name__,
            found,
            "expected at most half of it",
            "make the samples smaller, or give an image folder",
        )
    x, ys = np.empty((count, *x0.shape), x0.dtype), []
    batches = [range(start, min(start + ROWS_A_READ, count)) for start in range(0, count, ROWS_A_READ)]
    for rows, (values, labels) in zip(batches, _read_all(dataset, batches, workers), strict=True):
        if values.shape[1:] != x0.shape or values.dtype != x0.dtype or labels.shape[1:] != y0.shape:
            span = f"samples {rows[0]} to {rows[-1]}"
            found = f"{span} have x {values.shape[1:]} {values.dtype}, sample 0 x {x0.shape} {x0.dtype}"
            raise DataError.of(
                type(dataset).__name__, found, "expected samples of one shape and type", "convert them in the dataset"
            )
        x[rows.start : rows.stop] = values
        ys.append(labels)
        if progress:
            progress("reading samples", rows.stop, count)
    return x, np.concatenate(ys)


def _read_all(dataset: Dataset[Any], batches: Sequence[range], workers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if workers:
        yield from _from_workers(dataset, batches, 0, 0, workers)
        return
    items = _Batches(dataset, batches, 0, 0)
    for number in range(len(batches)):
        with _generators_kept():
            batch = items[number]
        yield batch
