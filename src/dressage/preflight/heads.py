"""Whether outputs, loss and targets fit each other: tested by what the loss does, proven by what a mended copy learns."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight import loss_form
from dressage.preflight.beyond import beyond
from dressage.preflight.calls import Rewired, head_call, skipping, softplus_at
from dressage.preflight.first_loss import rows_sum_to_one
from dressage.preflight.given import STEPS, gain, given, metric_gain, outputs_given, race
from dressage.preflight.head import Head
from dressage.preflight.head_size import class_numbers, wrong_size
from dressage.preflight.probabilities import logits_as_probs
from dressage.preflight.result import Seen
from dressage.subject import Lab, Subject, labels_of

ROWS = 256


def heads(subject: Subject, deadline: float) -> list[Finding]:
    """Judges outputs against loss and targets: shape, range, softmax given twice, logits for probabilities, classes as numbers."""
    found = given(subject, ROWS)
    head = Head(subject, found, outputs_given(found), head_call(found.model, found.x[:8]), deadline)
    said = f"outputs {tuple(head.outputs.shape)[1:]}, targets {tuple(found.y.shape)[1:]}"
    said += f", from {float(head.outputs.min()):.3g} to {float(head.outputs.max()):.3g}"
    sized = beyond(subject, found, head.outputs, deadline) or wrong_size(subject, found, head.outputs, deadline)
    if sized is not None:
        return Seen([sized], said)
    for rule in (
        _over_rows,
        _double_softmax,
        logits_as_probs,
        _one_unit_softmax,
        _class_activation,
        _range,
        _classes_by_distance,
    ):
        if finding := rule(head):
            return Seen([finding], said)
    return Seen(said=said)


def _over_rows(head: Head) -> Finding | None:
    """A softmax along the batch: each class shares 1 out among the rows, and no row gets probabilities."""
    z, y = head.outputs, head.found.y
    if head.ends_in is None or head.ends_in.kind not in ("softmax", "log_softmax") or z.ndim != 2 or len(z) < 8:
        return None
    shares = z if head.ends_in.kind == "softmax" else z.exp()
    if rows_sum_to_one(shares) or not bool(((shares.sum(0) - 1).abs() < 1e-3).all()):
        return None
    labels = labels_of(y, "classification")
    if head.subject.task != "classification" or labels.ndim != 1:
        return None
    other = Rewired(head.lab.model, skipping(head.ends_in.number))
    mended = replace(head.lab, model=other, loss_fn=lambda p, t: F.cross_entropy(p, labels_of(t, "classification")))
    points, was, after = metric_gain(head.lab, mended, head.deadline)
    told = f"the columns of outputs sum to 1, not the rows: {head.ends_in.kind} is taken along the batch"
    shown = f"; with logits and cross-entropy a copy comes to {after:.3g} where it comes to {was:.3g}"
    own = gain(head.lab, mended, mended.loss_fn, head.deadline)
    return _activation(head, told + shown, "a softmax over the rows of a batch", max(points, own))


def _double_softmax(head: Head) -> Finding | None:
    z, y, loss_fn = head.outputs, head.found.y, head.found.loss_fn
    axis = loss_form.softmax_axis(loss_fn, y, z.shape)
    if axis is None:
        return None
    floor = math.log(1 + (z.shape[axis] - 1) / math.e)
    are_shares = rows_sum_to_one(z.movedim(axis, 1))
    if are_shares:
        said = "each row of outputs sums to 1 and the loss applies softmax again"
    elif head.subject.task == "classification" and loss_form.close(_surest(head), floor, 1e-3):
        said = "the loss takes the softmax of outputs twice: the surest right answer costs that much"
    else:
        return None

    def mended(p: Tensor, t: Tensor) -> Tensor:
        return loss_fn(p.clamp_min(1e-12).log(), t)

    def once(logits: Tensor, t: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels_of(t, "classification"))

    other = mended if are_shares else once
    found = race(head.lab, replace(head.lab, loss_fn=other), head.deadline)
    return Finding(
        "loss.double_softmax",
        "warning" if found.gain >= 0.02 else "info",
        "outputs",
        f"{said}: it cannot fall below {floor:.3g}; "
        f"given the logits it is {max(found.gain, 0):.0%} lower after {STEPS} steps ({found.left:.3g} as it is)",
        "softmax is applied before a loss that applies it itself",
        "give the loss the logits: leave the softmax out",
        code="return logits  # nn.CrossEntropyLoss applies log-softmax",
        confidence=0.98,
        numbers={"floor": floor, "gain": found.gain},
    )


def _surest(head: Head) -> float:
    """What the surest right answer costs."""
    labels = labels_of(head.found.y, "classification")
    if labels.ndim != 1 or head.outputs.ndim != 2:
        return math.nan
    return loss_form.value(head.found.loss_fn, 60.0 * F.one_hot(labels, head.outputs.shape[1]).float(), head.found.y)


def _one_unit_softmax(head: Head) -> Finding | None:
    if head.ends_in is None or head.ends_in.kind not in ("softmax", "log_softmax") or float(head.outputs.std()) > 1e-6:
        return None
    level = float(head.outputs.flatten()[0])
    if abs(level - 1) > 1e-4 and abs(level) > 1e-4:
        return None
    return _activation(
        head, f"every output is {level:.3g}: softmax over a single value is constant", "a softmax over one unit", 1.0
    )


def _class_activation(head: Head) -> Finding | None:
    """ReLU, tanh or sigmoid between the last layer and a loss that takes logits."""
    z, y, loss_fn = head.outputs, head.found.y, head.found.loss_fn
    if head.ends_in is None or head.ends_in.kind not in ("relu", "sigmoid", "tanh"):
        return None
    by_rows = loss_form.takes_logits(loss_fn, y, z.shape)
    if not by_rows and not loss_form.takes_binary_logits(loss_fn, y, z.shape):
        return None
    found = _without_head(head, f"the network ends in {head.ends_in.kind}, and the loss takes logits")
    if found is None or by_rows or head.ends_in.kind != "sigmoid":
        return found
    told = f"{found.evidence}; a sure answer still costs {math.log(1 + 1 / math.e):.3g}"
    return replace(
        found,
        id="loss.double_softmax",
        evidence=told,
        cause="the loss applies the sigmoid itself, so it is taken twice",
    )


def _range(head: Head) -> Finding | None:
    """A head whose range cannot hold the targets of a regression, or of counts under their likelihood."""
    limits = {"relu": (0.0, math.inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0)}
    if head.ends_in is None or head.ends_in.kind not in limits:
        return None
    z, y = head.outputs, head.found.y
    asks = loss_form.is_squared, loss_form.asks_for_positive_values
    if not y.is_floating_point() or not any(ask(head.found.loss_fn, y, z) for ask in asks):
        return None
    low, high = limits[head.ends_in.kind]
    room = 0.02 * float(y.std())
    outside = float(((y < low - room) | (y > high + room)).float().mean())
    if outside < 0.02:
        return None
    return _without_head(
        head, f"{outside:.0%} of the targets are outside [{low:g}, {high:g}], which {head.ends_in.kind} cannot leave"
    )


def _without_head(head: Head, evidence: str) -> Finding | None:
    assert head.ends_in is not None
    number, y = head.ends_in.number, head.found.y
    is_positive = not math.isfinite(loss_form.value(head.found.loss_fn, torch.full_like(head.outputs, -1.0), y))
    other = "a softplus in its place" if is_positive else "it left out"
    bare = replace(head.lab, model=Rewired(head.lab.model, (softplus_at if is_positive else skipping)(number)))
    points, was, after = metric_gain(head.lab, bare, head.deadline)
    saved = gain(head.lab, bare, None, head.deadline)
    shown = f"; with {other} a copy comes to {after:.3g} where it comes to {was:.3g}"
    return _activation(head, evidence + shown, f"a {head.ends_in.kind} at the end", max(points, saved - 0.02))


def _activation(head: Head, evidence: str, cause: str, harm: float) -> Finding:
    return Finding(
        "model.wrong_output_activation",
        "warning" if harm > 0.03 else "info",
        head.ends_in.where or "outputs" if head.ends_in else "outputs",
        evidence,
        f"{cause} cannot give what the targets ask for",
        "let the network end in its last linear layer (or a softplus, of a rate), and use the loss that goes with it",
        code="return self.last(h)  # no activation after it",
        confidence=0.93,
        numbers={"gain": harm},
    )


def _classes_by_distance(head: Head) -> Finding | None:
    """Squared error against class numbers or one-hot rows."""
    subject, y = head.subject, head.found.y
    loss_fn, shape = head.found.loss_fn, head.outputs.shape
    behind_softmax = subject.task == "classification" and loss_form.is_distance_of_shares(loss_fn, y, shape)
    if subject.task != "classification" or not (behind_softmax or loss_form.is_squared(loss_fn, y, head.outputs)):
        return None
    lab, other = class_numbers(subject, head.found, head.outputs)
    if other is None:
        return None
    points, was, after = metric_gain(lab, other, head.deadline, steps=150)
    if not behind_softmax and (
        y.ndim == 1 or y.shape[1] == 1
    ):  # ratings and counts are numbers too: distance needs an order
        points = min(points, _order_gain(lab, other, head.deadline) - 0.1)
    return Finding(
        "loss.mse_for_classes",
        "warning" if points > 0.03 else "info",
        "loss",
        f"{subject.classes} classes by squared error: {was:.0%} right after 150 steps, with cross-entropy {after:.0%}",
        "squared error treats class numbers as sizes and has little slope where a class is wrong",
        "one output a class and cross-entropy",
        edit={"loss.name": "cross_entropy"},
        code="loss_fn = nn.CrossEntropyLoss()",
        confidence=0.85,
        numbers={"before": was, "after": after},
    )


def _order_gain(lab: Lab, other: Lab, deadline: float) -> float:
    """By how much the mean of the classes' probabilities explains more of the class number than the output that is fitted to it."""

    def explained(z: Tensor, y: Tensor) -> float:
        t = y.float().reshape(len(y))
        if z.ndim > 1 and z.shape[1] > 1:
            z = F.softmax(z, 1) @ torch.arange(z.shape[1], device=z.device, dtype=z.dtype)
        return float(1 - (z.reshape(len(y)) - t).square().sum() / (t - t.mean()).square().sum().clamp_min(1e-12))

    from dressage.subject import Metric

    return metric_gain(lab, other, deadline, steps=150, metric=Metric("r2", explained, True))[0]
