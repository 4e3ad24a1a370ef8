"""A network whose answers are worse than chance: it was trained to be wrong."""

from __future__ import annotations

import math
from statistics import fmean, pstdev

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
FALLEN = 0.3
"""Share of the first loss that has to be gone: first weights may be wrong more often than chance too."""
TURNED = 0.05
"""By how much the share of right answers, or the correlation, has to be lower than with the first weights."""

KINDS = 5
"""Different targets from which they are values, and not the names of classes, of pairs that belong together or of neither."""
DRAWS = 20
"""Orders in which answers are given to other rows."""


def learned_backwards(case: Case) -> list[Finding]:
    """Training rows are answered as if their targets were to be avoided, with a loss that has fallen."""
    rows, task = case.subject.train, case.subject.task
    losses = [x for x in case.telemetry.losses if math.isfinite(x)]
    if rows is None or task is None or case.start is None or len(losses) < LEAST or len(rows) < LEAST:
        return []
    first, last = fmean(losses[:5]), fmean(losses[-10:])
    if not first - last > FALLEN * abs(first) or rows.y.is_complex():
        return []
    rows = rows.head(RACED_ROWS)
    outputs, before = (outputs_of(copy_of(m), rows.x).cpu() for m in (case.model, case.start[0]))
    judge = _avoided if task in ("classification", "binary") else _opposed
    told = judge(outputs, before, rows.y.cpu(), task)
    if not told:
        return []
    return [_turned(case, f"the loss fell from {first:.4g} to {last:.4g}, and on {len(rows)} training rows {told}")]


def asked_for_the_opposite(case: Case) -> list[Finding]:
    """A loss that costs more at the targets than at their mirror image, and outputs that have come to run against the targets."""
    rows, loss_fn = case.subject.train, case.loss_fn
    if rows is None or loss_fn is None or case.start is None or len(rows) < LEAST or not rows.y.is_floating_point():
        return []
    rows = rows.head(RACED_ROWS)
    outputs, before = (outputs_of(copy_of(m), rows.x).cpu().float() for m in (case.model, case.start[0]))
    y = rows.y.cpu()
    if len(torch.unique(y)) < KINDS:
        return []  # of two kinds either may be the near one
    if outputs.numel() != y.numel() or not (told := _opposed(outputs, before, y, "regression")):
        return []
    at = y.reshape(outputs.shape).float()
    columns = zip(outputs.flatten(1).T, at.flatten(1).T, strict=True) if at.ndim > 1 else [(outputs, at)]
    if not all(_correlation(z, t) < OPPOSED for z, t in columns):  # a scale and a shape are no time and no event
        return []
    other = at[torch.randperm(len(at), generator=torch.Generator().manual_seed(0))]
    right, torn, mirrored = (float(loss_fn(z, y).detach().mean()) for z in (at, other, 2 * at.mean(0) - at))
    margin = 0.1 * max(abs(right), abs(mirrored))
    if not (right - mirrored > margin and right > torn > mirrored):
        return []
    return [
        _turned(
            case, f"at the targets themselves the loss is {right:.4g}, at their mirror image {mirrored:.4g}; {told}"
        )
    ]


def avoided_as_told(case: Case) -> list[Finding]:
    """A loop whose loss cannot be looked at, and whose own metric is far worse than that of the same answers given to other rows.

    A reward that is fled has no loss that falls; that the loop's metric is the one at hand is seen by what its validations told.
    """
    rows, metric = case.subject.train, case.subject.metric
    told = [v.metric for v in case.telemetry.validations if v.metric is not None]
    if (
        case.loss_fn is not None
        or rows is None
        or metric is None
        or case.start is None
        or not told
        or len(rows) < LEAST
    ):
        return []
    if not abs(told[-1] - case.validation_metric()) < TURNED:
        return []
    rows, sign = rows.head(RACED_ROWS), 1 if metric.higher_is_better else -1
    outputs, before = (outputs_of(copy_of(m), rows.x).cpu() for m in (case.model, case.start[0]))
    y = rows.y.cpu()
    draw = torch.Generator().manual_seed(0)
    chance = [metric.of(outputs[torch.randperm(len(y), generator=draw)], y) for _ in range(DRAWS)]
    now, first = metric.of(outputs, y), metric.of(before, y)
    if not sign * (now - fmean(chance)) < -max(SURE * pstdev(chance), TURNED) or not sign * (now - first) < -TURNED:
        return []
    said = f"{metric.name} is {now:.3f} on {len(y)} training rows, where the same answers given to other rows have"
    return [_turned(case, f"{said} {fmean(chance):.3f}; with the first weights it was {first:.3f}")]


def _turned(case: Case, evidence: str) -> Finding:
    return Finding(
        "loss.wrong_sign",
        "critical",
        "loss",
        evidence,
        "what is minimised is lowest where the answers are wrong: its sign is the wrong way round",
        "minimise the negative of what should be large, e.g. −log p of the right class",
        step=case.telemetry.step,
        confidence=0.85,
        code="loss = -score.mean()",
    )


def _avoided(outputs: Tensor, before: Tensor, y: Tensor, task: Task) -> str:
    """Against answers of the same shares that know nothing of the rows: one that names a rare class always is no worse."""
    labels, said, first = labels_of(y, task), decided(outputs, task), decided(before, task)
    if labels.ndim != 1 or labels.shape != said.shape or labels.is_floating_point():
        return ""
    if min(int(labels.min()), int(said.min())) < 0:
        return ""
    count = int(max(labels.max(), said.max())) + 1
    shares = [torch.bincount(v, minlength=count).double() / len(v) for v in (labels.long(), said.long())]
    chance, right = float((shares[0] * shares[1]).sum()), float((labels == said).double().mean())
    error = math.sqrt(chance * (1 - chance) / len(labels))
    if not right < min(0.5 * chance, chance - SURE * error, float((labels == first).double().mean()) - TURNED):
        return ""
    return f"{right:.1%} of the answers are right, where as many of each class without looking would be in {chance:.1%}"


def _opposed(outputs: Tensor, before: Tensor, y: Tensor, task: Task) -> str:
    now = _correlation(outputs, y)
    if not now < min(OPPOSED, _correlation(before, y) - TURNED):
        return ""
    return f"outputs and targets have a correlation of {now:.2f}"


def _correlation(outputs: Tensor, y: Tensor) -> float:
    """NaN for another shape, or where one of them is constant."""
    z, t = outputs.double().flatten(), y.double().flatten()
    if z.shape != t.shape or not bool(z.isfinite().all()) or not float(z.std()) > 0 or not float(t.std()) > 0:
        return math.nan
    return float(torch.corrcoef(torch.stack([z, t]))[0, 1])
