"""A network whose answers are worse than chance: it was trained to be wrong."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import Task, copy_of, decided, labels_of, outputs_of
from dressage.watch.case import RACED_ROWS, Case

LEAST = 100
"""Rows from which answers that avoid the truth are told from chance."""
SURE = 5.0
"""Standard errors below what answers that know nothing of the rows would reach."""
OPPOSED = -0.3
"""Correlation of outputs and targets in a regression."""


def learned_backwards(case: Case) -> list[Finding]:
    """Training rows are answered as if their targets were to be avoided, with a loss that has fallen."""
    rows, task = case.subject.train, case.subject.task
    losses = [x for x in case.telemetry.losses if math.isfinite(x)]
    if rows is None or task is None or len(losses) < LEAST or not sum(losses[-10:]) < sum(losses[:10]):
        return []
    rows = rows.head(RACED_ROWS)
    if len(rows) < LEAST or rows.y.is_complex():
        return []
    outputs = outputs_of(copy_of(case.model), rows.x).cpu()
    told = (
        _avoided(outputs, rows.y.cpu(), task)
        if task in ("classification", "binary")
        else _opposed(outputs, rows.y.cpu())
    )
    if not told:
        return []
    return [
        Finding(
            "loss.wrong_sign",
            "critical",
            "loss",
            f"the loss fell from {losses[0]:.4g} to {losses[-1]:.4g}, and on {len(rows)} training rows {told}",
            "what is minimised is lowest where the answers are wrong: its sign is the wrong way round",
            "minimise the negative of what should be large, e.g. −log p of the right class",
            step=case.telemetry.step,
            confidence=0.85,
            code="loss = -score.mean()",
        )
    ]


def _avoided(outputs: Tensor, y: Tensor, task: Task) -> str:
    """Against answers of the same shares that know nothing of the rows: one that names a rare class always is no worse."""
    labels, said = labels_of(y, task), decided(outputs, task)
    if labels.ndim != 1 or labels.shape != said.shape or int(labels.min()) < 0 or labels.is_floating_point():
        return ""
    count = int(max(labels.max(), said.max())) + 1
    shares = [torch.bincount(v, minlength=count).double() / len(v) for v in (labels.long(), said.long())]
    chance, right = float((shares[0] * shares[1]).sum()), float((labels == said).double().mean())
    error = math.sqrt(chance * (1 - chance) / len(labels))
    if not right < min(0.5 * chance, chance - SURE * error):
        return ""
    return f"{right:.1%} of the answers are right, where as many of each class without looking would be in {chance:.1%}"


def _opposed(outputs: Tensor, y: Tensor) -> str:
    z, t = outputs.double().flatten(), y.double().flatten()
    if z.shape != t.shape or not bool(z.isfinite().all()) or not float(z.std()) > 0 or not float(t.std()) > 0:
        return ""
    correlation = float(torch.corrcoef(torch.stack([z, t]))[0, 1])
    return f"outputs and targets have a correlation of {correlation:.2f}" if correlation < OPPOSED else ""
