"""The range test: sweeps over other orders of the data, and what they agree on. Smith 2017 (R5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from dressage.objective import keys_asked
from dressage.presets import finds_length
from dressage.rates.climb import ORDERS, Tried, chosen, climb
from dressage.rates.climb import STEPS as CLIMB
from dressage.rates.read import Reading, pooled, read, smooth
from dressage.rates.sweep import Curve, Training, sweep
from dressage.recipe import Recipe

Rule = Literal["range", "halve"]
By = Literal["loss", "validation"]
REPEATS, STEPS = 3, 120  # orders of the data, and steps of each, where nothing is asked
SCOUT = 84  # steps of the first, wide sweep
BELOW, ABOVE = 1e-4, 1e3  # its span, as multiples of the usual rate
SHIFT = 1e-5  # by what the span moves down where even its lowest rates are too high
UNSEEN = 1000.0  # the span below the rate at which the loss was lost, where a fall before it was too short to be seen
HALVINGS = 40
SURE_SCOUT = 2.0  # standard errors of the fall that say where to look
SURE_ALONE = 3.0  # standard errors of the fall in one order alone
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
    reading: Reading | None
    """The marks of the mean curve, which the suggestion follows from; None without one, and where a rate was halved."""
    readings: Sequence[Reading | None]
    """The marks of each curve; None where the loss does not clearly fall."""
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
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("reading", "readings", "curves")}
        curves = [
            {"rate": c.rates.tolist(), "loss": c.losses.tolist(), "change": c.change.tolist()} for c in self.curves
        ]
        return {
            **told,
            "spread": self.spread,
            "marks": self.reading and asdict(self.reading),
            "orders": [r and asdict(r) for r in self.readings],
            "curves": curves,
        }

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

    What is read from the mean of their curves is tried out in trainings in miniature, which may bear more. The training is
    left as it was.
    """
    scout = None
    if span is None:
        scout = _scout(training, usual, tick)
        span = _span(scout)
    curves = [sweep(training, list(np.geomspace(*span, steps)), number, tick) for number in range(1, repeats + 1)]
    taken = sum(len(curve.rates) for curve in [*curves, *([scout] if scout else [])])
    by: By = "loss" if training.validation is None else "validation"
    readings = [read(curve, SURE_ALONE) for curve in curves]
    whole = read(pooled(curves))
    if whole is None:
        return RangeTest(None, _nothing(curves, span), "range", by, [], None, readings, curves, taken)
    rates = [rounded(reading.rate) for reading in readings if reading is not None]
    tried = climb(training, whole.rate, ORDERS if repeats > 1 else 1, tick)
    taken += sum(t.steps for t in tried)
    rate = chosen(tried)
    why = f"{_why(whole, rates, len(curves), by)}; {_climbed(tried, rate)}"
    if rate is None:
        return RangeTest(None, why, "range", by, rates, whole, readings, curves, taken)
    return RangeTest(rounded(rate), why, "range", by, rates, whole, readings, curves, taken)


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
            return RangeTest(rounded(rate), why, "halve", by, [rate], None, [], curves, taken)
        rate /= 2
    why = f"no rate from {top:.2g} down to {2 * rate:.2g} lowers the loss in {steps} steps"
    return RangeTest(None, why, "halve", by, [], None, [], curves, taken)


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
    """One sweep over seven decades around the usual rate; over lower ones where the loss is lost early, before it has fallen."""
    curve = sweep(training, list(np.geomspace(usual * BELOW, usual * ABOVE, SCOUT)), 0, tick)
    if curve.lost and len(curve.rates) < SCOUT // 3 and math.isfinite(curve.first):
        return sweep(training, list(np.geomspace(usual * BELOW * SHIFT, usual * ABOVE * SHIFT, SCOUT)), 0, tick)
    return curve


def _span(scout: Curve) -> tuple[float, float]:
    """From below where the loss begins to fall to where it was lost: a first sweep is too coarse to say where it rises."""
    reading, high = read(scout, SURE_SCOUT), float(max(scout.rates[-1], 10 * scout.rates[0]))
    if reading is None:
        return (max(float(scout.rates[0]), high / UNSEEN) if scout.lost else float(scout.rates[0])), high
    level = smooth(scout)
    begins = float(scout.rates[int(np.argmax(level < 0.05 * level.min()))])
    return begins / 4, max(high, 4 * reading.rises)


def _why(whole: Reading, rates: Sequence[float], orders: int, by: By) -> str:
    what = "loss" if by == "loss" else "validation loss"
    told = f"the {what} falls by {whole.share:.0%}, half of it up to {whole.falls:.2g}, is lowest at {whole.lowest:.2g}"
    told += f" and rises at {whole.rises:.2g}"
    if len(rates) < 2:
        return told
    return f"{told}; {len(rates)} of {orders} orders of the data say {min(rates):g} to {max(rates):g}"


def _climbed(tried: Sequence[Tried], rate: float | None) -> str:
    """What the trainings in miniature showed."""
    ends = (f"{'diverges' if math.isinf(t.end) else format(t.end, '+.2g')} at {t.rate:.2g}" for t in tried)
    said = f"in {CLIMB} steps with the recipe's schedule the loss changes by {', '.join(ends)}"
    return said if rate is not None else f"{said}; none holds"


def _nothing(curves: Sequence[Curve], span: tuple[float, float]) -> str:
    if not all(math.isfinite(curve.first) for curve in curves):
        return "the loss is not finite before the first step: see `dressage check`"
    return f"no rate from {span[0]:.2g} to {span[1]:.2g} lowers the loss by more than its noise"


def untestable(recipe: Recipe) -> tuple[str, str, str] | None:
    """The setting with which a range test finds no rate, its value, and why; None where one does."""
    if finds_length(recipe):
        return "optim.name", recipe.optim.name, "it finds the length of its steps itself"
    if keys_asked(recipe.loss.name):
        return "loss.name", recipe.loss.name, "its keys follow the network, and losses at other rates are of other keys"
    return None
