"""One axis for a setting over all stages of a search, and its name and ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dressage.report.plots import log_ticks, tick_text, ticks
from dressage.search.edits import Point, point_of
from dressage.search.ranges import Range, Value
from dressage.search.space import Space
from dressage.search.stages import short
from dressage.search.trial import Result

ROOM = 0.04
"""Of its length, left free at both ends."""
FAR = 20.0
"""Times the distance of the best from the median, below which scores are drawn at the lower end."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Places values on [0, 1]: on a logarithmic or a straight scale, or as choices side by side."""

    low: float
    high: float
    is_log: bool
    choices: tuple[Value, ...] = ()

    def at(self, value: Value) -> float:
        """Where a value lies; NaN where it is none of the choices."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices) if value in self.choices else math.nan
        return (self._scaled(float(value)) - self._scaled(self.low)) / (
            self._scaled(self.high) - self._scaled(self.low)
        )

    def ticks(self, about: int = 5) -> list[tuple[float, str]]:
        """Places and texts of its marks."""
        if self.choices:
            return [(self.at(value), str(value)) for value in self.choices]
        marks = log_ticks(self.low, self.high) if self.is_log else ticks(self.low, self.high, about)
        return [(self.at(mark), tick_text(mark)) for mark in marks]

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.is_log else value


def axis_of(ranges: Sequence[Range]) -> Axis:
    """The axis that holds all ranges of a setting, with a little room."""
    first = ranges[0]
    if first.is_choice:
        return Axis(0.0, 1.0, False, tuple(dict.fromkeys(c for range_ in ranges for c in range_.choices)))
    low, high = min(r.low for r in ranges), max(r.high for r in ranges)
    if first.is_log:
        room = (high / low) ** ROOM
        return Axis(low / room, high * room, True)
    return Axis(low - ROOM * (high - low), high + ROOM * (high - low), False)


def score_axis(counted: Sequence[Result]) -> Axis:
    """From the worst score to the best, with a little room; an R² far below the median lies at the lower end."""
    scores = sorted(r.score for r in counted)
    high, middle = scores[-1], scores[len(scores) // 2]
    low = max(scores[0], middle - FAR * (high - middle)) if high > middle else scores[0]
    room = (high - low) * 0.04 or 0.5
    return Axis(low - room, high + room, False)


def labels(paths: Iterable[str]) -> dict[str, str]:
    """Short names: `lr` of `optim.lr`, `optim` of `optim.name`; the whole path where two would be the same."""
    paths = list(paths)
    names = {path: path.removesuffix(".name").rpartition(".")[2] for path in paths}
    return {path: name if list(names.values()).count(name) == 1 else path for path, name in names.items()}


def points_of(space: Space, results: Sequence[Result]) -> Mapping[int, Point]:
    """What was drawn for each trial, by its number."""
    return {result.trial.number: point_of(space, result.trial.edit) for result in results}


def told_of(result: Result, point: Point) -> str:
    """A trial in one line, as it is shown under the pointer."""
    values = ", ".join(f"{path}={short(value)}" for path, value in point.items())
    came = f"score {result.score:.4g}" if result.counts else result.state
    return f"trial {result.trial.number}: {came} after {result.epoch} epochs; {values}"
