"""Batches of a class of the user's own, read from a copy of it: what it draws from, counts or shuffles stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import DataLoader

LARGEST = 1 << 28
"""Bytes of arrays up to which such an object is copied."""


def has_own_batches(data: object) -> bool:
    """Whether batches can be read of it again and again, and what it holds can be copied."""
    if not isinstance(data, Iterable) or isinstance(
        data, Iterator | Sequence | Mapping | str | bytes | Tensor | np.ndarray
    ):
        return False
    held = list(vars(data).values()) if hasattr(data, "__dict__") else []
    if any(isinstance(v, nn.Module | Iterator) or (isinstance(v, DataLoader) and v.num_workers) for v in held):
        return False
    return sum(map(_bytes, held)) <= LARGEST


def own_batches(data: object) -> Iterator[Any]:
    """Its batches, of a copy. Raises what its iterator raises. The caller keeps generators."""
    return iter(copy.deepcopy(data))  # type: ignore[call-overload, no-any-return]


def _bytes(held: object, deep: int = 4) -> int:
    """Of the arrays in it, and in what it holds."""
    if isinstance(held, Tensor | np.ndarray):
        return int(held.nbytes)
    if isinstance(held, Mapping):
        parts = list(held.values())
    elif isinstance(held, list | tuple):
        return sum(_bytes(part, deep - 1) for part in held[:1000] if deep) * max(1, len(held) // 1000)
    else:
        parts = list(vars(held).values()) if hasattr(held, "__dict__") else []
    return sum(_bytes(part, deep - 1) for part in parts if deep)
