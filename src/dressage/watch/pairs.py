"""What the outputs and targets say that the loop gave its loss: all that is known of a network that no copy of can be run."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.terms import swamped

LONG = 100
"""Steps after which outputs could have come to where the targets are."""
FAR, ROWS = 10.0, 8
"""Mean of targets, from which outputs that begin near 0 have far to go; rows of a batch from which it is told."""


def pairs(case: Case) -> list[Finding]:
    """Probabilities under a loss that takes logits; outputs that have not come to where the targets of a regression lie."""
    if case.telemetry.step < LONG:
        return []
    if case.pair is None:
        return swamped(case)
    outputs, targets = case.pair
    return _shares(case, outputs, targets) or _far(case, outputs, targets)


def _shares(case: Case, outputs: Tensor, targets: Tensor) -> list[Finding]:
    z = outputs.double()
    if not isinstance(case.kind, nn.CrossEntropyLoss) or z.ndim != 2 or z.shape[1] < 2 or len(z) < ROWS:
        return []
    if bool((z < 0).any()) or not bool(((z.sum(1) - 1).abs() < 1e-3).all()):
        return []
    floor = math.log(1 + (z.shape[1] - 1) / math.e)
    with torch.no_grad():
        told = float(case.kind(outputs.float(), targets).mean())
    return [
        Finding(
            "loss.double_softmax",
            "warning",
            "outputs",
            f"each row of outputs sums to 1 and the loss applies softmax again: it cannot fall below {floor:.3g}; at step "
            f"{case.telemetry.step} it is {told:.3g}",
            "softmax is applied before a loss that applies it itself",
            "give the loss the logits: leave the softmax out",
            step=case.telemetry.step,
            code="return logits  # nn.CrossEntropyLoss applies log-softmax",
            confidence=0.95,
            numbers={"floor": floor, "loss": told},
        )
    ]


def _far(case: Case, outputs: Tensor, targets: Tensor) -> list[Finding]:
    if not isinstance(case.kind, nn.MSELoss | nn.L1Loss | nn.SmoothL1Loss | nn.HuberLoss):
        return []
    z, y = outputs.double().flatten(), targets.double().flatten()
    if z.shape != y.shape or len(y) < ROWS:
        return []
    mean, sd = float(y.mean()), float(y.std())
    if not (abs(mean) > FAR and abs(float(z.mean()) - mean) > sd > 0):
        return []
    r2 = 1 - float((z - y).square().mean() / (y - mean).square().mean())
    return [
        Finding(
            "data.target_unscaled",
            "warning",
            "training targets",
            f"targets have mean {mean:.4g} and sd {sd:.4g}, outputs after {case.telemetry.step} steps mean {float(z.mean()):.4g}; "
            f"R² on the last batch that was looked at is {r2:.3g}, where the mean of its targets has 0",
            "the outputs start near 0 and need many steps only to reach the size of the targets",
            "standardise the targets with mean and sd of the training rows, and undo it when predicting",
            step=case.telemetry.step,
            code="mean, sd = y_train.mean(0), y_train.std(0); y = (y - mean) / sd  # predict: model(x) * sd + mean",
            confidence=0.8,
            numbers={"r2": r2},
        )
    ]
