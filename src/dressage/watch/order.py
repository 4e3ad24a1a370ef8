"""The order in which a loop takes its rows: read off the first batches that were seen."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import labels_of
from dressage.watch.aligned import rows_in
from dressage.watch.case import Case
from dressage.watch.tournament import race

MIXED = 0.6
"""Share of the label entropy that batches of rows in runs have at most; shuffled batches of 16 and more have 0.8 and above."""


def no_shuffle(case: Case) -> list[Finding]:
    """Batches follow the order of the data, in which equal labels stand together, and shuffled ones are learned better."""
    rows, task = case.subject.train, case.subject.task
    if rows is None or task not in ("classification", "binary") or case.telemetry.step < 30 or not rows.is_whole:
        return []
    if rows.order == "shuffled" or not _in_order(rows.x, case.batches):
        return []
    labels, size = labels_of(rows.y, task).flatten(), max(2, rows.batch_size)
    mixed = _mean_entropy(labels, size)
    if mixed > MIXED:
        return []
    _, metric = case.now()
    found = race(case, min(200, case.telemetry.step), only=("none",))
    better = found is not None and found.control.metric > metric + 0.03
    if not better and not case.telemetry.validations:
        return []
    said = (
        f"; shuffled, {found.control.steps} steps reach {found.control.metric:.3f} instead of {metric:.3f}"
        if better and found
        else ""
    )
    return [
        Finding(
            "data.no_shuffle",
            "warning" if better else "info",
            "training batches",
            f"batches follow the order of the rows, and hold {mixed:.0%} of the mixture of labels of the whole set{said}",
            "each batch shows a few classes only, so that the network learns one and forgets the others",
            "shuffle the rows anew in each epoch",
            step=case.telemetry.step,
            code="DataLoader(..., shuffle=True)",
            confidence=0.9,
            numbers={"entropy": mixed},
        )
    ]


def _in_order(x: Tensor, batches: list[Tensor]) -> bool:
    """Whether the rows of each batch stand next to one another in `x`."""
    if len(batches) < 2:
        return False
    places: list[int] = []
    for batch in batches:
        rows = rows_in(x, batch[:16])
        if rows is None:
            return False
        places += rows.tolist()
    per = min(16, min(len(b) for b in batches))
    steps = [b - a for i, (a, b) in enumerate(pairwise(places)) if (i + 1) % per]
    return bool(steps) and sum(step == 1 for step in steps) >= 0.8 * len(steps)


def _mean_entropy(labels: Tensor, size: int) -> float:
    """Mean entropy of the labels in windows of `size`, as a share of the whole set's."""
    whole = _entropy(labels)
    if whole <= 0:
        return 1.0
    windows = [w for w in torch.split(labels, size) if len(w) == size]
    most = min(whole, math.log(size))
    return sum(map(_entropy, windows)) / max(1, len(windows)) / most


def _entropy(labels: Tensor) -> float:
    shares = torch.bincount(labels).double() / max(1, len(labels))
    return float(-(shares * shares.clamp_min(1e-300).log()).sum())
