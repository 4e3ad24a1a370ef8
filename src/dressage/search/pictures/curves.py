"""All training curves on one pane: validation cost over epochs, in the colour of the score. L6: look at them side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dressage.evaluate.words import metric_name
from dressage.report.plots import log_ticks, tick_text, ticks
from dressage.report.svg import line, svg, words
from dressage.search.account import Account
from dressage.search.pictures.axis import Axis
from dressage.search.pictures.ink import LIGHT, WARM, bins, cross, legend, score_dot, score_path, worst_first
from dressage.search.trial import Result

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 420, 74, 214, 16, 44
MOST = 300
"""Curves that are drawn: the best, and evenly many of the rest."""
POINTS = 100
"""Epochs of a curve that are drawn."""
PEAK = 1.5
"""Times the median first cost, above which the pane ends."""


def curves_svg(account: Account) -> str:
    """One line a trial; those that were stopped in a warm colour with a cross at their end. "" where there is no curve."""
    drawn = [r for r in account.results if r.curve and r.state != "failed"]
    if not drawn:
        return ""
    sevenths = bins(account.results)
    drawn = worst_first(drawn, MOST)
    last = max(moment.epoch for r in drawn for moment in r.curve)
    first = min(result.curve[0].epoch for result in drawn)
    x, y = Axis(float(min(first, last - 1)), float(last), False), _costs(drawn)
    parts = []
    for place, text in _marks(y):
        parts += [
            line("grid", LEFT, _down(place), WIDTH - RIGHT, _down(place)),
            words(text, LEFT - 8, _down(place) + 4, "end"),
        ]
    for tick in ticks(x.low, last, 6):
        if tick == round(tick):
            parts.append(words(tick_text(tick), _across(x.at(tick)), HEIGHT - BOTTOM + 18, "middle"))
    parts.append(words("epoch", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle", "axis"))
    parts.append(words("validation loss", 14, (TOP + HEIGHT - BOTTOM) / 2, "middle", "axis", turn=-90))
    winner = account.winner
    for result in drawn:
        parts += _curve(result, sevenths, x, y, result is winner)
    parts += legend(account.results, WIDTH - RIGHT + 22, TOP + 30, metric_name(account.metric))
    if any(r.state == "stopped" for r in drawn):
        parts += [cross(WIDTH - RIGHT + 33, TOP + 82), words("stopped", WIDTH - RIGHT + 52, TOP + 86)]
    at_once = sum(r.state == "stopped" and not r.curve for r in account.results)
    if at_once:
        parts.append(words(f"{at_once} stopped in their first epoch", WIDTH - RIGHT + 22, TOP + 110))
    return svg("curves", WIDTH, HEIGHT, f"Validation loss of {len(drawn)} trials over {last} epochs", parts)


def _curve(result: Result, sevenths: dict[int, int], x: Axis, y: Axis, best: bool) -> list[str]:
    every = max(1, math.ceil(len(result.curve) / POINTS))
    kept = [*result.curve[:-1:every], result.curve[-1]]
    points = [(_across(x.at(m.epoch)), _down(_clipped(y, m.cost))) for m in kept]
    seventh = sevenths.get(result.trial.number)
    if seventh is not None and len(points) == 1:
        return [score_dot(*points[0], seventh, 3.0)] if math.isfinite(points[0][1]) else []
    if seventh is not None:
        return [score_path(points, f"line-score-{seventh}", LIGHT[seventh], 2.4 if best else 1.1)]
    end = next((i for i, m in enumerate(kept) if not y.at(m.cost) < 1.0), len(kept)) + 1  # it leaves the pane there
    known = [p for p in points[:end] if math.isfinite(p[1])]
    return [score_path(points[:end], "lost", WARM, 1.0), *([cross(*known[-1])] if known else [])]


def _costs(drawn: Sequence[Result]) -> Axis:
    """The axis of costs: logarithmic where they are above 0 and differ much; what is far above all first costs is cut."""
    costs = np.array([m.cost for r in drawn for m in r.curve if math.isfinite(m.cost)] or [1.0])
    first = [r.curve[0].cost for r in drawn if math.isfinite(r.curve[0].cost)] or [1.0]
    high = (
        min(float(costs.max()), PEAK * max(float(np.median(first)), 1e-12))
        if np.median(first) > 0
        else float(costs.max())
    )
    low = float(costs.min())
    if high <= low:
        low, high = low - abs(low) * 0.1 - 1e-9, high + abs(high) * 0.1 + 1e-9
    if low > 0 and high / low > 4:
        return Axis(low / 1.1, high * 1.1, True)
    room = 0.04 * (high - low)
    return Axis(low - room, high + room, False)


def _marks(y: Axis) -> list[tuple[float, str]]:
    return [(y.at(tick), tick_text(tick)) for tick in (log_ticks(y.low, y.high) if y.is_log else ticks(y.low, y.high))]


def _clipped(y: Axis, cost: float) -> float:
    return min(y.at(cost), 1.0) if math.isfinite(cost) else math.nan


def _across(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
