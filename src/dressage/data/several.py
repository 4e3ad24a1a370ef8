"""Several targets in one: a column of y each, class numbers or values, as float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dressage.data.source import Head, Source
from dressage.errors import DataError, nearest


class Read(Protocol):
    """One target as it was read."""

    @property
    def y(self) -> Tensor: ...
    @property
    def classes(self) -> Sequence[str]: ...


def named_targets(y: object) -> Mapping[str, object] | None:
    """Several targets by name: a mapping of arrays, or an array with named fields; None for anything else."""
    if isinstance(y, Mapping):
        return {str(name): values for name, values in y.items()}
    if isinstance(y, np.ndarray) and y.dtype.names:
        return {name: y[name] for name in y.dtype.names}
    return None


def joined(where: str, found: Mapping[str, Read]) -> tuple[Tensor, tuple[Head, ...]]:
    """`(N, T)` float32, and the heads of its columns. Raises DataError for a target of more than one number a row."""
    wide = next((name for name, target in found.items() if target.y.dim() != 1), None)
    if wide is not None:
        raise DataError.of(
            where, f"the target '{wide[:80]}' has several numbers a row", "expected one", "give each a name of its own"
        )
    lengths = {name: len(target.y) for name, target in found.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"'{name[:40]}' {length}" for name, length in list(lengths.items())[:5])
        raise DataError.of(where, f"targets of different lengths ({listed})", "expected one value a row", "check them")
    y = torch.stack([target.y.float() for target in found.values()], dim=1)
    return y, tuple(Head(name, tuple(target.classes)) for name, target in found.items())


def stratum(y: Tensor, heads: Sequence[Head]) -> Tensor | None:
    """`(N,)` int64: the first target that has classes, which the parts are to hold in equal shares; None without one."""
    place = next((i for i, head in enumerate(heads) if head.classes), None)
    return None if place is None else y[:, place].long()


def columns_of(y: Tensor, heads: Sequence[Head]) -> list[Tensor]:
    """Each target by itself: `(N,)` int64 class numbers, or float32 values."""
    return [y[:, i].long() if head.classes else y[:, i] for i, head in enumerate(heads)]


def heads_of(source: Source) -> list[Head]:
    """The targets: several, or the one as one."""
    if source.heads:
        return list(source.heads)
    if source.task == "classification":
        return [Head(source.target or "target", tuple(source.classes))]
    columns = 1 if source.y.dim() == 1 else source.y.shape[1]
    return [Head(source.target or "target") for _ in range(columns)]


def numbers_of(labels: Mapping[str, Sequence[object]], heads: Sequence[Head]) -> Tensor:
    """`(N, T)` float32 of new rows' labels, as the training had them. Raises DataError where a target or class is not known."""
    lacking = [head.name for head in heads if head.name not in labels]
    if lacking:
        raise DataError.of(
            "y", f"no target '{lacking[0][:80]}'", nearest(lacking[0], labels), "give every target of the training"
        )
    columns = [_column(labels[head.name], head) for head in heads]
    return torch.stack(columns, dim=1)


def _column(labels: Sequence[object], head: Head) -> Tensor:
    if not head.classes:
        return torch.tensor(np.asarray(labels, dtype=np.float64), dtype=torch.float32)
    return torch.tensor(class_numbers(labels, head.classes, f"labels of '{head.name[:60]}'"), dtype=torch.float32)


def class_numbers(labels: Sequence[object], classes: Sequence[str], where: str) -> list[int]:
    """The number of each label among `classes`. Raises DataError for a label that is none of them."""
    known = {name: i for i, name in enumerate(classes)}
    named = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in labels]
    strange = next((name for name in named if name not in known), None)
    if strange is not None:
        raise DataError.of(
            where,
            f"'{strange}'",
            f"expected the classes of the training, {nearest(strange, known)}",
            "correct the labels",
        )
    return [known[name] for name in named]
