"""Features that give the target away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from dressage.data.tables.target import Target
from dressage.data.tables.values import Values


def find_leaks(features: Mapping[str, Values], target: Target) -> list[str]:
    """A warning for each feature that equals the target, or names the classes in other words."""
    y = target.y.numpy()
    leaks = []
    for name, values in features.items():
        same = (
            _same_amounts(values, y) if target.task == "regression" else _same_classes(values, y, len(target.classes))
        )
        if same:
            found = f"column '{name[:80]}' says the same as the target: the score will be worth nothing"
            leaks.append(f"{found}; leave it out with data.ignore if it is not known beforehand")
    return leaks


def _same_amounts(values: Values, y: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bool:
    """Equal but for scale and shift (correlation of ±1 to 1e-10)."""
    if values.kind != "number" or values.data.null_count or len(y) < 5:
        return False
    x = values.data.to_numpy()
    x = x / max(np.abs(x).max(), np.finfo(float).tiny)  # so that squares of huge numbers stay finite
    a, b = x - x.mean(), y.astype(np.float64) - y.mean(dtype=np.float64)
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return bool(scale > 0 and abs((a * b).sum() / scale) > 1 - 1e-10)


def _same_classes(values: Values, y: np.ndarray[tuple[int, ...], np.dtype[np.int64]], classes: int) -> bool:
    """One value for each class and one class for each value."""
    if values.data.null_count or len(y) < 3 * classes or len(pc.unique(values.data[:4096])) > classes:
        return False
    coded = values.data.combine_chunks().dictionary_encode()
    if len(coded.dictionary) != classes:
        return False
    return len(np.unique(coded.indices.to_numpy().astype(np.int64) * classes + y)) == classes
