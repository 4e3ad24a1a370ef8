"""Raw outputs under a loss that takes probabilities or their logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from dressage.findings import Finding
from dressage.preflight import loss_form
from dressage.preflight.first_loss import rows_sum_to_one
from dressage.preflight.given import gain, metric_gain, race
from dressage.preflight.head import Head

CUT = "the loss cuts outputs off at 0 and 1, beyond which they get no gradient"
MUCH = 0.25
"""Share of a loss that clamps, whatever its form, that a sigmoid has to save: a distance between clamped values may be meant."""


def logits_as_probs(head: Head) -> Finding | None:
    """A loss that refuses the outputs, is not finite for them, cuts them off, or takes them for logarithms that they are not."""
    z, y, loss_fn = head.outputs, head.found.y, head.found.loss_fn
    if head.subject.task not in ("classification", "binary", "multilabel"):
        return _cut_off(head, CUT, MUCH) if loss_form.cuts_to_probabilities(loss_fn, y, z) else None
    if error := loss_form.raised(loss_fn, z, y):
        inside = loss_form.raised(loss_fn, z.sigmoid(), y)
        if inside or not bool(((z < 0) | (z > 1)).any()):
            return None
        return _probs(f"the loss refuses these outputs ({error}) and takes them after a sigmoid", 1.0, head)
    value = loss_form.value(loss_fn, z, y)
    if not math.isfinite(value):
        safe = loss_form.value(loss_fn, z.softmax(1) if z.ndim > 1 and z.shape[1] > 1 else z.sigmoid(), y)
        if math.isfinite(safe):
            return _probs(f"the loss of these outputs is {value}, of their probabilities {safe:.4g}", 1.0, head)
        return None
    if loss_form.takes_probabilities(loss_fn, y, z.shape):
        return _cut_off(head, "the loss is −log p", 0.0)
    if loss_form.cuts_to_probabilities(loss_fn, y, z):
        return _cut_off(head, CUT, MUCH)
    if z.ndim < 2 or z.shape[1] < 2 or y.is_floating_point() or not _is_picked(loss_fn, z, y):
        return None
    if bool((z.logsumexp(1).abs() < 1e-2).all()):
        return None

    def mended(outputs: Tensor, t: Tensor) -> Tensor:
        probabilities = rows_sum_to_one(outputs)
        return loss_fn(outputs.clamp_min(1e-12).log() if probabilities else outputs.log_softmax(1), t)

    points, was, after = metric_gain(head.lab, replace(head.lab, loss_fn=mended), head.deadline)
    saved = gain(head.lab, replace(head.lab, loss_fn=mended), mended, head.deadline) if points <= 0.01 else 1.0
    shown = f"a copy that gives log-probabilities comes to {after:.3g} where it comes to {was:.3g}"
    return _probs(
        f"the loss is −outputs at the right class and the outputs are no log-probabilities; {shown}",
        max(points, saved),
        head,
    )


def _cut_off(head: Head, form: str, least: float) -> Finding | None:
    """A loss of one's own that clamps what it takes for probabilities: outputs beyond 0 and 1 cost no error, and get no gradient.

    It does harm where a sigmoid or softmax saves more than the share `least` of the loss.
    """
    z, loss_fn = head.outputs, head.found.loss_fn
    beyond = float(((z < 0) | (z > 1)).float().mean())
    if beyond <= 0.02:
        return None
    binary = z.numel() == head.found.y.numel() or head.subject.task == "regression"

    def mended(outputs: Tensor, t: Tensor) -> Tensor:
        return loss_fn(outputs.sigmoid() if binary else outputs.softmax(1), t)

    found = race(head.lab, replace(head.lab, loss_fn=mended), head.deadline)
    told = f"{form}, and {beyond:.0%} of the outputs are no probabilities"
    return _probs(
        f"{told}; of their {'sigmoid' if binary else 'softmax'} {found}",
        found.gain if found.gain > least else 0.0,
        head,
    )


def _is_picked(loss_fn: Callable[[Tensor, Tensor], Tensor], z: Tensor, y: Tensor) -> bool:
    """Whether it is −z at the right class, as NLLLoss: linear in the outputs."""
    one, two = loss_form.value(loss_fn, z, y), loss_form.value(loss_fn, 2 * z, y)
    moved = loss_form.value(loss_fn, z + 1.0, y)
    return loss_form.close(2 * one, two, 1e-3) and abs(moved - one) > 1e-3


def _probs(evidence: str, harm: float, head: Head) -> Finding:
    binary = head.subject.task != "classification"
    return Finding(
        "loss.logits_as_probs",
        "critical" if harm == 1.0 and "refuses" in evidence else "warning" if harm > 0.01 else "info",
        "outputs",
        evidence,
        "the loss expects probabilities or their logs, and is given raw outputs",
        "use the loss that takes logits" + (" (BCEWithLogitsLoss)" if binary else " (CrossEntropyLoss)"),
        code="loss_fn = nn.BCEWithLogitsLoss()" if binary else "loss_fn = nn.CrossEntropyLoss()",
        confidence=0.95,
    )
