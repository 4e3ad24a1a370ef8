"""Which change makes the training learn: short continuations from its first weights, over the same draws, side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from dressage.clock import work_seconds
from dressage.subject import Lab, Outcome, advance
from dressage.watch.case import Case
from dressage.watch.changes import Change, changes

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


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one lab over the seeds: the worst of them."""

    loss: float
    metric: float
    before: float
    diverged: bool
    steps: int


@dataclass(frozen=True, slots=True)
class Race:
    """The training as it is, repeated, and each change that was tried."""

    control: Run
    tried: list[tuple[Change, Run]]

    def of(self, cause: str) -> list[tuple[Change, Run]]:
        """What was tried for one cause."""
        return [(c, r) for c, r in self.tried if c.id == cause]


def race(case: Case, steps: int, *, only: tuple[str, ...] = ()) -> Race | None:
    """Continues the start of the training with each change, within the time that is left; None where it cannot be continued."""
    lab = case.lab(start=True)
    if lab is None or case.time_left() < 0.2:
        return None
    earlier = _earlier(case, steps, only)
    if earlier is not None:
        return earlier
    key = f"race {steps} {only}"

    def run_all() -> Race:
        began = work_seconds()
        tried = [c for c in changes(lab) if not only or c.id in only]
        share = case.time_left() * 0.6 / (len(SEEDS) * (len(tried) + 1))
        wanted = min(LONGEST, max(10, steps))
        control = _run(lab, wanted, began, share)
        # What has fewer steps than the control for lack of time would be judged unfairly: all take as many. One that
        # diverged ended early: the few steps until then are too few to judge by.
        limit = share if control.diverged else math.inf
        return Race(control, _tried(lab, tried, control, wanted if control.diverged else control.steps, limit))

    try:
        found = case.proven(key, run_all)
    except Exception as error:  # the user's model or loss cannot be run outside of its loop
        case.notes.append(f"the training cannot be continued on a copy ({type(error).__name__}: {str(error)[:120]})")
        case.memory[key] = None
        return None
    return found if isinstance(found, Race) else None


def _earlier(case: Case, steps: int, only: tuple[str, ...]) -> Race | None:
    """The same race run before, if it took nearly as many steps: from the first weights it would come out the same."""
    for key, value in case.memory.items():
        if isinstance(value, Race) and key.startswith("race ") and key.endswith(f" {only}"):
            wanted = min(LONGEST, max(10, steps))
            if not value.control.diverged and value.control.steps >= 0.4 * wanted:
                return value
    return None


def _tried(lab: Lab, tried: list[Change], control: Run, steps: int, seconds: float) -> list[tuple[Change, Run]]:
    """A run of each change; a rate still further from the training's own only where the nearer one was no worse."""
    found: list[tuple[Change, Run]] = []
    last: dict[str, float] = {}
    for change in tried:
        before = last.get(change.id, math.inf)
        if before > control.loss and change.id in last and not control.diverged:
            continue
        changed = change.edit(lab)
        if changed is None:
            continue
        run = _run(changed, steps, math.inf, seconds)
        last[change.id] = run.loss if run.loss <= before else math.inf
        found.append((change, run))
    return found


def repeated(lab: Lab, steps: int) -> Run:
    """What comes of one lab over the seeds."""
    return _run(lab, steps, math.inf, math.inf)


def _run(lab: Lab, steps: int, began: float, seconds: float) -> Run:
    deadline = math.inf if math.isinf(seconds) else work_seconds() + seconds
    outcomes: list[Outcome] = []
    for seed in SEEDS:
        outcome = advance(lab, outcomes[0].steps if outcomes else steps, seed=seed, deadline=deadline)
        deadline = math.inf  # the second seed takes as many steps as the first had time for
        outcomes.append(outcome)
    diverged = any(o.diverged for o in outcomes)
    return Run(
        loss=math.inf if diverged else max(o.after for o in outcomes),
        metric=min((o.metric for o in outcomes if not math.isnan(o.metric)), default=math.nan)
        if not diverged
        else -math.inf,
        before=fmean(o.before for o in outcomes),
        diverged=diverged,
        steps=max(o.steps for o in outcomes),
    )
