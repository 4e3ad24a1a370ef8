"""A tuning that is being carried out: its clock, its steps and its searches, each kept so that none is done twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dressage.ground import Ground
from dressage.search.events import SearchEvent
from dressage.search.found import Search
from dressage.search.procedure import search
from dressage.search.tune.folder import Asked, TuneFolder
from dressage.search.tune.steps import Step


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step of a tuning is done."""

    step: Step
    known: bool = False
    """Whether it was done in an earlier sitting."""


TuneEvent = SearchEvent | StepEvent


@dataclass(slots=True)
class Course:
    """A tuning that is being carried out."""

    asked: Asked
    place: TuneFolder
    ground: Ground
    given: Mapping[str, Any]
    """`data`, `y`, `model` and `jobs` of its searches."""
    tell: Callable[[TuneEvent], None]
    before: float
    """Seconds of earlier sittings."""
    began: float = field(default_factory=time.monotonic)
    taken: int = 0
    """Steps so far."""
    kept: float = 0.0
    """When the clock was written last."""
    since: float = field(default_factory=time.monotonic)
    """When the last step was done."""

    @property
    def seconds(self) -> float:
        """So far, in all sittings."""
        return self.before + time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.asked.budget - self.seconds)

    def step(self, name: str, make: Callable[[], Step]) -> Step:
        """A step: as its file has it, or taken now and kept."""
        self.taken += 1
        name = f"{self.taken:02d}-{name}"
        step = self.place.step(name)
        is_known = step is not None
        if step is None:
            step = make()
            step = replace(step, seconds=time.monotonic() - self.since)  # with the search that came before it
            self.place.keep(name, step)
        self.since = time.monotonic()
        self.keep_clock(at_once=True)
        self.tell(StepEvent(step, is_known))
        return step

    def searched(self, name: str, make: Callable[[], Mapping[str, Any] | None]) -> Search | None:
        """A search below the folder: as it was planned when it was begun, gone on with from where it stands.

        None where `make` planned none.
        """
        plan = self.place.plan(name)
        if plan is None:
            plan = make() or {}
            self.place.keep_plan(name, plan)
        if not plan:
            return None
        return search(**self.given, recipe=self.asked.written, **plan, out=self.place.path / name, on_event=self._hear)

    def keep_clock(self, *, at_once: bool = False) -> None:
        """Writes the time that was spent, now and then."""
        if at_once or self.seconds - self.kept > 1:
            self.kept = self.seconds
            self.place.keep_seconds(self.kept)

    def _hear(self, event: SearchEvent) -> None:
        self.keep_clock()
        self.tell(event)
