"""What a search says on its way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dressage.search.asked import Stage
from dressage.search.trial import Result


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A stage begins: what it searches, as `--space` takes it; `stage` None: the best are repeated with other seeds."""

    number: int
    stage: Stage | None
    trials: int
    space: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunningEvent:
    """A trial has begun, or has come to the end of an epoch with this validation cost."""

    number: int
    epoch: int = 0
    cost: float = math.nan


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


SearchEvent = StageEvent | RunningEvent | TrialEvent | ToldEvent
