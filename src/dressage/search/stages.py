"""From coarse to fine: ranges that narrow around what was good, or widen where the best lies at an edge; and rungs.

All are functions of the results alone: a search that was interrupted decides the same again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from dressage.search.edits import is_option, is_searched, point_of, split_option
from dressage.search.ranges import Range, Value
from dressage.search.space import Space, limits, takes
from dressage.search.trial import Result, ranked_by_rung

EDGE = 0.1
"""Of a range on its own scale: a best value nearer to its end than that may lie beyond it."""
WIDER = 0.5
"""Of its length, by which a range grows beyond such an edge."""
ALL = 0.8
"""Of a range: a new one that were longer than that is not worth the change."""
GOOD = 0.25
"""Of the trials that count as good, and at least 3 of them."""
FEWEST = 4
"""Trials that count, below which nothing is said of where it is good."""
TRIED = 3
"""Times that a choice has to be tried before it may be left out."""


def narrow(space: Space, results: Sequence[Result]) -> tuple[Space, list[str]]:
    """The space of the next stage, and a line for each setting that says what was decided and why.

    The new range is that of which the good quarter of the trials are even draws: from min − s to max + s where s is their
    span over their number less one (the unbiased ends of a uniform distribution), at least the mean gap between trials.
    Where the best lies within 10 % of an end, that end moves out by half the range instead, as far as the recipe allows.
    Each is meant on the range's own scale: logarithms of a rate.
    """
    tried = [point_of(space, result.trial.edit) for result in results]
    best_first = [point_of(space, result.trial.edit) for result in ranked_by_rung(results)]
    if len(best_first) < FEWEST:
        found = f"{len(best_first)} of {len(results)} trials count"
        return space, [f"{found}, too few to narrow a range: all stay as they were"]
    good = best_first[: max(3, math.ceil(GOOD * len(best_first)))]
    narrowed: dict[str, Range] = {}
    told = []
    for path, range_ in space.items():
        values = [point[path] for point in good if path in point]
        before = [point[path] for point in tried if path in point]
        narrowed[path], said = range_, "searched in too few of the good trials: stays"
        if len(values) >= 2:
            change = _fewer_choices if range_.is_choice else _new_ends
            narrowed[path], said = change(path, range_, values, before, path in good[0])
        told.append(f"{path}: {said}")
    dead = [path for path in space if not _may_be_searched(narrowed, path)]
    told += [f"{path}: no longer searched, since what it depends on is left out" for path in dead]
    return {path: range_ for path, range_ in narrowed.items() if path not in dead}, told


def at_edges(spaces: Sequence[Space], best: Result) -> list[str]:
    """A line for each setting whose best value lies at an end of all that was searched, where the recipe allows more."""
    told = []
    for path, value in point_of(spaces[-1], best.trial.edit).items():
        known = [space[path] for space in spaces if path in space]
        if known[-1].is_choice or not isinstance(value, int | float):
            continue
        whole = known[-1].between(min(r.low for r in known), max(r.high for r in known))
        edge = edge_of(whole, value)
        ends = (-WIDER, 1.0) if edge == "low" else (0.0, 1 + WIDER)
        wider = _within_limits(path, whole, whole.between(*(_value(whole, unit) for unit in ends)))
        if edge and wider != whole:
            at = f"the best, {short(value)}, lies at the {edge} end of all that was searched, {span(whole)}"
            told.append(f"{path}: {at}, so better values may lie beyond it: --space {path}={wider.text}")
    return told


def edge_of(range_: Range, value: Value) -> str:
    """`low` or `high` where a value lies within 10 % of that end of a range of numbers, else empty."""
    if range_.is_choice:
        return ""
    unit = range_.unit(value)
    return "low" if unit < EDGE else "high" if unit > 1 - EDGE else ""


def _may_be_searched(space: Space, path: str) -> bool:
    """Whether any of the choices that are left lets the setting be searched."""
    when = space[path].when
    named = [*([when[0]] if when else []), *([split_option(path)[0]] if is_option(path) else [])]
    above = [p for p in dict.fromkeys(named) if p in space]
    drawn = product(*(space[p].choices for p in above))
    return any(is_searched(space, path, dict(zip(above, values, strict=True))) for values in drawn)


def _fewer_choices(
    path: str, range_: Range, values: Sequence[Value], before: Sequence[Value], best: bool
) -> tuple[Range, str]:
    """Choices that were good, or tried too rarely to tell."""
    kept = tuple(c for c in range_.choices if c in values or before.count(c) < TRIED)
    left_out = [str(c) for c in range_.choices if c not in kept]
    if not left_out:
        return range_, "no choice is clearly worse: all stay"
    return replace(range_, choices=kept), f"{', '.join(left_out)} left out: none of the good trials has it"


def _new_ends(
    path: str, range_: Range, values: Sequence[Value], before: Sequence[Value], best: bool
) -> tuple[Range, str]:
    """The span of the good values with some room, or further out where the best of them lies at an end."""
    units = [range_.unit(value) for value in values]
    room = max((max(units) - min(units)) / (len(units) - 1), 1 / len(before))
    low, high = max(0.0, min(units) - room), min(1.0, max(units) + room)
    edge = edge_of(range_, values[0]) if best else ""
    if not edge:
        ends = range_.between(_value(range_, low), _value(range_, high))
        if high - low > ALL or ends.high <= ends.low or (ends.low, ends.high) == (range_.low, range_.high):
            return range_, f"stays at {span(range_)}: good values lie all over it"
        return ends, f"narrowed from {span(range_)} to {span(ends)}, where the good trials lie"
    low, high = (-WIDER, max(high, EDGE)) if edge == "low" else (min(low, 1 - EDGE), 1 + WIDER)
    wider = _within_limits(path, range_, range_.between(_value(range_, low), _value(range_, high)))
    at = f"the best, {short(values[0])}, lies at the {edge} end of {span(range_)}"
    moved = wider.low < range_.low if edge == "low" else wider.high > range_.high
    if not moved:
        return range_, f"{at}, but it cannot be widened there: {_why_not(path)}"
    return wider, f"WIDENED to {span(wider)}: {at}, so better values may lie beyond it"


def _value(range_: Range, unit: float) -> float:
    """The number at `unit`, also beyond 0 and 1, to three digits of itself, or of the range on a straight scale."""
    if unit in (0.0, 1.0):
        return range_.high if unit else range_.low
    if range_.is_log:
        number = float(f"{math.exp(math.log(range_.low) + unit * math.log(range_.high / range_.low)):.3g}")
    else:
        length = range_.high - range_.low
        number = round(range_.low + unit * length, 2 - math.floor(math.log10(length)))
    return min(max(number, range_.low), range_.high) if 0 < unit < 1 else number


def _within_limits(path: str, before: Range, wider: Range) -> Range:
    """The range cut to what the recipe allows; an excluded limit is approached by half the distance to it."""
    if is_option(path):
        return wider.between(max(wider.low, before.low), min(wider.high, before.high))
    least, most, excluded = limits(path)
    low = wider.low if least is None or before.is_log else max(wider.low, least)
    high = wider.high
    if most is not None and high >= most:
        high = (before.high + most) / 2 if excluded else most
    return wider.between(low if takes(path, low) else before.low, high if takes(path, high) else before.high)


def _why_not(path: str) -> str:
    return (
        "what an option may be is not known here, so widen it by hand"
        if is_option(path)
        else "the recipe allows no more"
    )


def span(range_: Range) -> str:
    """`1e-05 … 0.1`."""
    return f"{short(range_.low)} … {short(range_.high)}"


def short(value: Value) -> str:
    """A value of a setting with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
