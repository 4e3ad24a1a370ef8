"""Faults of the beginning that the training has overcome: what slowed it at first is a note where it ends as well as it could."""

from __future__ import annotations

import math
from dataclasses import replace

from dressage.findings import Finding
from dressage.preflight.data_scale import standardised
from dressage.subject import advance, copy_of, outputs_of
from dressage.subject.features import shares_a_scale
from dressage.subject.task import default_metric
from dressage.watch.case import Case

OVERCOME = (
    "data.unscaled_inputs",
    "data.all_positive_inputs",
    "data.target_unscaled",
    "model.init_too_small",
    "model.init_too_large",
    "optim.vanishing_gradients",
    "optim.exploding_gradients",
    "model.saturated_activation",
)
"""Causes that only slow a training, and that a long one may leave behind."""
SHORT = 0.03
"""Of the metric, that the end may lie below what a mended copy or a simple model reaches."""
LESS = 0.75
"""Part of the network's error, 1 − metric, that a copy keeps where its scale was mended and the scale did harm to the end."""
SECONDS = 8.0


def outgrown(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, those that the training has overcome as notes: it ends where simple models and mended copies do."""
    if not any(f.id in OVERCOME and f.is_harmful for f in found) or case.telemetry.nonfinite is not None:
        return found
    known, (_, metric) = case.baselines, case.now()
    if known is None or not known.tells or math.isnan(metric):
        return found
    held = case.validation_metric()
    on_others = math.isnan(held) or math.isnan(known.best.validation) or held >= known.best.validation - SHORT

    def at_the_end(finding: Finding) -> Finding:
        wanted = max(known.best.score, finding.numbers.get("standardised", -math.inf))
        if not (finding.is_harmful and finding.id in OVERCOME and on_others and metric >= wanted - SHORT):
            return finding
        if (ends := costs_still(case, finding.id)) is None:
            return replace(finding, severity="info")
        said = (
            "; in the end the network has {:.3g} on validation rows, a copy trained anew on standardised values {:.3g}"
        )
        return replace(finding, evidence=finding.evidence + said.format(*ends))

    return [at_the_end(f) for f in found]


def costs_still(case: Case, cause: str) -> tuple[float, float] | None:
    """What the network has on validation rows, and a copy trained anew on standardised values for as many steps; None if no better.

    Better, by accuracy or R²: by SHORT at least, and with no more than LESS of the error that the network has there. A copy
    that the time cuts short has seen less, as it has fewer rows: that it is better all the same is no less true.
    """
    held, lab, task = case.subject.validation, case.lab(start=True), case.subject.task
    if held is None or lab is None or task not in ("classification", "binary", "regression"):
        return None
    x, y, rows = lab.x, lab.y, held.x
    metric = default_metric(task)
    as_it_is = metric.of(outputs_of(copy_of(case.model), rows).cpu(), held.y)
    if cause == "data.target_unscaled":
        lab, target = replace(lab, y=standardised(y, shared=False)), standardised(held.y, shared=False, like=y)
    elif cause.startswith("data."):
        shared, target = shares_a_scale(x), held.y
        lab, rows = replace(lab, x=standardised(x, shared=shared)), standardised(rows, shared=shared, like=x)
    else:
        return None
    mended = advance(replace(lab, metric=None), case.telemetry.step, deadline=case.deadline(SECONDS))
    if mended.model is None or mended.diverged:
        return None
    better = metric.of(outputs_of(mended.model, rows).cpu(), target)
    return (as_it_is, better) if better >= as_it_is + SHORT and 1 - better <= LESS * (1 - as_it_is) else None
