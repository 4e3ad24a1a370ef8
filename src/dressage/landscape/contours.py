"""A function on a grid as bands of seven shades and the lines between them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dressage.report.svg import shape
from dressage.search.pictures.ink import BINS, LIGHT

FINER = 6
"""Places for each step of the grid on each axis, read on a straight line."""
WIDE = 3.0
"""Highest over lowest value from which the scale is logarithmic."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """The levels between the bands, evenly spaced on a straight or a logarithmic scale."""

    low: float
    high: float
    is_log: bool

    def seen(self, values: Floats) -> Floats:
        """Values as shares of the scale: 0 at the lowest, 1 at the highest."""
        if self.high <= self.low:
            return np.where(np.isfinite(values), 0.0, np.nan)
        if self.is_log:
            bounded = np.log(np.clip(values, self.low, self.high) / self.low)
            return np.asarray(bounded / math.log(self.high / self.low))
        return np.asarray((values - self.low) / (self.high - self.low))

    def value(self, share: float) -> float:
        """The other way round."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)


def scale_of(values: Floats) -> Scale:
    """From the lowest to the highest finite value."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Scale(0.0, 1.0, False)
    low, high = float(known.min()), float(known.max())
    return Scale(low, high, low > 0 and high / low > WIDE)


def bands(values: Floats, scale: Scale, left: float, top: float, width: float, height: float) -> list[str]:
    """The grid `values[j, i]`, j upwards, in this box: a rectangle for each run of one shade, darkest where it is low."""
    fine = _finer(scale.seen(values))
    rows, columns = fine.shape
    steps = width / columns, height / rows
    shades = np.where(np.isfinite(fine), np.clip(fine * BINS, 0, BINS - 1), -1).astype(int)
    parts = [shape("rect", "unknown", x=left, y=top, width=width, height=height, fill="#c5c9ce")]
    for j, row in enumerate(shades):
        starts = [0, *(np.nonzero(np.diff(row))[0] + 1), columns]
        for a, b in itertools.pairwise(starts):
            if row[a] >= 0:
                shade = BINS - 1 - int(row[a])
                place = {"x": left + a * steps[0], "y": top + height - (j + 1) * steps[1]}
                size = {"width": (b - a) * steps[0] + 0.3, "height": steps[1] + 0.3}  # so that no seam is seen
                sharp: dict[str, str] = {"fill": LIGHT[shade], "shape_rendering": "crispEdges"}
                parts.append(shape("rect", f"dot-score-{shade}", **sharp, **place, **size))
    return parts


def levels(
    values: Floats,
    scale: Scale,
    left: float,
    top: float,
    width: float,
    height: float,
    count: int = BINS,
    pen: tuple[str, str] = ("rim", "#ffffff"),
) -> str:
    """The lines between `count` bands, by marching squares; `pen`: class and colour."""
    share = scale.seen(values)
    across, up = width / (share.shape[1] - 1), height / (share.shape[0] - 1)
    path = []
    for level in np.arange(1, count) / count:
        for j, i in _crossed(share, level):
            for ends in _segments(share[j : j + 2, i : i + 2], level):
                (a, b), (c, d) = [(left + (i + x) * across, top + height - (j + y) * up) for x, y in ends]
                path.append(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}")
    return shape("path", pen[0], d="".join(path), fill="none", stroke=pen[1], stroke_width=0.8, stroke_opacity=0.8)


def _finer(values: Floats) -> Floats:
    """Bilinear between the grid's places, FINER for each step."""
    made = values
    for axis in range(2):
        count = values.shape[axis]
        at = (np.arange((count - 1) * FINER) + 0.5) / FINER
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(2)])
        made = made.take(low, axis) * (1 - share) + made.take(low + 1, axis) * share
    return made


def _crossed(share: Floats, level: float) -> list[tuple[int, int]]:
    """The squares whose corners do not all lie on one side."""
    corners = np.stack([share[:-1, :-1], share[1:, :-1], share[:-1, 1:], share[1:, 1:]])
    above = corners > level
    mixed = above.any(0) & ~above.all(0) & np.isfinite(corners).all(0)
    return [(int(j), int(i)) for j, i in zip(*np.nonzero(mixed), strict=True)]


def _segments(square: Floats, level: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Where a level crosses a square of corners `[y, x]`: one line, or two where opposite corners are alike."""

    def cut(a: float, b: float) -> float:
        return float((level - a) / (b - a))

    (a, b), (c, d) = square
    known = []
    for first, second, place in (
        (a, b, lambda t: (t, 0.0)),
        (b, d, lambda t: (1.0, t)),
        (c, d, lambda t: (t, 1.0)),
        (a, c, lambda t: (0.0, t)),
    ):
        if (first > level) != (second > level):
            known.append(place(cut(first, second)))
    if len(known) == 2:
        return [(known[0], known[1])]
    bottom, right, upper, left = known
    apart = (float(square.mean()) > level) == (a > level)  # the middle belongs to the corner (0, 0)
    return [(bottom, right), (upper, left)] if apart else [(bottom, left), (upper, right)]
