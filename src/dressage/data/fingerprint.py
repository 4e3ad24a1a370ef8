"""SHA-256 of what was opened, so that a resumed run can refuse changed data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from torch import Tensor

from dressage.data.source import Head

CHUNK_BYTES = 16 << 20


def named_classes(heads: Sequence[Head]) -> list[str]:
    """The classes of several targets, each after its target's name."""
    return [f"{head.name}: {name}" for head in heads for name in head.classes]


def digest(x: Tensor) -> str:
    """SHA-256 of dtype, shape and values of `x (N, ...)` in row order; reads a memory map piece by piece."""
    total = hashlib.sha256(json.dumps([str(x.dtype), list(x.shape)]).encode())
    rows = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), rows):
        total.update(x[start : start + rows].contiguous().numpy().data)
    return total.hexdigest()


def fingerprint(x_digest: str, y: Tensor, given: Mapping[str, Tensor], classes: Sequence[str]) -> str:
    """SHA-256 over the digests of x, y, the parts and the class names: any change of the content changes it."""
    parts = {name: digest(rows) for name, rows in sorted(given.items())}
    return hashlib.sha256(json.dumps([x_digest, digest(y), parts, list(classes)]).encode()).hexdigest()
