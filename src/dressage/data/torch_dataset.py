"""Any map-style `torch.utils.data.Dataset`: read once into tensors, or again and again where its samples are random.

A dataset that draws random numbers (augmentation in `__getitem__`) is read with every generator it may use seeded by
(seed, epoch, row), in whatever process: the samples do not depend on their batch mates, their order or the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from dressage import recipe
from dressage.data.arrays import open_arrays
from dressage.data.dataset_batches import read_all
from dressage.data.dataset_samples import Sample, generators_kept, keyed, label_key, length
from dressage.data.npz import available_memory
from dressage.data.source import Source, StreamedDataset
from dressage.errors import DataError
from dressage.files import size_text

Progress = Callable[[str, int, int], None]
PROBED = 32
"""Samples read three times to see whether the dataset is random."""
ROWS_A_READ = 64


def open_dataset(dataset: Dataset[Any], section: recipe.Data, *, progress: Progress | None = None) -> Source:
    """The samples `(x, y)` of a map-style dataset as tensors. Raises DataError.

    Where samples are random, `Source.x` holds those of (seed 0, epoch 0) and `Source.stream` is what training reads.
    """
    name, count = type(dataset).__name__, length(dataset)
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


def _numbers(raw: np.ndarray, y: Tensor) -> dict[Any, int]:
    return {label_key(label): number for label, number in zip(raw, y.tolist(), strict=True)}


def _is_random(dataset: Dataset[Any], count: int) -> tuple[bool, bool]:
    """Whether samples differ between epochs, and whether they differ even under the same key."""
    rows = sorted({round(i * (count - 1) / max(1, PROBED - 1)) for i in range(PROBED)})
    with generators_kept():
        first, other, again = ([keyed(dataset, row, 0, epoch) for row in rows] for epoch in (0, 1, 0))
    return not _equal(first, other), not _equal(first, again)


def _equal(a: Sequence[Sample], b: Sequence[Sample]) -> bool:
    def same(p: np.ndarray, q: np.ndarray) -> bool:
        return p.shape == q.shape and p.dtype == q.dtype and p.tobytes() == q.tobytes()

    return all(same(p[0], q[0]) and same(p[1], q[1]) for p, q in zip(a, b, strict=True))


def _materialise(dataset: Dataset[Any], count: int, workers: int, progress: Progress | None) -> Sample:
    """All samples of (seed 0, epoch 0) as two arrays; raises DataError where they do not fit in memory."""
    with generators_kept():
        x0, y0 = keyed(dataset, 0, 0, 0)
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
    for rows, (values, labels) in zip(batches, read_all(dataset, batches, workers), strict=True):
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
