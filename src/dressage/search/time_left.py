"""How long a search will take yet: what it has left to train, at the pace at which it trained so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from dressage.search.events import KnownEvent, PlanEvent, RunningEvent, StageEvent, TrialEvent
from dressage.search.trial import Trial


class TimeLeft:
    """Consumes the events of a search. What trials that were stopped save is seen when their stage is over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._plan: Sequence[float] = ()
        self._all_rows = 0
        self._ends = math.inf
        self._stage = 0
        self._rows = 0
        self._epochs: dict[int, int] = {}
        self._own = 0.0
        self._began = math.nan
        self._is_told = False

    def take(self, event: object) -> None:
        """One event more."""
        if isinstance(event, PlanEvent):
            self._plan, self._all_rows = event.samples, event.rows
            self._ends = self._clock() + event.budget if event.budget else math.inf
        elif isinstance(event, StageEvent):
            self._stage, self._epochs = event.number, {}
            self._began = self._clock() if math.isnan(self._began) else self._began
            if event.stage is not None:  # the repeats have the rows of the last stage
                self._rows = min(event.stage.rows or self._all_rows, self._all_rows)
        elif isinstance(event, KnownEvent):
            self._epochs |= {result.trial.number: result.epoch for result in event.results}
        elif isinstance(event, RunningEvent):
            if not self._is_told:  # what came before was the start of the workers
                self._began, self._is_told = self._clock(), True
            self._reached(event.trial, event.epoch)
        elif isinstance(event, TrialEvent):
            result = event.result
            self._reached(result.trial, result.epoch)
            self._epochs[result.trial.number] = result.reach  # one that ended early has nothing left

    def seconds(self) -> float:
        """Seconds to the end; NaN where nobody can tell yet."""
        if not self._own or not self._plan:
            return math.nan
        here = sum(self._epochs.values()) * self._rows
        left = sum(self._plan[self._stage :]) - min(here, self._plan[self._stage])
        now = self._clock()
        return max(0.0, min(left * (now - self._began) / self._own, self._ends - now))

    def spent(self) -> float:
        """Seconds since the first trial began to train; NaN where none has."""
        return self._clock() - self._began if self._is_told else math.nan

    def _reached(self, trial: Trial, epoch: int) -> None:
        before = self._epochs.get(trial.number, epoch if self._is_told else 0)  # what it begins with was trained before
        self._own += max(0, epoch - before) * self._rows
        self._epochs[trial.number] = max(epoch, before)
