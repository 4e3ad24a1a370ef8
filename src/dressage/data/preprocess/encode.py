"""Table columns to numbers: missing values filled and told, categories one-hot, dates as days and cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.data.preprocess.steps import Impute, OneHot
from dressage.errors import DataError, nearest

Floats = NDArray[np.float64]
DAY = 86_400_000_000  # microseconds
YEAR = 365.2425  # days
WORDS = 3  # of a category, from which vectors are learned: two words need no more than a number
LARGEST = 50  # numbers of a vector, unless more are asked for


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one column becomes numbers."""

    name: str
    kind: Literal["number", "category", "date"]
    fill: float = 0.0
    """What a missing number gets; a date: microseconds since 1970."""
    missing: bool = False
    """Whether a 0/1 column tells that the value was missing: where training rows were."""
    levels: Sequence[str] = ()
    """The words that have a column of their own."""
    other: bool = False
    """Whether words without a column share one; where not, a word never seen is 0 in all columns."""
    hours: bool = False
    """Whether a date has a time of day."""

    def numbers(self) -> list[str]:
        """Names of the numeric features it gives."""
        if self.kind == "number":
            return [self.name]
        if self.kind == "category":
            return []
        cycles = ["year", "week", *(["day"] if self.hours else [])]
        return [
            f"{self.name}: days",
            *(f"{self.name}: {wave} of the {cycle}" for cycle in cycles for wave in ("sine", "cosine")),
        ]

    def flags(self) -> list[str]:
        """Names of the 0/1 features it gives."""
        words = [f"{self.name} = {level}" for level in self.levels] + ([f"{self.name} = other"] if self.other else [])
        return words + ([f"{self.name} is missing"] if self.missing else [])


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring 0/1 features of one category, of which at most one is set, and the length of the vectors in their place."""

    start: int
    width: int
    dim: int


def blocks_of(encodings: Sequence[Encoding], features: int, dim: int) -> list[Block]:
    """Those of the categories with three words or more; the 0/1 features are the last of all. `dim` 0: ⌈words/2⌉, 50 at most."""
    found, at = [], features - sum(len(e.flags()) for e in encodings)
    for e in encodings:
        width = len(e.flags())
        if e.kind == "category" and width >= WORDS:
            found.append(Block(at, width, dim or min(LARGEST, (width + 1) // 2)))
        at += width
    return found


def fit_encoding(name: str, kind: Any, column: pa.ChunkedArray, impute: Impute, onehot: OneHot) -> Encoding:
    """From the training rows of one column, typed as in `Source.x`."""
    missing = column.null_count > 0 and impute.indicator
    known = column.drop_null()
    if kind == "category":
        return _fit_category(name, known, column.null_count > 0, onehot)
    values = _floats(known)
    middle = np.mean if impute.strategy == "mean" else np.median
    fill = float(middle(values)) if len(values) else 0.0
    if kind == "number":
        return Encoding(name, kind, fill, missing)
    return Encoding(name, kind, round(fill), missing, hours=bool((values % DAY != 0).any()))


def encode(table: pa.Table, encodings: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
    """Numeric features `(n, A)` float64 and 0/1 features `(n, B)` float32. Raises DataError when a column is absent."""
    rows = table.num_rows
    numbers: list[Floats] = []
    flags = np.zeros((rows, sum(len(e.flags()) for e in encodings)), np.float32)
    at = 0
    for e in encodings:
        if e.name not in table.column_names:
            raise DataError.of(
                "table",
                f"no column '{e.name[:80]}'",
                nearest(e.name[:80], table.column_names),
                "give every column of the training",
            )
        column = table[e.name]
        numbers += _numbers(e, column)
        width = len(e.flags())
        _raise_flags(e, column, flags[:, at : at + width])
        at += width
    matrix = np.stack(numbers, axis=1) if numbers else np.zeros((rows, 0))
    return torch.from_numpy(matrix), torch.from_numpy(flags)


def _fit_category(name: str, known: pa.ChunkedArray, missing: bool, onehot: OneHot) -> Encoding:
    counts = Counter({c["values"]: c["counts"] for c in pc.value_counts(known).to_pylist()})
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    common = [word for word in ranked if counts[word] >= onehot.min_rows] or ranked
    kept = common[: onehot.max_levels]
    return Encoding(name, "category", missing=missing, levels=sorted(kept), other=len(kept) < len(ranked))


def _floats(column: pa.ChunkedArray) -> Floats:
    """Numbers as they are, dates as microseconds; no nulls."""
    values: Floats = (
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_numpy().astype(np.float64)
    )
    return values


def _numbers(e: Encoding, column: pa.ChunkedArray) -> list[Floats]:
    if e.kind == "category":
        return []
    if e.kind == "number":
        return [_floats(pc.fill_null(column.cast(pa.float64()), e.fill))]
    time = _floats(pc.fill_null(column.cast(pa.int64()), int(e.fill)))
    days = time / DAY
    cycles = [days / YEAR, days / 7, *([days] if e.hours else [])]
    return [days, *(wave(2 * np.pi * (cycle % 1)) for cycle in cycles for wave in (np.sin, np.cos))]


def _raise_flags(e: Encoding, column: pa.ChunkedArray, flags: NDArray[np.float32]) -> None:
    """Writes the 0/1 features of a column into `flags (n, width)`."""
    absent = pc.is_null(column).to_numpy()
    if e.kind == "category":
        place = pc.index_in(column.cast(pa.large_string()), value_set=pa.array(list(e.levels), pa.large_string()))
        index = pc.fill_null(place, -1).to_numpy()
        rows = np.flatnonzero((index >= 0) & ~absent)
        flags[rows, index[rows]] = 1
        if e.other:
            flags[(index < 0) & ~absent, len(e.levels)] = 1
    if e.missing:
        flags[absent, -1] = 1
