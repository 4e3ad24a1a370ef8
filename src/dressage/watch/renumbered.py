"""Classes that have other numbers in validation than in training: the answers are right as soon as they are renumbered."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import copy_of, decided, labels_of, outputs_of
from dressage.watch.case import RACED_ROWS, Case

LEAST = 100
"""Validation rows from which a numbering is told from chance."""
GAP = 0.3
"""Accuracy that validation lacks, and that renumbering has to bring back on rows that did not choose it."""
NEAR = 0.7
"""Share of the accuracy on training rows that it has to come to."""


def renumbered(case: Case) -> list[Finding]:
    """A network that knows its training rows, and validation rows only under other class numbers."""
    rows, (_, fitted) = case.subject.validation, case.now()
    if rows is None or case.subject.task != "classification" or len(rows) < LEAST or not fitted > GAP:
        return []
    rows = rows.head(RACED_ROWS)
    said = decided(outputs_of(copy_of(case.model), rows.x).cpu(), "classification")
    labels = labels_of(rows.y, "classification").cpu()
    if said.shape != labels.shape or said.ndim != 1 or int(labels.min()) < 0:
        return []
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    chosen, judged = order[: len(order) // 2], order[len(order) // 2 :]
    count = int(max(labels.max(), said.max())) + 1
    table = torch.bincount(said[chosen] * count + labels[chosen], minlength=count * count).reshape(count, count)
    meant = table.argmax(1)
    seen = table.sum(1) > 0
    was = float((said[judged] == labels[judged]).double().mean())
    now = float((meant[said[judged]] == labels[judged]).double().mean())
    if len(torch.bincount(meant[seen]).nonzero()) < int(seen.sum()) or now < max(was + GAP, NEAR * fitted):
        return []
    if not _is_known(case, meant[seen & (meant != torch.arange(count))]):
        return []  # rows of a class that is new are given to the class that is most like it
    swaps = ", ".join(f"{k} for {int(meant[k])}" for k in range(count) if seen[k] and int(meant[k]) != k)
    told = f"training accuracy {fitted:.3f}, validation accuracy {was:.3f}; with the answers renumbered {now:.3f} ({swaps[:80]})"
    return [
        Finding(
            "data.shuffled_labels",
            "warning",
            "validation targets",
            told,
            "a class has one number in training and another in validation",
            "number the classes once, by a sorted list of their names, and use it for all parts",
            step=case.telemetry.step,
            confidence=0.9,
            code="classes = sorted(set(train_names)); y = [classes.index(name) for name in names]",
            numbers={"validation": was, "renumbered": now},
        )
    ]


def _is_known(case: Case, numbers: Tensor) -> bool:
    """Whether training rows have any of these class numbers."""
    rows = case.subject.train
    return rows is not None and bool(torch.isin(labels_of(rows.y, "classification").cpu(), numbers).any())
