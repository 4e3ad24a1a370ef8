"""How the loss adds up: broadcast shapes, a sum in place of a mean, a sign that points the wrong way."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight import loss_form
from dressage.preflight.given import Given, gain, given, lab_given, metric_gain, outputs_given
from dressage.preflight.result import Seen
from dressage.subject import Subject, labels_of

FASTER = 30.0  # times the rate, at which the two signs of a loss are told apart where its own rate is low


def loss_shape(subject: Subject, deadline: float) -> list[Finding]:
    """Judges the loss itself: by reshaped targets, by a batch given twice, by outputs at and away from the targets."""
    found = given(subject)
    outputs = outputs_given(found)
    value = loss_form.value(found.loss_fn, outputs, found.y)
    twice = loss_form.value(found.loss_fn, torch.cat([outputs] * 2), torch.cat([found.y] * 2))
    said = f"{value:.4g} for {len(found.x)} rows, {twice:.4g} for the same rows twice"
    rules = (_broadcast(subject, found, outputs, deadline), _sign(subject, found, outputs, deadline))
    findings = [f for f in rules if f is not None]
    if not findings and loss_form.close(twice, 2 * value, 0.01) and abs(value) > 1e-9:
        findings.append(_sum(subject, value, twice, deadline))
    return Seen(findings, said)


def _broadcast(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    y, loss_fn = found.y, found.loss_fn
    if y.numel() != outputs.numel() or len(y) < 2 or not _forgets_pairs(found, outputs):
        return None

    def mended(z: Tensor, t: Tensor) -> Tensor:
        return torch.stack([loss_fn(z[i : i + 1], t[i : i + 1]).mean() for i in range(len(z))]).mean()

    as_is, reshaped = loss_form.value(loss_fn, outputs, y), loss_form.value(mended, outputs, y)
    if not math.isfinite(as_is + reshaped) or loss_form.close(as_is, reshaped):
        return None

    lab = lab_given(subject)
    saved = gain(lab, replace(lab, loss_fn=mended), mended, deadline)
    return Finding(
        "loss.shape_broadcast",
        "warning" if saved >= 0.03 else "info",
        "loss",
        f"outputs {tuple(outputs.shape)} against targets {tuple(y.shape)}: loss {as_is:.4g}, with targets in the outputs' "
        f"shape {reshaped:.4g}; so a copy's is {max(saved, 0):.0%} lower after 100 steps",
        "the loss compares every output with every target of the batch, so the best answer is their mean",
        "give targets the shape of the outputs",
        code="loss = loss_fn(outputs, y.view_as(outputs))",
        confidence=0.98,
        numbers={"loss": as_is, "reshaped": reshaped, "gain": saved},
    )


def _forgets_pairs(found: Given, outputs: Tensor) -> bool:
    """Whether the loss stays the same when the targets change places, as one does that compares each with each."""
    drawn = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).reshape(outputs.shape).to(outputs.device)
    paired = loss_form.value(found.loss_fn, drawn, found.y)
    turns = [found.y.roll(by, 0) for by in (1, len(found.y) // 3, len(found.y) // 2) if by]
    same = [loss_form.close(paired, loss_form.value(found.loss_fn, drawn, turned), 1e-4) for turned in turns]
    return all(same) and not bool((turns[-1] == found.y).all())


def _sign(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    pair = _right_and_wrong(subject, found.y, outputs)
    if pair is None:
        return None
    right, wrong = (loss_form.value(found.loss_fn, z, found.y) for z in pair)
    if not math.isfinite(right + wrong) or right <= wrong + 1e-3 * abs(wrong):
        return None
    lab = lab_given(subject)
    flipped = replace(lab, loss_fn=lambda z, y: -found.loss_fn(z, y))
    points, was, after = metric_gain(lab, flipped, deadline)
    if not points >= 0.03:  # at so low a rate neither sign may show
        points, was, after = metric_gain(lab.with_rate(FASTER), flipped.with_rate(FASTER), deadline)
    if not points >= 0.03:  # nor where there is no metric
        return None
    return Finding(
        "loss.wrong_sign",
        "critical",
        "loss",
        f"outputs that equal the targets have loss {right:.4g}, wrong ones {wrong:.4g}; after 100 steps the metric is "
        f"{was:.3g}, with the sign turned {after:.3g}",
        "the loss falls as outputs move away from the targets",
        "turn the sign of the loss",
        code="loss = -loss",
        confidence=0.97,
        numbers={"right": right, "wrong": wrong, "before": was, "after": after},
    )


def _right_and_wrong(subject: Subject, y: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor] | None:
    """Outputs that agree with the targets, and outputs that do not, in the form that the network gives."""
    probable = bool(((outputs >= 0) & (outputs <= 1)).all())
    if subject.task == "classification" and outputs.ndim == 2 and outputs.shape[1] >= max(2, subject.classes):
        hot = torch.nn.functional.one_hot(labels_of(y, "classification"), outputs.shape[1]).to(outputs.dtype)
        share = 0.9 * hot + 0.1 / outputs.shape[1]
        away = 0.9 * hot.roll(1, 1) + 0.1 / outputs.shape[1]
        return (share, away) if probable else (share.log(), away.log())
    if subject.task == "classification" and outputs.ndim == y.ndim + 1 > 2 and int(y.min()) >= 0:  # a class a place
        axis = 1 if outputs.shape[2:] == y.shape[1:] else outputs.ndim - 1
        if outputs.movedim(axis, -1).shape[:-1] != y.shape or outputs.shape[axis] < max(2, subject.classes):
            return None
        hot = torch.nn.functional.one_hot(y.long(), outputs.shape[axis]).to(outputs.dtype)
        share, away = (0.9 * h + 0.1 / hot.shape[-1] for h in (hot, hot.roll(1, -1)))
        share, away = share.movedim(-1, axis), away.movedim(-1, axis)
        return (share, away) if probable else (share.log(), away.log())
    if subject.task in ("binary", "multilabel") and outputs.numel() == y.numel():
        share = (0.8 * y.reshape(outputs.shape) + 0.1).to(outputs.dtype)
        return (share, 1 - share) if probable else (share.logit(), -share.logit())
    if subject.task == "regression" and outputs.numel() == y.numel():
        t = y.reshape(outputs.shape).to(outputs.dtype)
        return t, t + 2 * t.std() + 1e-3
    return None


def _sum(subject: Subject, value: float, twice: float, deadline: float) -> Finding:
    lab = lab_given(subject)
    saved = -math.inf
    for mended in loss_form.means_of(lab.loss_fn, lab.y):
        saved = max(saved, gain(lab, replace(lab, loss_fn=mended), mended, deadline))
        if saved >= 0.1:
            break
    return Finding(
        "loss.sum_reduction",
        "warning" if saved >= 0.1 else "info",
        "loss",
        f"the loss of a batch given twice is {twice / value:.3g} times that of the batch"
        + (f"; as a mean it comes {saved:.0%} lower in 100 steps" if saved >= 0.1 else ""),
        "the loss is a sum over rows: the step grows with the batch",
        "take the mean over rows" if saved >= 0.1 else "nothing now; change the rate with the batch size",
        code='nn.MSELoss(reduction="mean")',
        confidence=0.9,
        numbers={"ratio": twice / value, "gain": saved},
    )
