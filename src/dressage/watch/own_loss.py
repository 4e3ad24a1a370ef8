"""Without targets there is no score: of a network's own loss, or one that the loop makes, only what it falls to tells."""

from __future__ import annotations

import math

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.changes import Change
from dressage.watch.struggle import finding_of
from dressage.watch.tournament import LOSS, Race, Run, race

OF_THE_FIRST = 0.1
"""Share of the first loss that a lower rate has to gain besides: near 0 a quarter of a loss is nothing."""
SCALED = 0.15
"""Share of the loss that what is seen without a trial has to gain by being mended: the least loss of a likelihood is not 0."""
RATE, INPUTS, LINES = "optim.lr_too_high", "data.unscaled_inputs", "model.missing_nonlinearity"
WEIGHTS = ("model.init_too_large", "model.init_too_small")


def by_own_loss(case: Case) -> list[Finding]:
    """A change from the first weights comes to a far smaller loss than the training as it is does, and than it has come to."""
    if not case.tells_by_loss_alone or case.telemetry.nonfinite is not None:
        return []
    mixed = case.replayed.own_loss is not None  # its rows hold targets, which nobody scales as inputs
    found = race(
        case, min(200, max(60, case.telemetry.step)), only=(RATE,) if mixed else (RATE, INPUTS, LINES, *WEIGHTS)
    )
    if found is None:
        return []
    loss, _ = case.now()
    helped = [(c, r, g) for c, r in found.tried if (g := _gain(c, r, found, loss)) > 0]
    if not helped:
        return []
    change, run, gain = max(helped, key=lambda h: (h[0].prior, h[2]))
    why = f"after {case.telemetry.step} steps the loss on rows of the batches is {loss:.3g}"
    return [finding_of(case, change, run, found, why, gain)]


def _gain(change: Change, run: Run, found: Race, loss: float) -> float:
    """Share of the loss that is gone with a change; 0 where it is too little to be told."""
    gained = min(found.control.loss, loss) - run.loss
    if run.diverged or not math.isfinite(gained):
        return 0.0
    share = gained / max(abs(run.loss + gained), 1e-12)
    is_much = share > SCALED if change.id in (INPUTS, LINES) else share > LOSS
    small = change.id == RATE and gained <= OF_THE_FIRST * abs(found.control.before)
    return share if is_much and not small else 0.0
