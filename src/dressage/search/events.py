"""What a search says on its way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dressage.search.asked import Stage
from dressage.search.trial import Result, Trial


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """A search begins, or goes on."""

    samples: Sequence[float]
    """Rows times epochs that each stage, and the repeats in the end, take if no trial stops early."""
    rows: int
    """Training rows, all of them."""
    budget: float
    """Seconds that are left of it; 0: as long as it takes."""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """Of a batch of `total` trials these were carried out before."""

    results: Sequence[Result]
    total: int


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A stage begins: what it searches, as `--space` takes it; `stage` None: the best are repeated with other seeds."""

    number: int
    stage: Stage | None
    trials: int
    space: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunningEvent:
    """A trial has begun, or has come to the end of an epoch with this validation cost and score."""

    trial: Trial
    epoch: int = 0
    cost: float = math.nan
    score: float = math.nan


@dataclass(frozen=True, slots=True)
class TrialEvent:
    """A trial has come to the end of a rung or has ended; `done` of `total` of its batch have."""

    result: Result
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """What was decided, in sentences."""

    lines: Sequence[str]


SearchEvent = PlanEvent | StageEvent | KnownEvent | RunningEvent | TrialEvent | ToldEvent
