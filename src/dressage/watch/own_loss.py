"""A network that gives its loss itself: without targets there is no score, and only the loss tells that its rate is too high."""

from __future__ import annotations

import math

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.struggle import finding_of
from dressage.watch.tournament import LOSS, race

OF_THE_FIRST = 0.1
"""Share of the first loss that a lower rate has to gain besides: near 0 a quarter of a loss is nothing."""


def rate_of_own_loss(case: Case) -> list[Finding]:
    """A lower rate from the first weights comes to a far smaller loss than this one does, and than the training has come to."""
    if not case.tells_by_loss_alone or case.telemetry.nonfinite is not None:
        return []
    found = race(case, min(200, max(60, case.telemetry.step)), only=("optim.lr_too_high",))
    if found is None or not found.tried:
        return []
    change, run = min(found.tried, key=lambda tried: math.inf if tried[1].diverged else tried[1].loss)
    loss, _ = case.now()
    gained = min(found.control.loss, loss) - run.loss
    least = max(LOSS * abs(run.loss + gained), OF_THE_FIRST * abs(found.control.before))
    if run.diverged or not math.isfinite(gained) or gained <= least:
        return []
    why = f"after {case.telemetry.step} steps the loss on rows of the batches is {loss:.3g}"
    return [finding_of(case, change, run, found, why, gained / abs(run.loss + gained))]
