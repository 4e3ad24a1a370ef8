"""Which change makes the training learn: short continuations from its first weights, over the same draws, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeVar

from dressage.clock import work_seconds
from dressage.subject import Lab, Outcome, advance
from dressage.watch.case import Case
from dressage.watch.changes import Change
from dressage.watch.suspects import is_refuted, suspects

T = TypeVar("T")
SEEDS = (0, 1)
LONGEST = 200
POINTS = 0.05
"""Of the metric, by which a change has to beat the training as it is: above what two draws differ by."""
LOSS = 0.25
"""Share of the loss that has to be gone besides: a metric alone may move by chance."""

MANY_POINTS = 0.2
"""So many points need little of the loss."""
SURE_GONE = 0.97
"""Share of the loss, of which a metric that has left its range need not tell."""
SURE_POINTS, SURE_LOSS = 0.01, 0.6
"""Fewer points are enough where most of the loss is gone, and the training itself is far behind."""
LITTLE = 0.05
"""Share of the loss that is gone wherever a change helps."""
SHARE = 0.8
"""Of the time that is left, that one race may take."""
PROVES = 0.6
"""Share of the steps that are wanted, below which a race on the way is put off."""
RUNS = 5
"""Into which that time is shared out: of the training as it is, of a change that helps, both twice, and of one that does not.
Fewer steps for more changes would prove nothing; the time that is left over is for the others, the best supported first."""
AS_IT_IS = "as it is"
ENOUGH = 0.4
"""Share of the steps that are wanted, with which an earlier race is not run again."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one lab over the seeds: the worst of them."""

    loss: float
    metric: float
    before: float
    diverged: bool
    steps: int
    seconds: float = 0.0
    """That a seed of it took."""


@dataclass(frozen=True, slots=True)
class Race:
    """The training as it is, repeated, and each change that was tried."""

    control: Run
    tried: list[tuple[Change, Run]]
    untried: tuple[str, ...] = ()
    """Suspects that there was no time for."""

    def of(self, cause: str) -> list[tuple[Change, Run]]:
        """What was tried for one cause."""
        return [(c, r) for c, r in self.tried if c.id == cause]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every change is compared with. Races on one ground share their runs."""

    lab: Lab
    control: Run
    wanted: int
    limit: float
    """Seconds that a seed of a change may take."""

    @property
    def steps(self) -> int:
        """That each change takes: fewer than the control's would be judged unfairly; one that diverged ended early."""
        return self.wanted if self.control.diverged else self.control.steps


def race(case: Case, steps: int, *, only: tuple[str, ...] = ()) -> Race | None:
    """Continues the start of the training with each change; None where it cannot be continued, or there is nothing to try.

    Without `only`, with those changes that the telemetry does not refute, the best supported first.
    """
    key = f"race {only}"
    found = _attempted(case, key, lambda lab: _race(case, lab, min(LONGEST, max(10, steps)), only))
    if found is not None:
        case.memory[key] = found
    return found


def as_it_is(case: Case, steps: int) -> Run | None:
    """The training repeated from its first weights; None where it cannot be continued."""
    wanted = min(LONGEST, max(10, steps))
    ground = _attempted(case, AS_IT_IS, lambda lab: _ground(case, lab, wanted, SHARE * case.time_left() / len(SEEDS)))
    return None if ground is None else ground.control


def _attempted(case: Case, key: str, attempt: Callable[[Lab], T | None]) -> T | None:
    """What an attempt on the first weights gives; one that raises is not made again."""
    lab = case.lab(start=True)
    if lab is None or case.time_left() < 0.2 or case.memory.get(key, lab) is None:
        return None
    try:
        return attempt(lab)
    except Exception as error:  # the user's model or loss cannot be run outside of its loop
        case.notes.append(f"the training cannot be continued on a copy ({type(error).__name__}: {str(error)[:120]})")
        case.memory[key] = None
        return None


def _race(case: Case, lab: Lab, wanted: int, only: tuple[str, ...]) -> Race | None:
    """A rate still further from the training's own is tried only where the nearer one was no worse."""
    entered, seconds = suspects(case, lab, only), SHARE * case.time_left()
    if only and not entered:
        return None
    end, share = work_seconds() + seconds, seconds / RUNS
    if AS_IT_IS not in case.memory and _can_wait(case, wanted, share):
        return None
    ground = _ground(case, lab, wanted, share)
    control, tried, untried = ground.control, list[tuple[Change, Run]](), list[str]()
    last: dict[str, float] = {}
    for change in entered:
        before = last.get(change.id, math.inf)
        if before > control.loss and change.id in last and not control.diverged:
            continue
        if not only and is_refuted(change, control.before, control.loss):
            continue
        key = f"{change.name} {ground.steps}"
        if key not in case.memory and work_seconds() + control.seconds > end:
            untried.append(change.id)
            continue
        run = _tried(case, key, ground, change)
        if run is not None:
            last[change.id] = run.loss if run.loss <= before else math.inf
            tried.append((change, run))
    return Race(control, tried, tuple(dict.fromkeys(untried)))


def _tried(case: Case, key: str, ground: _Ground, change: Change) -> Run | None:
    """A run of one change, found once; None where it does not apply, or cannot be run as the training itself can."""
    try:
        run = case.proven(key, lambda: _changed(ground, change))
    except Exception:
        run = case.memory[key] = None
    return run if isinstance(run, Run) else None


def _can_wait(case: Case, wanted: int, seconds: float) -> bool:
    """Whether a race on the way would be over after too few steps to prove much, where the end has a reserve of its own."""
    return case.reserve > 0 and case.telemetry.nonfinite is None and seconds < PROVES * wanted * case.step_seconds


def _ground(case: Case, lab: Lab, wanted: int, seconds: float) -> _Ground:
    """The training as it is, repeated: what was run before, if it took nearly as many steps, or more would take too long."""
    known = case.memory.get(AS_IT_IS)
    if isinstance(known, _Ground):
        took = known.wanted if known.control.diverged else known.control.steps
        possible = seconds * known.control.steps / max(known.control.seconds, 1e-9)
        if took >= ENOUGH * wanted or took >= 0.67 * possible:
            return known
    began = work_seconds()
    control = _run(lab, wanted, seconds)
    case.spent += work_seconds() - began
    case.memory[AS_IT_IS] = found = _Ground(lab, control, wanted, seconds if control.diverged else math.inf)
    return found


def _changed(ground: _Ground, change: Change) -> Run | None:
    """A run of one change; of one seed where the first shows that it does not help."""
    changed, control = change.edit(ground.lab), ground.control
    if changed is None:
        return None

    def helps(outcome: Outcome) -> bool:
        gone, size = control.loss - outcome.after, abs(control.loss)
        ahead = gone > LITTLE * size and outcome.metric - control.metric > MANY_POINTS
        return not outcome.diverged and (control.diverged or gone > LOSS * size or ahead)

    return _run(changed, ground.steps, ground.limit, helps)


def repeated(lab: Lab, steps: int) -> Run:
    """What comes of one lab over the seeds."""
    return _run(lab, steps, math.inf)


def _run(lab: Lab, steps: int, seconds: float, goes_on: Callable[[Outcome], bool] = lambda outcome: True) -> Run:
    began = work_seconds()
    outcomes = [replace(advance(lab, steps, seed=SEEDS[0], deadline=began + seconds), model=None)]  # one copy at a time
    took = work_seconds() - began
    if goes_on(outcomes[0]):  # the second seed takes as many steps as the first had time for
        outcomes += [advance(lab, outcomes[0].steps, seed=seed) for seed in SEEDS[1:]]
    diverged = any(o.diverged for o in outcomes)
    return Run(
        loss=math.inf if diverged else max(o.after for o in outcomes),
        metric=min((o.metric for o in outcomes if not math.isnan(o.metric)), default=math.nan)
        if not diverged
        else -math.inf,
        before=fmean(o.before for o in outcomes),
        diverged=diverged,
        steps=max(o.steps for o in outcomes),
        seconds=took,
    )
