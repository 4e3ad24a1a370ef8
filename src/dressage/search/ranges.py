"""What one setting is searched over: numbers on a straight or a logarithmic scale, whole numbers, or a choice.

Each range maps `[0, 1)` to its values, so that a sampler knows nothing but the unit cube. Bergstra & Bengio 2012; L7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dressage.errors import RecipeError

Value = bool | int | float | str
When = tuple[str, Value]
"""A path of the space and the value that has to be drawn there."""
SCALES = ("log", "uniform", "integer", "choice")
LARGEST = 2**53
"""Whole numbers up to here are exact in a float."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values of one setting. Made by `log`, `uniform`, `integer` and `choice`, which check them."""

    scale: str
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    choices: tuple[Value, ...] = ()
    when: When | None = None
    """None: always searched; else only where that value was drawn."""

    @property
    def is_choice(self) -> bool:
        """Whether its values have no order."""
        return self.scale == "choice"

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.scale == "integer"

    def at(self, unit: float) -> Value:
        """The value at `unit` in [0, 1): low·(high/low)ᵘ or low + u(high − low); every whole number or choice its equal share."""
        if self.is_choice:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        low, high = self._ends
        value = low + unit * (high - low)
        value = math.exp(value) if self.is_log else value
        if self.is_whole:
            return int(min(max(math.floor(value + 0.5), self.low), self.high))
        return min(max(value, self.low), self.high)

    def unit(self, value: Value) -> float:
        """Where a value lies: the inverse of `at`; of a choice and a whole number the middle of its share. Clipped to [0, 1]."""
        if self.is_choice:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        low, high = self._ends
        number = math.log(max(float(value), 1e-300)) if self.is_log else float(value)
        return min(max((number - low) / (high - low), 0.0), 1.0)

    def values(self, count: int) -> list[Value]:
        """So many values for a grid, each in the middle of an equal share of the range; all of a choice."""
        if self.is_choice:
            return list(self.choices)
        return list(dict.fromkeys(self.at((i + 0.5) / count) for i in range(count)))

    def between(self, low: float, high: float) -> Range:
        """The same from `low` to `high`."""
        ends = (float(math.floor(low)), float(math.ceil(high))) if self.is_whole else (low, high)
        return replace(self, low=ends[0], high=ends[1])

    @property
    def text(self) -> str:
        """As `--space` takes it, exactly: `log:1e-05:0.1`."""
        if self.is_choice:
            words = [_text(value) for value in self.choices]
        else:
            words = [_text(self.low), _text(self.high), *(["log"] if self.is_whole and self.is_log else [])]
        condition = f" if {self.when[0]}={_text(self.when[1])}" if self.when else ""
        return ":".join([self.scale, *words]) + condition

    @property
    def _ends(self) -> tuple[float, float]:
        """Its ends on the scale on which it is drawn; of whole numbers half a one beyond, so that each has its share."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.is_whole else (self.low, self.high)
        return (math.log(low), math.log(high)) if self.is_log else (low, high)


def log(low: float, high: float, *, when: When | None = None) -> Range:
    """Numbers of which every decade is equally probable. Raises RecipeError unless 0 < low < high."""
    return Range("log", *_checked("log", low, high), is_log=True, when=when)


def uniform(low: float, high: float, *, when: When | None = None) -> Range:
    """Numbers that are all equally probable. Raises RecipeError unless low < high."""
    return Range("uniform", *_checked("uniform", low, high), when=when)


def integer(low: float, high: float, *, log: bool = False, when: When | None = None) -> Range:
    """Whole numbers from low to high, both included; with `log` every doubling is equally probable. Raises RecipeError."""
    ends = _checked("integer", low, high, above_zero=log)
    if any(end != math.floor(end) or abs(end) > LARGEST for end in ends):
        raise _error("integer", low, high, "expected whole numbers", "e.g. integer:16:256")
    return Range("integer", *ends, is_log=log, when=when)


def choice(*values: Value, when: When | None = None) -> Range:
    """One of the values, each equally probable. Raises RecipeError without two different ones."""
    if len(set(values)) < max(2, len(values)):
        listed = ", ".join(map(str, values)) or "nothing"
        expected = "expected at least two values, all different"
        raise RecipeError.of("choice", f"{listed} given", expected, "e.g. choice:relu:tanh")
    return Range("choice", choices=values, when=when)


def _checked(scale: str, low: float, high: float, above_zero: bool | None = None) -> tuple[float, float]:
    example = {"log": "log:1e-5:1e-1", "uniform": "uniform:0:0.5", "integer": "integer:16:256"}[scale]
    try:
        ends = float(low), float(high)
    except (TypeError, ValueError):
        raise _error(scale, low, high, "expected two numbers", f"e.g. {example}") from None
    if not all(math.isfinite(end) for end in ends):
        raise _error(scale, low, high, "expected two finite numbers", f"e.g. {example}")
    if ends[0] >= ends[1]:
        found = "the range is empty" if ends[0] == ends[1] else "the range is inverted"
        repair = "give one value in the recipe in place of a range" if ends[0] == ends[1] else "turn the two ends round"
        raise _error(scale, low, high, f"{found}: expected the low end before the high one", repair)
    if (scale == "log" if above_zero is None else above_zero) and ends[0] <= 0:
        raise _error(scale, low, high, "a logarithmic scale has numbers above 0 only", f"e.g. {example}")
    return ends


def _error(scale: str, low: object, high: object, expected: str, repair: str) -> RecipeError:
    error = RecipeError.of(scale, f"from {_text(low)} to {_text(high)} given", expected, repair)
    assert isinstance(error, RecipeError)
    return error


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
