"""Arrays and tensors, laid out for training: images as `(N, H, W, C)` uint8, the rest as float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dressage import recipe
from dressage.data.fingerprint import CHUNK_BYTES, digest, fingerprint, named_classes
from dressage.data.labels import SHOWN, Targets, check_classes, read_targets
from dressage.data.several import joined, named_targets
from dressage.data.source import Column, Source
from dressage.errors import DataError

SMALLEST_SIDE = 8
"""uint8 arrays with fewer pixels a side than this are taken for tables of numbers, not for images."""


def open_arrays(
    x: object,
    y: object,
    section: recipe.Data,
    *,
    name: str = "arrays",
    given: Mapping[str, Tensor] | None = None,
    classes: Sequence[str] = (),
    features: Sequence[str] = (),
    assumed: Mapping[str, str] | None = None,
) -> Source:
    """A source of `x (N, ...)` and `y (N,)` or `(N, T)`: arrays, tensors or nested lists. Raises DataError.

    `given` names the rows of the parts; `classes` the classes of the numbers 0, 1, …; `features` the columns of x.
    """
    values, parts = as_array(x, f"{name}: x"), dict(given or {})
    several = named_targets(y) or {}
    if len(several) > 1:
        return _open_several(values, several, section, name, parts, assumed or {})
    labels = as_array(next(iter(several.values()), y), f"{name}: y")
    check_lengths(name, values, labels)
    targets = read_targets(f"{name}: y", labels, section.task, classes)
    warnings = check_classes(f"{name}: y", targets.y, targets.classes, parts) if targets.classes else []
    data, notes = lay_out(values, f"{name}: x")
    target = next(iter(several), section.target or "y")
    said = {**(assumed or {}), **notes, **targets.assumed}
    return Source(
        name=name,
        kind="images" if data.dtype == torch.uint8 else "array",
        x=data,
        y=targets.y,
        task=targets.task,
        target=target,
        classes=targets.classes,
        given=parts,
        columns=_columns(data, features, targets, target),
        assumed=said,
        warnings=warnings,
        fingerprint=fingerprint(digest(data), targets.y, parts, targets.classes),
    )


def _open_several(
    x: np.ndarray,
    y: Mapping[str, object],
    section: recipe.Data,
    name: str,
    given: Mapping[str, Tensor],
    assumed: Mapping[str, str],
) -> Source:
    """The same for several targets by name."""
    found = {}
    for target, values in y.items():
        labels = as_array(values, f"{name}: y['{target[:60]}']")
        check_lengths(f"{name}: y['{target[:60]}']", x, labels)
        found[target] = read_targets(f"{name}: y['{target[:60]}']", labels, section.task)
    targets, heads = joined(f"{name}: y", found)
    data, notes = lay_out(x, f"{name}: x")
    notes |= {f"target {target}": t.assumed["task"] for target, t in found.items() if "task" in t.assumed}
    return Source(
        name=name,
        kind="images" if data.dtype == torch.uint8 else "array",
        x=data,
        y=targets,
        task="multi",
        target=", ".join(y),
        heads=heads,
        given=given,
        assumed={**assumed, **notes},
        fingerprint=fingerprint(digest(data), targets, given, named_classes(heads)),
    )


def as_array(value: object, where: str) -> np.ndarray:
    """A plain NumPy array of anything array-like. Raises DataError: ragged, masked, sparse, complex, objects."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if np.ma.isMaskedArray(value) and np.ma.getmaskarray(value).any():
        raise DataError.of(
            where, "a masked array with masked values", "expected a value everywhere", "fill or drop the masked rows"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError.of(
            where, f"cannot be read as an array ({error})", "expected rows of equal length", "pad or cut the rows"
        ) from None
    if array.ndim == 0 or array.dtype.kind not in "biufUSO" or (array.dtype.kind == "O" and array.ndim != 1):
        found = f"{type(value).__name__} of type {array.dtype} and shape {array.shape}"
        raise DataError.of(where, found, "expected an array of numbers", "give a dense array, one row a sample")
    return array


def check_lengths(where: str, x: np.ndarray, y: np.ndarray) -> None:
    """Raises DataError unless x and y have the same number of rows, above zero."""
    if len(x) != len(y):
        raise DataError.of(
            where,
            f"x has {len(x)} rows and y has {len(y)}",
            "expected one label a row",
            "check which rows were dropped",
        )
    if not x.size:
        raise DataError.of(where, f"x of shape {x.shape} is empty", "expected rows and columns", "check the file")


def lay_out(values: np.ndarray, where: str) -> tuple[Tensor, dict[str, str]]:
    """`x` as a tensor and what was assumed: uint8 images become `(N, H, W, C)`, all else float32 of the same shape."""
    if values.dtype.kind not in "biuf":
        raise DataError.of(
            where,
            f"holds {values.dtype} values, not numbers",
            "expected numbers",
            "convert texts to numbers, or give a table with named columns",
        )
    if values.dtype == np.uint8:
        images, note = _images(values)
        if images is not None:
            return _tensor(images), {"images": note}
    if values.ndim == 1:
        values = values[:, None]
    numbers = _float32(values, where)
    shape = "×".join(map(str, numbers.shape[1:]))
    return numbers, {"x": f"{len(numbers)} rows of {shape} numbers, {values.dtype} as float32"}


def _images(values: np.ndarray) -> tuple[np.ndarray | None, str]:
    shape = values.shape
    if values.ndim == 3 and min(shape[1:]) >= SMALLEST_SIDE:
        return values[..., None], f"uint8 (N, H, W): {shape[1]}×{shape[2]} grey images"
    if values.ndim == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) >= SMALLEST_SIDE:
        return values, f"uint8 (N, H, W, C): {shape[1]}×{shape[2]} images of {shape[3]} channels"
    if values.ndim == 4 and shape[1] in (1, 3) and min(shape[2:]) >= SMALLEST_SIDE:
        turned = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
        return turned, f"uint8 (N, C, H, W): {shape[2]}×{shape[3]} images of {shape[1]} channels, channels moved last"
    return None, ""


def _tensor(values: np.ndarray) -> Tensor:
    # A read-only array makes torch warn, and an array in Fortran order would be slow to cut into batches.
    return torch.from_numpy(np.require(values, requirements=["C", "W"]))


def _float32(values: np.ndarray, where: str) -> Tensor:
    """A float32 copy (or the array itself where it is one), refused with rows and columns where it is not finite."""
    own = values if values.dtype == np.float32 and values.dtype.isnative else np.empty(values.shape, np.float32)
    rows = max(1, CHUNK_BYTES // max(1, values[:1].nbytes))
    bad_rows: list[int] = []
    bad_columns = np.zeros(values[0].size, dtype=bool)
    kinds = set()
    for start in range(0, len(values), rows):
        piece = own[start : start + rows]
        if own is not values:
            with np.errstate(over="ignore"):
                piece[...] = values[start : start + rows]
        bad = ~np.isfinite(piece).reshape(len(piece), -1)
        if bad.any():
            bad_rows += (start + np.flatnonzero(bad.any(axis=1))).tolist()
            bad_columns |= bad.any(axis=0)
            kinds |= {"missing (NaN)"} if np.isnan(piece).any() else set()
            kinds |= {"infinite or too large"} if np.isinf(piece).any() else set()
    if bad_rows:
        found = f"{' and '.join(sorted(kinds, reverse=True))} values in {_counted(bad_rows, 'row')}"
        found += f", {_counted(np.flatnonzero(bad_columns).tolist(), 'column')}" if values.ndim == 2 else ""
        table = ", or train on a table (a frame or a CSV), which may have missing values" if values.ndim == 2 else ""
        repair = "fill or drop them" + (table if kinds == {"missing (NaN)"} else "")
        raise DataError.of(where, found, "expected finite numbers", repair)
    return _tensor(own)


def _counted(numbers: Sequence[int], what: str) -> str:
    """`2 rows (3, 5)`, counted from 0."""
    listed = ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")
    return f"{len(numbers)} {what}{'s' if len(numbers) > 1 else ''} ({listed})"


def _columns(x: Tensor, features: Sequence[str], targets: Targets, target: str) -> list[Column]:
    if not features or x.ndim != 2 or len(features) != x.shape[1]:
        return []
    low, high = x.amin(0).tolist(), x.amax(0).tolist()
    columns = [Column(str(n), "number", 0, f"{a:g} to {b:g}") for n, a, b in zip(features, low, high, strict=True)]
    if targets.classes:
        summary = ", ".join(targets.classes[:SHOWN])
    else:
        summary = f"{targets.y.min().item():g} to {targets.y.max().item():g}"
    return [*columns, Column(target, "target", 0, summary)]


def join_parts(parts: Mapping[str, tuple[Any, Any]], where: str) -> tuple[np.ndarray, np.ndarray, dict[str, Tensor]]:
    """One x, one y and the rows of each part from `{part: (x, y)}`; raises DataError where shapes or lengths differ."""
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    given: dict[str, Tensor] = {}
    start = 0
    for part, (x, y) in parts.items():
        values, labels = as_array(x, f"{where}: x of {part}"), as_array(y, f"{where}: y of {part}")
        check_lengths(f"{where}: {part}", values, labels)
        if xs and (values.shape[1:] != xs[0].shape[1:] or labels.shape[1:] != ys[0].shape[1:]):
            found = f"x of {part} has shape {values.shape} and the first part {xs[0].shape}"
            raise DataError.of(where, found, "expected samples of one shape", "bring all parts to the same shape")
        if xs and (values.dtype == np.uint8) != (xs[0].dtype == np.uint8):
            raise DataError.of(
                where,
                f"x of {part} is {values.dtype} and the first part {xs[0].dtype}",
                "expected one type",
                "convert one of them",
            )
        xs.append(values)
        ys.append(labels)
        given[part] = torch.arange(start, start + len(values))
        start += len(values)
    if len(xs) == 1:
        return xs[0], ys[0], given
    return np.concatenate(xs), np.concatenate(ys), given
