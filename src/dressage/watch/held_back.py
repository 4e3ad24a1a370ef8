"""A loss that stands still or is high, where nothing else was found: what may hold the training back is taken away from a copy."""

from __future__ import annotations

import math
from statistics import fmean

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.changes import CHANGES
from dressage.watch.ending import gone_on_with
from dressage.watch.gap import TOO_FAST, begun_too_fast
from dressage.watch.signs import plateau
from dressage.watch.struggle import actual, finding_of
from dressage.watch.tournament import LOSS, POINTS, Race, Run, race

HIGH, LONG = 0.5, 60
"""Share of the first loss that is much, and losses from which that is told."""
STEPS = 200
REGULARISED = "optim.over_regularised"
FREED = 100
"""Steps that a training without its regularisation goes on for: soon enough it learns the rows by heart, as it should not."""
AHEAD, FALLEN = 2 * POINTS, 0.1
"""Points and share of the loss by which a short copy has to be ahead of the whole training, and of itself as it is."""


def held_back(case: Case) -> list[Finding]:
    """What holds a training back whose loss stands still, or is high: regularisation, or steps that are too large."""
    standing = "" if case.telemetry.nonfinite is not None else plateau(case) or _high(case)
    if not standing:
        return []
    return _by_regularisation(case, standing) or _by_steps(case, standing) or begun_too_fast(case, standing)


def _high(case: Case) -> str:
    """Whether much of the first loss is left, in words."""
    losses = case.telemetry.losses
    if len(losses) < LONG:
        return ""
    first, last = losses[0], fmean(losses[-len(losses) // 10 :])
    if not first > 0 or not last > HIGH * first:  # the second loss may be that of a step that was far too large
        return ""
    return f"of the first loss of {first:.4g} there is {last:.4g} left after {case.telemetry.step} steps"


def _by_regularisation(case: Case, standing: str) -> list[Finding]:
    """Told where validation rows are answered better soon after it is taken away, and not by going on with it."""
    change = next(c for c in CHANGES if c.id == REGULARISED)
    freed = gone_on_with(case, change.name, change.edit, FREED)
    if freed is None or freed.diverged or not freed.metric > freed.metric_before + POINTS:
        return []
    as_it_is = gone_on_with(case, "as it is", lambda lab: lab, freed.steps)
    if as_it_is is None or not freed.metric > as_it_is.metric + POINTS:
        return []
    told = (
        f"{standing}; {freed.steps} more steps without regularisation bring the validation metric from {freed.metric_before:.3f} "
        f"to {freed.metric:.3f}, with it to {as_it_is.metric:.3f}"
    )
    return [
        Finding(
            change.id,
            "warning",
            change.where,
            told,
            "weight decay, dropout or a penalty holds the network back from what validation rows too bear out",
            change.remedy,
            dict(change.recipe),
            step=case.telemetry.step,
            code=change.code,
            confidence=0.85,
            numbers={"before": freed.metric_before, "without": freed.metric, "with": as_it_is.metric},
        )
    ]


def _by_steps(case: Case, standing: str) -> list[Finding]:
    """Told where no simple model says how far the loss could fall, and a short copy with smaller steps comes further than all."""
    known, (_, metric) = case.baselines, case.now()
    if known is not None and known.tells and not math.isnan(metric):
        return []
    found = race(case, min(STEPS, case.telemetry.step), only=TOO_FAST)
    if found is None or not found.tried:
        return []
    gain, change, run = max(((_ahead(case, r, found), c, r) for c, r in found.tried), key=lambda tried: tried[0])
    return [finding_of(case, change, run, found, standing, gain)] if gain > 0 else []


def _ahead(case: Case, run: Run, found: Race) -> float:
    """Points, or share of the loss, by which a copy is ahead of the whole training and of the copy as it is; 0 where too few."""
    loss, metric = actual(case)
    if run.diverged or found.control.diverged:
        return 0.0
    reached, best = min(found.control.loss, loss), max(found.control.metric, metric)
    fallen = reached - run.loss
    if not fallen > FALLEN * abs(reached):
        return 0.0
    if math.isnan(best):  # of the way that the loss has come, since its zero may lie anywhere
        return min(1.0, fallen) if fallen > LOSS * abs(found.control.before - reached) else 0.0
    return run.metric - best if run.metric - best > AHEAD else 0.0
