"""What the validation of a loop is given, against what the network was trained on; and which classes it does not know."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.data_labels import imbalance_finding, minority_recall
from dressage.preflight.wrong_labels import contradicted, noise_share
from dressage.subject import Task, advance, copy_of, decided, labels_of, metric_of, outputs_of
from dressage.subject.baselines import Baselines
from dressage.watch.aligned import align, fits
from dressage.watch.case import RACED_ROWS, Case

POINTS = 0.05
"""Of the metric, that another preparation of the validation inputs has to cost."""

EVENLY = 0.1
"""Of the mean recall of the classes, that sampling them evenly has to bring."""
LEARNED = 0.25
"""Share of wrong labels that a network has learned by heart where they harm it; one that has not has learned under a tenth."""
SOME, GAP, RISE = 0.12, 0.1, 0.02
"""Share of wrong labels that is learned by heart where training rows are answered so much better, and the validation loss has risen
by that part since its best."""
ALIKE = 0.1
"""Of a score, within which training and validation labels are as right as one another."""
BEHIND = 0.015
"""Points behind simple models, which wrong labels hardly move."""


def prepared_otherwise(case: Case) -> list[Finding]:
    """The loop brings validation inputs into another form than training inputs, and it costs score."""
    rows, given, seen, metric = (
        case.subject.validation,
        case.given_validation,
        case.validation_input,
        case.subject.metric,
    )
    if rows is None or given is None or seen is None or metric is None or not seen.is_floating_point():
        return []
    if seen.shape[1:] != rows.x.shape[1:] or fits(rows.x, seen):
        return []
    as_seen = align(given, seen)
    if as_seen is None:
        return []
    chosen = slice(0, RACED_ROWS)
    scores = [
        metric_of(metric, outputs_of(copy_of(case.model), x[chosen]).cpu(), rows.y[chosen]) for x in (rows.x, as_seen.x)
    ]
    if not scores[0] > scores[1] + POINTS:
        return []
    return [
        Finding(
            "eval.preprocess_mismatch",
            "warning",
            "validation",
            f"validation inputs reach the network with mean {float(seen.mean()):.3g} and deviation {float(seen.std()):.3g}, "
            f"like training inputs they would have {float(rows.x.mean()):.3g} and {float(rows.x.std()):.3g}; "
            f"{metric.name} {scores[1]:.3f} instead of {scores[0]:.3f}",
            "validation inputs are not prepared as training inputs are",
            "apply the same transformation, fitted on the training rows, to both",
            step=case.telemetry.step,
            code="x_val = (x_val - x_train.mean(0)) / x_train.std(0)",
            confidence=0.95,
            numbers={"right": scores[0], "as_it_is": scores[1]},
        )
    ]


def unlearned_class(case: Case) -> list[Finding]:
    """Classes of very unequal shares, of which the smallest is not recognised after all the training."""
    train, task = case.subject.train, case.subject.task
    rows = case.subject.validation or train
    if train is None or rows is None or task not in ("classification", "binary") or train.y.ndim > 2:
        return []
    counts = torch.bincount(labels_of(train.y, task).flatten()).double()
    shares = [float(c) for c in counts / counts.sum() if c > 0]
    outputs = outputs_of(copy_of(case.model), rows.x).cpu()
    if task == "classification" and (outputs.ndim != 2 or outputs.shape[1] != len(counts)):
        return []  # whole numbers that are counted, or an order, and no classes to this network
    found = imbalance_finding(shares, minority_recall(outputs, rows.y, task), case.telemetry.step)
    if found is None or found.is_harmful:
        return [] if found is None else [found]
    reached = _sampled_evenly(case, counts)
    was = _balanced(outputs, rows.y, task)
    if not reached > was + EVENLY:
        return [found]
    told = f"{found.evidence}; mean recall of the classes {was:.3f}, after going on with classes sampled evenly {reached:.3f}"
    cause = "the loss is ruled by the large classes, and the small ones are learned badly"
    return [replace(found, severity="warning", evidence=told, cause=cause, confidence=0.8)]


def _sampled_evenly(case: Case, counts: Tensor) -> float:
    """Mean recall on validation rows of a copy that goes on with as many rows of each class; NaN if it cannot."""
    lab, task, rows = case.lab(start=False), case.subject.task, case.subject.validation or case.subject.train
    if lab is None or task is None or rows is None:
        return math.nan
    shares = 1.0 / counts.clamp_min(1)[labels_of(lab.y, task).flatten()]
    drawn = torch.multinomial(shares, len(lab.x), replacement=True, generator=torch.Generator().manual_seed(0))
    steps = min(400, max(100, case.telemetry.step))
    outcome = advance(replace(lab, x=lab.x[drawn], y=lab.y[drawn]), steps, deadline=case.deadline(3))
    if outcome.model is None or outcome.diverged:
        return math.nan
    return _balanced(outputs_of(outcome.model, rows.x).cpu(), rows.y, task)


def _balanced(outputs: Tensor, y: Tensor, task: Task) -> float:
    """Mean of the classes' recalls; NaN where outputs do not decide on one class a row."""
    labels, said = labels_of(y, task).flatten(), decided(outputs, task)
    if labels.shape != said.shape:
        return math.nan
    return float(torch.stack([(said[labels == c] == c).float().mean() for c in torch.unique(labels)]).mean())


def noise_does_harm(case: Case) -> bool:
    """Whether wrong labels are learned by heart, or keep the network behind simple models on validation rows.

    A network that takes no harm from them answers as the simple models do: labels may be drawn by chance, and no fault.
    """
    known, rows, task = case.baselines, case.subject.train, case.subject.task
    if known is None or rows is None or task is None or not len(suspects := contradicted(known)):
        return False
    if _answered_better(case, known):
        return False
    chosen = torch.from_numpy(known.rows[suspects])
    outputs = outputs_of(copy_of(case.model), rows.x[chosen]).cpu()
    learned = float((decided(outputs, task) == labels_of(rows.y[chosen], task).flatten()).float().mean())
    held = case.validation_metric()
    if learned >= SOME and case.now()[1] - held >= GAP and past_its_best(case):
        return True
    return learned >= LEARNED or any(held < s.validation - BEHIND for s in known.scores)


def past_its_best(case: Case) -> bool:
    """Whether the validation loss was least before the last third of the training, and has risen by RISE since: of three means."""
    told = [v.loss for v in case.telemetry.validations if v.loss is not None and math.isfinite(v.loss)]
    means = [sum(told[k : k + 3]) / 3 for k in range(len(told) - 2)]
    if len(means) < 4:
        return False
    best = means.index(min(means))
    return best < 2 / 3 * len(means) and means[-1] > (1 + RISE) * means[best]


def _answered_better(case: Case, known: Baselines) -> bool:
    """Whether the network was right on more validation rows than wrong labels would let it be, where these are as wrong.

    Then simple models are unsure of rows that are merely hard for them.
    """
    said = np.mean([known.folds[s.name] for s in known.scores[1:]], axis=0)
    told = [v.metric for v in case.telemetry.validations if v.metric is not None and case.higher_is_better is not False]
    most = max([case.validation_metric(), *(v for v in told if v <= 1)], default=math.nan)
    alike = abs(known.best.validation - known.best.score) < ALIKE
    return alike and most > 1 - noise_share(said, known.targets) + ALIKE
