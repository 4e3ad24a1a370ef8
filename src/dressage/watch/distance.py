"""Classes that are learned by a distance to one-hot targets, and are learned far better by cross-entropy with all else as it is."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from dressage.findings import Finding
from dressage.preflight.loss_form import is_bounded_distance
from dressage.subject import advance, copy_of, labels_of
from dressage.subject.subject import first_output
from dressage.watch.case import Case
from dressage.watch.head import POINTS, ROWS

LONGEST = 500
"""Steps that a copy takes at most: as many as the training, if that had fewer."""


def distance_for_classes(case: Case) -> list[Finding]:
    """The same network, optimiser and rate with cross-entropy come further in no more steps.

    Another rate may make up for the small gradients of a distance behind a sigmoid or a softmax; the loss is their reason.
    """
    lab, task = case.lab(start=True), case.subject.task
    if lab is None or task != "classification" or lab.y.ndim != 1:
        return []
    with torch.no_grad():
        outputs = first_output(copy_of(lab.model).eval()(lab.x[:ROWS])).float()
    if outputs.shape[1:] != (case.subject.classes,) or not is_bounded_distance(
        lab.loss_fn, lab.y[:ROWS], outputs.shape
    ):
        return []
    other, steps = (
        replace(lab, loss_fn=lambda z, y: F.cross_entropy(z, labels_of(y, task))),
        min(LONGEST, case.telemetry.step),
    )
    reached = case.proven(f"cross-entropy {steps}", lambda: advance(other, steps, deadline=case.deadline(5)).metric)
    held = case.now()[1]
    if not isinstance(reached, float) or math.isnan(reached) or not reached > held + POINTS:
        return []
    return [
        Finding(
            "loss.mse_for_classes",
            "warning",
            "loss",
            f"the loss measures a distance to one-hot targets of {case.subject.classes} classes; the training metric is {held:.3f} "
            f"after {case.telemetry.step} steps, with cross-entropy and all else as it is {reached:.3f} after at most {steps}",
            "behind a sigmoid or a softmax the gradient of a distance is smallest where the answer is surely wrong",
            "use cross-entropy on the network's outputs",
            step=case.telemetry.step,
            code="F.cross_entropy(outputs, labels)",
            confidence=0.8,
            numbers={"mended": reached, "as_it_is": held},
        )
    ]
