"""Targets beyond 0 and 1 under a loss that takes probabilities: it has no lowest value, so outputs grow without end."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight import loss_form
from dressage.preflight.given import Given, lab_given, metric_gain
from dressage.subject import Metric, Subject

HARM = 0.03  # points of accuracy that targets brought to [0, 1] must win
FAR = 2.0  # a target from which no proof is asked for: growing outputs are rewarded as much as they are punished


def beyond(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    """Masks of 0 and 255, or other targets outside [0, 1], of a binary cross-entropy; proven by training on them scaled."""
    y = found.y
    if y.numel() == len(y):
        return None  # one label a row: the size of the head is asked about
    if subject.task in ("classification", "binary") or y.is_complex() or outputs.numel() != y.numel():
        return None
    low, high = float(y.min()), float(y.max())
    inside = y.to(outputs.dtype).clamp(0, 1)
    if (
        (low >= 0 and high <= 1)
        or not high > low
        or not loss_form.takes_binary_logits(found.loss_fn, inside, outputs.shape)
        or not loss_form.has_no_least(found.loss_fn, y, outputs.shape)
    ):
        return None
    lab = lab_given(subject)
    low, high = float(lab.y.min()), float(lab.y.max())

    def scaled(z: Tensor, t: Tensor) -> Tensor:
        return found.loss_fn(z, (t - low) / (high - low))

    def right(z: Tensor, t: Tensor) -> float:
        return float(((z > 0) == (t.reshape(z.shape) > (low + high) / 2)).double().mean())

    points, was, after = metric_gain(
        lab, replace(lab, loss_fn=scaled), deadline, metric=Metric("accuracy", right, True)
    )
    sure = loss_form.value(found.loss_fn, torch.full_like(outputs, 50.0), y)
    return Finding(
        "data.target_unscaled",
        "warning" if points > HARM or high >= FAR else "info",
        "training targets",
        f"targets lie in [{low:.4g}, {high:.4g}] under a cross-entropy of probabilities, whose targets lie in [0, 1]: outputs of "
        f"50 everywhere cost {sure:.4g}; with targets scaled to [0, 1] {after:.1%} of the signs are right, as it is {was:.1%}",
        "the loss falls without end where outputs grow, whatever the inputs are",
        "bring the targets to [0, 1]" + (" (a mask that was read as 0 and 255)" if high == 255 else ""),
        code=f"y = {'y' if low == 0 else f'(y - {low:g})'} / {high - low:g}",
        confidence=0.95,
        numbers={"metric": was, "scaled": after},
    )
