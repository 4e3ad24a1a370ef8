"""What all of a search speak of: a trial that is proposed, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

State = Literal["done", "paused", "stopped", "failed"]
GROWN = 3.0
"""Times its first cost, above which a trial is given up (L6)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training that is proposed. `edit`: recipe path -> value; `epochs`: of its schedule, a rung stops it earlier."""

    number: int
    stage: int
    edit: Mapping[str, object]
    seed: int
    epochs: int


class Moment(NamedTuple):
    """A trial after an epoch: cost of the training and the validation part, and the score."""

    epoch: int
    train: float
    cost: float
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial so far.

    done: all its epochs; paused: at the end of a rung; stopped: by `stop_reason`; failed: it could not be trained, `reason`
    says why. `score`: higher is better (accuracy or R² of the validation part); `cost`: its validation loss.
    """

    trial: Trial
    state: State
    epoch: int
    score: float
    cost: float
    curve: tuple[Moment, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    folder: str = ""

    @property
    def reach(self) -> int:
        """Epochs of its schedule that it has come through; all of them where it ended early without harm."""
        return self.trial.epochs if self.state == "done" else self.epoch

    @property
    def counts(self) -> bool:
        """Whether it may be held against others: trained, and its score is a number."""
        return self.state in ("done", "paused") and math.isfinite(self.score)


def stop_reason(cost: float, first: float) -> str:
    """Why a trial stops here: its cost is not finite or above 3 times its first; empty where it goes on. L6."""
    if not math.isfinite(cost):
        return "its cost is not finite"
    if first > 0 and cost > GROWN * first:
        return f"its cost, {cost:.4g}, is more than {GROWN:g} times its first, {first:.4g}"
    return ""


def ranked(results: Iterable[Result]) -> list[Result]:
    """The results that count, best score first; of equal scores the lower cost, then the earlier trial."""

    def place(result: Result) -> tuple[float, float, int]:
        cost = result.cost if math.isfinite(result.cost) else math.inf
        return -result.score, cost, result.trial.number

    return sorted((r for r in results if r.counts), key=place)


def ranked_by_rung(results: Iterable[Result]) -> list[Result]:
    """The same of trials that were halved: those that came further first, since a score after few epochs is another thing."""
    return sorted(ranked(results), key=lambda result: -result.reach)


def best_of(results: Sequence[Result]) -> Result | None:
    """The best of those that came furthest, or None where none counts."""
    return next(iter(ranked_by_rung(results)), None)
