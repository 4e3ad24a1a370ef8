"""The samples of a torch Dataset, each read with every generator it may use seeded by (seed, epoch, row)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from dressage.augment.draw import key
from dressage.data.arrays import as_array
from dressage.data.named_arrays import X_NAMES, Y_NAMES
from dressage.errors import DataError

Sample = tuple[np.ndarray, np.ndarray]
"""`x` and `y` of one sample, or of several on top of each other."""


def length(dataset: Dataset[Any]) -> int:
    """The number of samples. Raises DataError for a dataset without samples, or without numbers for them."""
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


def keyed(dataset: Dataset[Any], row: int, seed: int, epoch: int) -> Sample:
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


def stack(dataset: Dataset[Any], samples: Sequence[Sample], rows: Sequence[int]) -> Sample:
    """Samples on top of each other; raises DataError where their shapes differ."""
    for row, (x, y) in zip(rows, samples, strict=True):
        if x.shape != samples[0][0].shape or y.shape != samples[0][1].shape:
            x0, y0 = samples[0]
            found = f"sample {row} has x {x.shape} and y {y.shape}, sample {rows[0]} x {x0.shape} and y {y0.shape}"
            raise DataError.of(
                type(dataset).__name__, found, "expected samples of one shape", "resize or pad them in the dataset"
            )
    return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])


def label_key(label: Any) -> Any:
    """A label as it can be looked up: plain numbers and texts, a tuple where it is an array."""
    if isinstance(label, np.ndarray):
        return tuple(label.tolist())
    return label.item() if isinstance(label, np.generic) else label


@contextmanager
def generators_kept() -> Iterator[None]:
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


def _pair(sample: object, where: str) -> Sample:
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
