"""Rows learned by heart, of which no validation told: none was made, or none saw a turn, and a simple model does better."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from dressage.findings import Finding
from dressage.subject import Rows, advance, copy_of, decided, outputs_of
from dressage.subject.baselines import Baselines
from dressage.watch.case import RACED_ROWS, Case

GAP = 0.2
"""Points of the metric that training rows are ahead of validation rows."""
KNOWN = 0.95
"""Metric on training rows from which they are known by heart."""
POINTS = 0.05
"""Points by which a simple model is ahead on validation rows."""
TOLD = 5
"""Validations from which their own course is judged."""
LOST, SURER = 0.03, 2.5
"""Points that were lost since, and standard errors of them over rows: several parts are tried."""
DRAWS = 40
PARTS = (0.0625, 0.125, 0.25, 0.5)
"""Of the steps, after which a copy is judged; up to so many steps."""
LONGEST = 800
ENOUGH = 50
SURE = 2.0
"""Standard errors of that difference, taken row by row."""


def by_heart(case: Case) -> list[Finding]:
    """Rows learned by heart, in a training whose validations told nothing of it; asked where no other cause was found."""
    if case.baselines is not None and case.baselines.groups:
        return []  # of rows that hang together the count says nothing of how sure a score is
    if (
        case.baselines is None
        and case.memory.get("means") is False
        and getattr(case.subject.metric, "name", "") == "r2"
    ):
        return []  # nobody's metric, and not what the loss asks for: a margin, a quantile
    return _beyond_its_best(case) or _behind_simple_models(case)


def _beyond_its_best(case: Case) -> list[Finding]:
    """No validations were told, and a copy that is trained for a part of the steps does better on validation rows."""
    rows, metric, lab, steps = case.subject.validation, case.subject.metric, case.lab(start=True), case.telemetry.step
    told = [v for v in case.telemetry.validations if v.loss is not None or v.metric is not None]
    if rows is None or len(rows) < ENOUGH or metric is None or lab is None or len(told) >= TOLD:
        return []
    (_, fitted), held = case.now(), case.validation_metric()
    if not fitted - held >= GAP / 2:
        return []
    rows = rows.head(RACED_ROWS)
    now = outputs_of(copy_of(case.model), rows.x).cpu()
    for part in PARTS:
        if (count := int(steps * part)) > LONGEST or count < 10:
            continue
        outcome = advance(replace(lab, metric=None), count, deadline=case.deadline(4))
        if outcome.model is None or outcome.diverged or outcome.steps < count:
            return []
        then = outputs_of(outcome.model, rows.x).cpu()
        reached = metric.of(then, rows.y)
        drawn = [torch.from_numpy(np.random.default_rng(k).integers(0, len(then), len(then))) for k in range(DRAWS)]
        error = float(np.std([metric.of(then[d], rows.y[d]) - metric.of(now[d], rows.y[d]) for d in drawn]))
        if reached - held > max(LOST, SURER * error):
            evidence = (
                f"training {metric.name} {fitted:.3f}, validation {metric.name} {held:.3f} at step {steps}; a copy, trained "
                f"anew to step {count}, has {reached:.3f} on the same {len(rows)} validation rows"
            )
            return [
                _overfit(
                    case,
                    evidence,
                    "stop at the best validation, regularise more, augment, or get more rows",
                    fitted - held,
                )
            ]
    return []


def _behind_simple_models(case: Case) -> list[Finding]:
    """An early stop would have saved nothing, for the validation never fell: a smaller or more regularised model would.

    The simple model is fitted on the same rows, and judged on the same others.
    """
    rows, metric, known = case.subject.validation, case.subject.metric, case.baselines
    if rows is None or len(rows) < ENOUGH or metric is None or known is None or not known.tells:
        return []
    (_, fitted), held = case.now(), case.validation_metric()
    if not (fitted >= KNOWN and fitted - held >= GAP):
        return []
    best = max(known.scores[1:], key=lambda s: s.score)
    ahead, error = _ahead(case, rows, known, best.name)
    if not ahead > max(POINTS, SURE * error):
        return []
    evidence = (
        f"training rows are known by heart ({metric.name} {fitted:.3f}), validation rows are answered with {held:.3f}; "
        f"{best.name}, fitted on the same rows, is {ahead:.3f} ± {error:.3f} ahead there, row by row"
    )
    remedy = "a smaller network, more regularisation, more rows, or the simple model"
    return [_overfit(case, evidence, remedy, fitted - held)]


def _overfit(case: Case, evidence: str, remedy: str, gap: float) -> Finding:
    return Finding(
        "eval.overfit",
        "warning",
        "validation",
        evidence,
        "the network has learned the training rows by heart, at the cost of what holds for others",
        remedy,
        {"regularize.weight_decay": 0.1},
        step=case.telemetry.step,
        code="keep the weights of the best validation",
        confidence=0.7,
        numbers={"gap": gap},
    )


def _ahead(case: Case, rows: Rows, known: Baselines, name: str) -> tuple[float, float]:
    """Points of accuracy or R² by which a simple model is ahead on the same validation rows, and their standard error."""
    chosen, targets, said = known.validation_rows, known.validation_targets, known.validation_outputs.get(name)
    if said is None or len(chosen) < ENOUGH:
        return math.nan, math.nan
    outputs = outputs_of(copy_of(case.model), rows.x[torch.from_numpy(chosen)]).cpu()
    if case.subject.task in ("classification", "binary"):
        labels = known.classes[np.clip(targets, 0, None)]
        right = decided(outputs, case.subject.task).flatten().numpy() == labels
        gain = (said.argmax(1) == targets).astype(float) - right
    elif case.subject.task == "multilabel":
        own, truth = decided(outputs, "multilabel").reshape(len(outputs), -1).numpy(), targets > 0.5
        if own.shape != truth.shape:
            return math.nan, math.nan
        gain = ((said > 0.5) == truth).mean(1) - (own == truth).mean(1)
    else:
        own = outputs.reshape(len(outputs), -1).double().numpy()
        if own.shape != targets.shape:
            return math.nan, math.nan
        spare = max(float(np.square(targets - targets.mean(0)).sum(1).mean()), 1e-30)
        gain = (np.square(own - targets).sum(1) - np.square(said - targets).sum(1)) / spare
    return float(gain.mean()), float(gain.std() / math.sqrt(len(gain)))
