"""Wrong labels that simple models cannot tell from hard rows, but the network itself can, at the step of its best validation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.wrong_labels import noise_share, surest_told
from dressage.subject import Task, advance, outputs_of
from dressage.subject.baselines import row_targets
from dressage.watch.case import RACED_ROWS, Case

ENOUGH = 150
"""Validation rows from which the errors among the surest are told from those among the rest."""
GAP = 0.1
"""Points of the metric that training rows are ahead at the end: wrong labels that are not learned by heart do no harm."""
EARLY = 0.85
"""Share of the training after which the best validation came: from then on labels are learned by heart, not rows."""
LEAST = 0.1
"""Share of wrong labels that is told: fewer rows than there are cannot show less."""
LONGEST = 1500


def mislabelled(case: Case) -> list[Finding]:
    """A copy trained anew to the step of the best validation is contradicted as often where it is sure as elsewhere.

    Networks learn what rows have in common before they learn single labels (Arpit et al. 2017, arXiv:1706.05394): at
    that step its error on rows not seen is the share of wrong labels, however sure it is (`noise_share`).
    """
    rows, task, lab, best = case.subject.validation, case.subject.task, case.lab(start=True), _best_step(case)
    if rows is None or lab is None or best is None or task not in ("classification", "binary") or len(rows) < ENOUGH:
        return []
    gap = case.now()[1] - case.validation_metric()
    if not gap >= GAP or (
        case.baselines is not None and case.baselines.groups
    ):  # a group answered wrongly is one error
        return []
    rows = rows.head(RACED_ROWS)
    labels = row_targets(rows, task)
    outcome = advance(replace(lab, metric=None), best, deadline=case.deadline(6))
    if labels is None or outcome.model is None or outcome.diverged or outcome.steps < best:
        return []
    said = probabilities(outputs_of(outcome.model, rows.x).cpu(), task)
    if said is None or labels.min() < 0 or labels.max() >= said.shape[1]:
        return []
    share = noise_share(said, labels.astype(np.int64))
    if share < LEAST:
        return []
    error = float((said.argmax(1) != labels).mean())
    return [
        Finding(
            "data.label_noise",
            "warning",
            "targets",
            f"labels against a copy, trained anew to step {best}, where the validation was best, on validation rows: "
            f"{surest_told(said, labels.astype(np.int64))}; {error:.0%} of all {len(rows)} do; from there on the network "
            f"learned labels by heart (training metric {gap:.2f} ahead)",
            f"about {share:.0%} of the labels are wrong, and no model can score above what they allow",
            "look at rows that the best network is sure of and the label contradicts; until then smooth the labels, stop early",
            {"loss.label_smoothing": 0.1},
            step=case.telemetry.step,
            confidence=0.8,
            code="loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)",
            numbers={"share": share, "error": error, "gap": gap},
        )
    ]


def probabilities(outputs: Tensor, task: Task) -> NDArray[np.float64] | None:
    """`(N, C)` of outputs `(N, C)` or, of two classes, one a row; None for another shape. Only their order over rows is used."""
    outputs = outputs.double()
    if outputs.ndim == 2 and (outputs.shape[1] == 2 or (task == "classification" and outputs.shape[1] > 2)):
        return np.asarray(outputs.softmax(1).numpy())
    if outputs.numel() != len(outputs):
        return None
    one = outputs.flatten().sigmoid().numpy()
    return np.stack([1 - one, one], 1)


def _best_step(case: Case) -> int | None:
    """Step of the least validation loss, or of the best metric; None where it came at the end, or is too far to be trained to."""
    told = [v for v in case.telemetry.validations if v.loss is not None and math.isfinite(v.loss)]
    scored = [v for v in case.telemetry.validations if v.metric is not None and math.isfinite(v.metric)]
    if len(told) >= 4:
        step = min(told, key=lambda v: v.loss or 0.0).step
    elif len(scored) >= 4 and case.higher_is_better is not False:
        step = max(scored, key=lambda v: v.metric or 0.0).step
    else:
        return None
    return step if step <= min(LONGEST, EARLY * case.telemetry.step) else None
