"""The range test: sweeps over other orders of the data, and what they agree on. Smith 2017 (R5)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from dressage.rates.read import Reading, read, smooth
from dressage.rates.sweep import Curve, Training, sweep

Rule = Literal["range", "halve"]
By = Literal["loss", "validation"]
SCOUT = 60  # steps of the first, wide sweep
BELOW, ABOVE = 1e-5, 1e4  # its span, as multiples of the usual rate
SHIFT = 1e-5  # by what the span moves down where even its lowest rates are too high
HALVINGS = 40
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What a range test found. `print(found)` says it, `found.save("lr.svg")` draws it."""

    rate: float | None
    """The suggestion, with two digits; None where no rate lowers the loss."""
    why: str
    """Its reason, in a sentence."""
    rule: Rule
    by: By
    rates: Sequence[float]
    """What each order of the data suggests."""
    readings: Sequence[Reading | None]
    """The marks of each curve; None where the loss does not fall. None are read where a rate was halved."""
    curves: Sequence[Curve]
    steps: int
    """Steps that were taken in all."""

    @property
    def spread(self) -> float:
        """The largest suggestion of an order over the smallest; 1 for one, or none."""
        return max(self.rates) / min(self.rates) if self.rates else 1.0

    def save(self, path: Path | str) -> Path:
        """Writes the curves with their marks as an .svg or .html file. Raises UsageError for another name."""
        from dressage.rates.picture import save

        return save(self, Path(path))

    def to_json(self) -> dict[str, object]:
        """All of it as plain values."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("readings", "curves")}
        curves = [
            {"rate": c.rates.tolist(), "loss": c.losses.tolist(), "change": c.change.tolist()} for c in self.curves
        ]
        return {**told, "spread": self.spread, "marks": [r and asdict(r) for r in self.readings], "curves": curves}

    def __str__(self) -> str:
        return (
            f"no learning rate is suggested: {self.why}"
            if self.rate is None
            else f"learning rate {self.rate:g}: {self.why}"
        )


def find(
    training: Training, usual: float, *, repeats: int, steps: int, span: tuple[float, float] | None, tick: Tick
) -> RangeTest:
    """Sweeps once for each order of the data, over `span` or over the rates at which a first wide sweep sees something happen.

    The suggestion is the median of theirs. The training is left as it was.
    """
    scout = None
    if span is None:
        scout = _scout(training, usual, tick)
        span = _span(scout)
    curves = [sweep(training, list(np.geomspace(*span, steps)), number, tick) for number in range(1, repeats + 1)]
    readings = [read(curve) for curve in curves]
    known = [reading for reading in readings if reading is not None]
    taken = sum(len(curve.rates) for curve in [*curves, *([scout] if scout else [])])
    by: By = "loss" if training.validation is None else "validation"
    if 2 * len(known) <= len(curves):
        return RangeTest(None, _nothing(curves, span), "range", by, [], readings, curves, taken)
    rates = [reading.rate for reading in known]
    rate = rounded(statistics.median(rates))
    return RangeTest(rate, _why(rate, known, len(curves), by), "range", by, rates, readings, curves, taken)


def halve(training: Training, top: float, *, repeats: int, steps: int, tick: Tick) -> RangeTest:
    """Halves the rate from `top` until, at a constant rate, no order of the data ends above where it began."""
    taken, rate = 0, top
    by: By = "loss" if training.validation is None else "validation"
    curves: list[Curve] = []
    for halvings in range(HALVINGS):
        curves = []
        for number in range(1, repeats + 1):
            curves.append(sweep(training, [rate] * steps, number, tick))
            taken += len(curves[-1].rates)
            if not _holds(curves[-1]):
                break
        else:
            why = f"halved {halvings} times from {top:.2g}: the first at which {steps} steps do not diverge"
            return RangeTest(rounded(rate), why, "halve", by, [rate], [], curves, taken)
        rate /= 2
    why = f"no rate from {top:.2g} down to {2 * rate:.2g} lowers the loss in {steps} steps"
    return RangeTest(None, why, "halve", by, [], [], curves, taken)


def rounded(rate: float) -> float:
    """Two digits: more would be noise."""
    return float(f"{rate:.1e}")


def _holds(curve: Curve) -> bool:
    """Whether the last quarter of its losses lies below the first weights', and has not risen by much."""
    if curve.lost or len(curve.change) < 4:
        return False
    quarter = max(1, len(curve.change) // 4)
    means = [float(curve.change[i : i + quarter].mean()) for i in range(0, len(curve.change) - quarter + 1, quarter)]
    return means[-1] < 0 and means[-1] <= 0.7 * min(means)


def _scout(training: Training, usual: float, tick: Tick) -> Curve:
    """One sweep over nine decades around the usual rate, or lower where the loss is lost before it has fallen."""
    curve = sweep(training, list(np.geomspace(usual * BELOW, usual * ABOVE, SCOUT)), 0, tick)
    if curve.lost and read(curve) is None and math.isfinite(curve.first):
        return sweep(training, list(np.geomspace(usual * BELOW * SHIFT, usual * ABOVE * SHIFT, SCOUT)), 0, tick)
    return curve


def _span(scout: Curve) -> tuple[float, float]:
    """From below where the loss begins to fall to above where it rises; all of it where it does not fall."""
    reading = read(scout)
    if reading is None:
        return float(scout.rates[0]), float(max(scout.rates[-1], scout.rates[0] * 10))
    level = smooth(scout)
    begins = float(scout.rates[int(np.argmax(level < 0.05 * level.min()))])
    return begins / 4, reading.rises * 4


def _why(rate: float, known: Sequence[Reading], orders: int, by: By) -> str:
    falls, lowest, rises = (statistics.median(getattr(r, name) for r in known) for name in ("falls", "lowest", "rises"))
    what = "loss" if by == "loss" else "validation loss"
    share = statistics.median(r.share for r in known)
    spread = max(r.rate for r in known) / min(r.rate for r in known)
    told = f"the {what} falls by {share:.0%}, half of it up to {falls:.2g}, is lowest at {lowest:.2g} and rises at {rises:.2g}"
    return f"{told}; {orders} orders of the data agree within a factor of {spread:.1f}"


def _nothing(curves: Sequence[Curve], span: tuple[float, float]) -> str:
    if not all(math.isfinite(curve.first) for curve in curves):
        return "the loss is not finite before the first step: see `dressage check`"
    return f"no rate from {span[0]:.2g} to {span[1]:.2g} lowers the loss by more than its noise"
