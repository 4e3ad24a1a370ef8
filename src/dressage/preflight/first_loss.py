"""The first loss, against the one that the task implies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.given import Given, given, outputs_given
from dressage.preflight.result import Seen
from dressage.subject import Subject, labels_of

FAR = 2.0  # times the implied loss from which it is named


def first_loss(subject: Subject, deadline: float) -> list[Finding]:
    """Loss of the untrained network against that of outputs that say nothing: log C, log 2, the targets' mean square.

    A symptom only; what makes it so is named by the other checks. C784 (babysitting the learning process).
    """
    found = given(subject, 512)
    outputs = outputs_given(found)
    loss, implied = float(found.loss_fn(outputs, found.y).mean()), neutral_loss(found, outputs)
    said = f"{loss:.4f}, implied {implied:.4f}" + _prior(subject, found)
    if not math.isfinite(loss):
        finding = Finding(
            "sym.nonfinite_loss",
            "critical",
            "loss",
            f"the loss of the first batch is {loss}",
            "the loss is not a number before the first step",
            "look at the findings beside this one; else at the inputs and what the loss takes the log of",
        )
        return Seen([finding], said)
    if not (implied > 0 and loss > FAR * implied):
        return Seen(said=said)
    sd = float(outputs.float().std())
    finding = Finding(
        "sym.initial_loss_wrong",
        "info",
        "loss",
        f"first loss {loss:.4g}, where outputs that say nothing have {implied:.4g}; outputs have sd {sd:.3g}",
        "the untrained network is surer than it can be",
        "smaller first weights in the last layer; scaled inputs",
        numbers={"loss": loss, "implied": implied, "sd": sd},
    )
    return Seen([finding], said)


def neutral_loss(found: Given, outputs: Tensor) -> float:
    """Loss of outputs that say nothing: equal probabilities, or zeros. NaN where the loss does not take them."""
    try:
        return float(found.loss_fn(neutral(outputs), found.y).mean())
    except Exception:  # the user's loss may take only what its network gives
        return math.nan


def neutral(outputs: Tensor) -> Tensor:
    """Outputs of the same form that say nothing: 1/C for probabilities, −log C for their logs, ½ for one, else 0."""
    classes = outputs.shape[1] if outputs.ndim > 1 else 1
    with torch.no_grad():
        if classes > 1 and rows_sum_to_one(outputs):
            return torch.full_like(outputs, 1.0 / classes)
        if classes > 1 and bool((outputs.logsumexp(1).abs() < 1e-3).all()):
            return torch.full_like(outputs, -math.log(classes))
        if bool(((outputs >= 0) & (outputs <= 1)).all()) and float(outputs.std()) > 0 and outputs.is_floating_point():
            return torch.full_like(outputs, 0.5)
    return torch.zeros_like(outputs)


def rows_sum_to_one(outputs: Tensor) -> bool:
    """Whether each row `(N, C, ...)` is a distribution over its classes."""
    if outputs.ndim < 2 or outputs.shape[1] < 2 or not outputs.is_floating_point():
        return False
    return bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-3).all())


def _prior(subject: Subject, found: Given) -> str:
    if subject.task not in ("classification", "binary"):
        return ""
    share = torch.bincount(labels_of(found.y, subject.task).flatten().clamp_min(0)).double()
    share = share[share > 0] / share.sum()
    return f"; entropy of the classes {-float((share * share.log()).sum()):.4f}"
