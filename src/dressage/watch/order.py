"""The order in which a loop takes its rows: read off the first batches that were seen."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.data_order import label_run_evidence
from dressage.watch.aligned import rows_in
from dressage.watch.case import Case
from dressage.watch.compared import SAID
from dressage.watch.tournament import as_it_is

FEW = 0.25
"""Of the usual share of pairs of unlike classes, below which a batch has hardly any."""


def no_shuffle(case: Case) -> list[Finding]:
    """Batches follow the order of the data, in which equal labels stand together, and shuffled ones are learned better."""
    rows = case.subject.train
    if rows is None or case.telemetry.step < 30 or not rows.is_whole:
        return []
    if rows.order == "shuffled" or not _in_order(rows.x, case.batches):
        return []
    size = max(2, rows.batch_size)
    runs = label_run_evidence(rows.y.reshape(len(rows), -1)[:, 0].cpu().numpy(), rows.index, size)
    if runs is None or not runs.are_runs:
        return []
    _, metric = case.now()
    found = as_it_is(case, min(200, case.telemetry.step))
    better = found is not None and found.metric > metric + 0.03
    if not better and not case.telemetry.validations:
        return []
    said = (
        f"; shuffled, {found.steps} steps reach {found.metric:.3f} instead of {metric:.3f}" if better and found else ""
    )
    return [
        Finding(
            "data.no_shuffle",
            "warning" if better else "info",
            "training batches",
            f"batches follow the order of the rows, in which like targets stand together{said}",
            "each batch shows a few classes only, so that the network learns one and forgets the others",
            "shuffle the rows anew in each epoch",
            step=case.telemetry.step,
            code="DataLoader(..., shuffle=True)",
            confidence=0.9,
        )
    ]


def no_pairs(case: Case) -> list[Finding]:
    """A loss that compares the rows of a batch is served batches of one class: it has hardly a pair to tell apart."""
    rows = case.subject.train
    if rows is None or SAID not in case.subject.notes or rows.y.ndim != 1 or not rows.is_whole:
        return []
    if rows.order == "shuffled" or rows.batch_size < 2 or not _in_order(rows.x, case.batches):
        return []
    unlike = [_unlike(batch) for batch in torch.split(rows.y, rows.batch_size)]
    share, usual = sum(unlike) / len(unlike), _unlike(rows.y)
    if not share < FEW * usual:
        return []
    return [
        Finding(
            "data.no_shuffle",
            "warning",
            "training batches",
            f"batches follow the order of the rows, in which like targets stand together: two rows of a batch are of unlike "
            f"classes in {share:.0%}, two rows of all in {usual:.0%}, and the loss compares the rows of a batch",
            "each batch shows one class, and the loss has nothing to keep it apart from",
            "shuffle the rows anew in each epoch, or draw some of several classes into each batch",
            step=case.telemetry.step,
            code="DataLoader(..., shuffle=True)",
            confidence=0.9,
            numbers={"share": share, "usual": usual},
        )
    ]


def _unlike(y: Tensor) -> float:
    """The probability that two rows are of unlike classes, 1 − Σ p²."""
    shares = torch.unique(y, return_counts=True)[1].double() / max(1, len(y))
    return 1 - float(shares.square().sum())


def _in_order(x: Tensor, batches: list[Tensor]) -> bool:
    """Whether the rows of each batch stand next to one another in `x`."""
    if len(batches) < 2 or batches[0].shape[1:] != x.shape[1:]:
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
