"""A network that was given its targets as an input and answers with them: beside the targets of others it does worse."""

from __future__ import annotations

import math

import torch

from dressage.findings import Finding
from dressage.subject import copy_of, metric_of, outputs_of
from dressage.subject.inputs import target_columns
from dressage.watch.case import RACED_ROWS, Case

GAP = 0.1
"""Of the metric, that it loses when its rows stand beside the targets of others, beyond what so few rows differ by."""


def answers_with_its_targets(case: Case) -> list[Finding]:
    """Rows beside the targets of others: a margin makes the own target harder to answer, a leak makes it easier."""
    rows, metric, loss = case.subject.train, case.subject.metric, case.replayed.own_loss
    copied = copy_of(case.model)
    columns = target_columns(copied)
    if rows is None or metric is None or loss is not None or not columns or rows.x.ndim != 2:
        return []
    rows = rows.head(RACED_ROWS)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    x = rows.x.clone()
    x[:, columns] = x[order][:, columns]
    own, other = (metric_of(metric, outputs_of(copied, given).cpu(), rows.y) for given in (rows.x, x))
    if not own - other > GAP + 2 * math.sqrt(0.5 / len(rows)):
        return []
    return [
        Finding(
            "data.leakage",
            "warning",
            "an input of the network",
            f"on rows beside their own targets its score is {own:.3f}, beside those of other rows {other:.3f}",
            "the target is an input of the network, which answers with it",
            "give the target to the loss alone",
            step=case.telemetry.step,
            confidence=0.95,
            code="outputs = model(x)",
            numbers={"own": own, "other": other},
        )
    ]
