"""A network that fits its training rows and does badly on others, because of how it began or of what it is given."""

from __future__ import annotations

import math
from dataclasses import replace

from dressage.findings import Finding
from dressage.subject import Lab, advance, metric_of, outputs_of
from dressage.watch.aligned import way
from dressage.watch.case import RACED_ROWS, Case
from dressage.watch.changes import EMBEDDINGS
from dressage.watch.suspects import suspects

POINTS = 0.05
"""Of the metric on validation rows, by which the network has to be behind simple models, and a change has to win."""
SURE = 2.5
"""Standard errors of the difference of two shares, that it has to be beyond: of several changes one is the best by chance."""
FAR = 0.2
"""The same of embeddings, whose usual size is seldom the best: that is no fault yet."""
ENOUGH = 50
"""Validation rows from which a score says something."""
BATCH, SECONDS = 256, 4.0
MOMENTUM = "optim.momentum_too_high"
TOO_FAST = ("optim.lr_too_high", MOMENTUM)
BEGINNINGS = ("data.unscaled_inputs", "model.init_too_large", "optim.bn_small_batch")


def begun_badly(case: Case, *, too_fast: bool = True) -> list[Finding]:
    """What of the beginning makes the network generalise badly: mended, a copy does better on validation rows in as many steps.

    With `too_fast` steps that are too large are asked about too.
    """
    rows, metric, known, lab = case.subject.validation, case.subject.metric, case.baselines, case.lab(start=True)
    if rows is None or len(rows) < ENOUGH or metric is None or known is None or not known.tells or lab is None:
        return []
    held, best = case.validation_metric(), known.best
    if not held < best.validation - max(POINTS, 2 * best.validation_error):
        return []
    own = case.now()[1]
    knows = (
        own - held >= POINTS and own >= best.validation
    )  # its rows by heart: then whatever makes it learn less helps
    wanted = BEGINNINGS if knows or not too_fast else (*BEGINNINGS, *TOO_FAST)
    return _begun_better(
        case, lab, wanted, f"validation {metric.name} {held:.3f}, where {best.name} reaches {best.validation:.3f}"
    )


def begun_too_fast(case: Case, standing: str) -> list[Finding]:
    """Steps that are too large: a copy from the first weights with smaller ones does better on validation rows than the training.

    `standing`: what is seen of a loss that stands still or is high; no simple model has to say how far it could fall.
    """
    rows, lab = case.subject.validation, case.lab(start=True)
    if rows is None or len(rows) < ENOUGH or lab is None or not case.has_judge:
        return []
    return _begun_better(case, lab, TOO_FAST, standing)


def _begun_better(case: Case, lab: Lab, wanted: tuple[str, ...], why: str) -> list[Finding]:
    """The first change that does better on validation rows than the training did, and than a copy as it is."""
    tried, held, metric = suspects(case, lab, wanted), case.validation_metric(), case.subject.metric
    rows = case.subject.validation
    if not tried or metric is None or rows is None:
        return []
    seconds = min(SECONDS, case.time_left() / 2)  # each the same: of fewer steps less is to be expected
    plain, chance = _on_validation(case, lab, lab, seconds), SURE * math.sqrt(0.5 / min(len(rows), RACED_ROWS))
    for change in sorted(tried, key=lambda c: c.id != MOMENTUM):  # what good trainings hardly ever have comes first
        changed = change.edit(lab)
        if changed is None or case.time_left() < 0.75 * seconds:
            continue
        reached = _on_validation(case, changed, lab, seconds)
        if reached > max(held, plain) + max(FAR if change.name == EMBEDDINGS else POINTS, chance):
            evidence = (
                f"{why}; from the first weights, {_steps(case)} steps with {change.name} reach a validation {metric.name} of "
                f"{reached:.3f}, as it is {plain:.3f}; the training has {held:.3f}"
            )
            return [
                Finding(
                    change.id,
                    "warning",
                    change.where,
                    evidence,
                    change.cause,
                    change.remedy,
                    change.recipe,
                    step=case.telemetry.step,
                    code=change.code,
                    confidence=0.8,
                    numbers={"mended": reached, "as_it_is": held},
                )
            ]
    return []


def _on_validation(case: Case, lab: Lab, original: Lab, seconds: float) -> float:
    """Validation metric of a copy that is trained for so many steps; −inf where it diverges."""
    rows, metric = case.subject.validation, case.subject.metric
    assert rows is not None and metric is not None
    rows = rows.head(RACED_ROWS)
    if lab.x is not original.x:
        prepared = way(original.x, lab.x[:BATCH])
        rows = rows if prepared is None else replace(rows, x=prepared(rows.x))
    outcome = advance(lab, _steps(case), deadline=case.deadline(seconds))
    if outcome.model is None or outcome.diverged:
        return -math.inf
    return metric_of(metric, outputs_of(outcome.model, rows.x).cpu(), rows.y)


def _steps(case: Case) -> int:
    """As many as the loop took, where that is not many."""
    return min(400, max(100, case.telemetry.step))
