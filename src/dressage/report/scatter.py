"""Small pictures of scores: predicted against true values, and a score's interval against its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dressage.evaluate.words import number
from dressage.report.plots import tick_text, ticks
from dressage.report.svg import dot, line, svg, words
from dressage.report.text import listing, mapping

SIDE, LEFT, RIGHT, TOP, BOTTOM = 400, 74, 28, 12, 44


def scatter_svg(evaluation: Mapping[str, Any]) -> str:
    """Predicted over true values of a regression with the line where both are equal, or "" without two points."""
    points = mapping(evaluation.get("points"))
    both = zip(listing(points.get("true")), listing(points.get("predicted")), strict=False)
    known = np.array([(t, p) for t, p in ((number(t), number(p)) for t, p in both) if t is not None and p is not None])
    if len(known) < 2:
        return ""
    low, high = float(known.min()), float(known.max())
    room = (high - low) * 0.04 or 1.0
    low, high = low - room, high + room
    inner = SIDE - LEFT - RIGHT

    def place(value: float) -> float:
        return (value - low) / (high - low) * inner

    floor = TOP + inner
    height = floor + BOTTOM
    parts = []
    for tick in ticks(low, high, 5):
        at, text = place(tick), tick_text(tick)
        parts.append(line("grid", LEFT, floor - at, SIDE - RIGHT, floor - at))
        parts.append(words(text, LEFT - 8, floor - at + 4, "end"))
        parts.append(words(text, LEFT + at, floor + 18, "middle"))
    parts.append(line("mark", LEFT, floor, LEFT + inner, TOP, stroke_dasharray="4 3"))
    parts += [dot("dot-train", LEFT + place(t), floor - place(p), 3, fill_opacity=0.5) for t, p in known]
    parts.append(words("true", LEFT + inner / 2, height - 6, "middle", "axis"))
    parts.append(words("predicted", 13, TOP + inner / 2, "middle", "axis", turn=-90))
    label = f"Predicted against true values of {len(known)} rows; on the diagonal both are equal"
    return svg("scatter", SIDE, height, label, parts)


def interval_svg(estimate: Mapping[str, Any], baseline: object, label: str) -> str:
    """A score between 0 and 1 as a dot on its 95 % interval, the baseline as a tick; "" where it lies elsewhere."""
    value, low, high = (number(estimate.get(key)) for key in ("value", "low", "high"))
    if value is None or not 0 <= value <= 1:
        return ""
    width, middle = 260, 11

    def at(score: float) -> float:
        return 6 + min(1.0, max(0.0, score)) * (width - 12)

    parts = [line("grid", 6, middle, width - 6, middle, stroke_width=2, stroke_linecap="round")]
    base = number(baseline)
    if base is not None and 0 <= base <= 1:
        parts.append(line("tick", at(base), 3, at(base), 19, stroke_width=2))
    if low is not None and high is not None:
        ends = at(low), middle, at(high), middle
        parts.append(line("line-train", *ends, stroke_width=8, stroke_linecap="round", stroke_opacity=0.45))
    return svg("interval", width, 22, label, [*parts, dot("dot-train", at(value), middle, 4.5)])
