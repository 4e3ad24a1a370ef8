"""Rows learned by heart from the beginning on: validations saw no turn, and a simple model does better on rows that are new."""

from __future__ import annotations

import math

import numpy as np
import torch

from dressage.findings import Finding
from dressage.subject import Rows, copy_of, decided, outputs_of
from dressage.subject.baselines import Baselines
from dressage.watch.case import Case

GAP = 0.2
"""Points of the metric that training rows are ahead of validation rows."""
KNOWN = 0.95
"""Metric on training rows from which they are known by heart."""
POINTS = 0.05
"""Points by which a simple model is ahead on validation rows."""
ENOUGH = 50
SURE = 2.0
"""Standard errors of that difference, taken row by row."""


def by_heart(case: Case) -> list[Finding]:
    """An early stop would have saved nothing, for the validation never fell: a smaller or more regularised model would.

    Asked where no other cause was found. The simple model is fitted on the same rows, and judged on the same others.
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
    return [
        Finding(
            "eval.overfit",
            "warning",
            "validation",
            f"training rows are known by heart ({metric.name} {fitted:.3f}), validation rows are answered with {held:.3f}; "
            f"{best.name}, fitted on the same rows, is {ahead:.3f} ± {error:.3f} ahead there, row by row",
            "the network has learned the training rows, and less of what holds for others than a simple model",
            "a smaller network, more regularisation, more rows, or the simple model",
            {"regularize.weight_decay": 0.1},
            step=case.telemetry.step,
            code="optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.1)",
            confidence=0.7,
            numbers={"gap": fitted - held, "baseline": best.validation},
        )
    ]


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
    else:
        own = outputs.reshape(len(outputs), -1).double().numpy()
        if own.shape != targets.shape:
            return math.nan, math.nan
        spare = max(float(np.square(targets - targets.mean(0)).sum(1).mean()), 1e-30)
        gain = (np.square(own - targets).sum(1) - np.square(said - targets).sum(1)) / spare
    return float(gain.mean()), float(gain.std() / math.sqrt(len(gain)))
