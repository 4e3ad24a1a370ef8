"""How one row is shown to a person: a small picture, or its fields."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from dressage.data.source import Source

SIDE = 96  # pixels of the longer side in the report
FIELDS = 12
SIGNS = 120


def picture(x: Tensor | NDArray[Any], side: int = SIDE) -> str:
    """The data URI of a PNG, its longer side about `side` pixels, of `x` uint8 `(H, W)` or `(H, W, C)`, C = 1, 3 or 4.

    Small pictures grow by a whole factor without smoothing, so that each pixel can be seen; large ones shrink smoothly.
    """
    from PIL import Image

    pixels = np.ascontiguousarray(np.asarray(x.cpu() if hasattr(x, "cpu") else x), dtype=np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[:, :, 0]
    image = Image.fromarray(pixels)
    longer = max(image.size)
    if longer < side:
        factor = max(1, round(side / longer))
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    elif longer > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def exhibit(source: Source) -> Callable[[int], Mapping[str, Any]]:
    """For a row of the source what a mistake shows of it: `{"picture": data URI}` or `{"fields": {column: value}}`."""
    x: Any = source.x
    if source.kind == "table":
        names = list(x.column_names)[:FIELDS]

        def fields(row: int) -> Mapping[str, Any]:
            return {"fields": {short(name): short(x.column(i)[row].as_py()) for i, name in enumerate(names)}}

        return fields

    names = [
        column.name for column in source.columns if column.kind not in ("target", "group", "time", "ignored", "id")
    ]
    grid = _grid(names, int(x.shape[1])) if x.dim() == 2 else None
    ends = (float(x.min()), float(x.max())) if grid else None

    def item(row: int) -> Mapping[str, Any]:
        values = np.asarray(x[row].cpu())
        if grid is not None:
            return {"picture": picture(_to_bytes(values.reshape(grid), ends))}
        if _is_picture(values.shape):
            return {"picture": picture(_to_bytes(values))}
        named = names if len(names) == values.size else [str(i) for i in range(values.size)]
        return {"fields": {short(named[i]): short(v.item()) for i, v in enumerate(values.ravel()[:FIELDS])}}

    return item


def short(value: object) -> str:
    """At most 120 characters of a value; a number in six digits, a day without its midnight, `–` where there is none."""
    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if isinstance(value, datetime):
        text = text.removesuffix(" 00:00:00")
    return text if len(text) <= SIGNS else text[: SIGNS - 1] + "…"


def _is_picture(shape: tuple[int, ...]) -> bool:
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,), (4,)):
        return False
    return min(shape[:2]) >= 4 and max(shape[:2]) <= 64 * min(shape[:2])


def _grid(names: list[str], width: int) -> tuple[int, int] | None:
    """Rows and columns of the picture that features named `pixel_0_0` … or `pixel0` … are, in that order; else None."""
    found = [re.fullmatch(r"pixel_?(\d{1,4})(?:_(\d{1,4}))?", name) for name in names]
    places = [m.groups() for m in found if m is not None]
    if not len(names) == len(places) == width:
        return None
    pairs = [(int(a), int(b)) for a, b in places if b is not None]
    side = math.isqrt(width)
    rows, columns = (pairs[-1][0] + 1, pairs[-1][1] + 1) if pairs else (side, side)
    wanted = [divmod(i, columns) for i in range(width)] if len(pairs) == width else list(range(width))
    given = pairs if len(pairs) == width else [int(a) - int(places[0][0]) for a, _ in places]
    return (rows, columns) if rows * columns == width and wanted == given and _is_picture((rows, columns)) else None


def _to_bytes(values: NDArray[Any], ends: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    low, high = ends or (float(np.nanmin(values)), float(np.nanmax(values)))
    scaled = (values - low) / (high - low) * 255 if high > low else np.zeros_like(values)
    return np.nan_to_num(scaled).astype(np.uint8)
