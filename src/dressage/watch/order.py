"""The order in which a loop takes its rows: read off the first batches that were seen."""

from __future__ import annotations

import math
from collections import Counter

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.data_order import label_run_evidence
from dressage.subject import Rows
from dressage.watch.aligned import places_in
from dressage.watch.case import Case
from dressage.watch.compared import SAID
from dressage.watch.struggle import actual
from dressage.watch.tournament import as_it_is

LOOKED, LEAST = 64, 5
"""Rows of a batch that are looked for in the data, and rows that have to be found."""
SAMPLE, FOLLOWING = 0.8, 0.8
"""Share of those that a sample of the data should hold, and of these, that follow one another as in the data."""
DRAWN = 0.5
"""Share below which rows do not follow as in the data."""
SAMPLED = 4
"""Rows of a sample in each batch, of which the order is told."""
FEW = 0.25
"""Of the usual share of pairs of unlike classes, below which a batch has hardly any."""


def no_shuffle(case: Case) -> list[Finding]:
    """Batches follow the order of the data, in which equal labels stand together, and shuffled ones are learned better."""
    rows = case.subject.train
    if rows is None or case.telemetry.step < 30:
        return []
    if rows.order == "shuffled" or not _in_order(rows, case.batches):
        return []
    size = max(2, rows.batch_size, SAMPLED * rows.total // len(rows))
    runs = label_run_evidence(rows.y.reshape(len(rows), -1)[:, 0].cpu().numpy(), rows.index, size)
    if runs is None or not runs.are_runs:
        return []
    _, metric = actual(case)
    found = as_it_is(case, min(200, case.telemetry.step))
    better = found is not None and found.metric > metric + 0.03
    if not better and not case.telemetry.validations:
        return []
    instead = f"{metric:.3f}" if math.isfinite(metric) else "numbers that are not finite"
    said = f"; shuffled, {found.steps} steps reach {found.metric:.3f} instead of {instead}" if better and found else ""
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


def is_served_otherwise(case: Case) -> bool:
    """Whether the loop was seen to draw its batches by itself, whatever the order of what it gave."""
    rows = case.subject.train
    if rows is None or rows.order != "fixed":
        return False
    found, following = _placed(rows, case.batches)
    return following < DRAWN * found


def no_pairs(case: Case) -> list[Finding]:
    """A loss that compares the rows of a batch is served batches of one class: it has hardly a pair to tell apart."""
    rows = case.subject.train
    if rows is None or SAID not in case.subject.notes or rows.y.ndim != 1 or not rows.is_whole:
        return []
    if rows.order == "shuffled" or rows.batch_size < 2 or not _in_order(rows, case.batches):
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


def _in_order(rows: Rows, batches: list[Tensor]) -> bool:
    """Whether the rows of each batch stand next to one another in the data, of which a sample may be all that is known."""
    found, following = _placed(rows, batches)
    return following >= FOLLOWING * found > 0


def _placed(rows: Rows, batches: list[Tensor]) -> tuple[int, int]:
    """How many rows of the batches are among those that are known, and how many of these follow as there; 0 of too few."""
    if len(batches) < 2 or batches[0].shape[1:] != rows.x.shape[1:]:
        return 0, 0
    looked, found, following = 0, 0, 0
    for batch in batches:
        places = list(places_in(rows.x, batch[:LOOKED]))
        starts = Counter(int(rows.index[p]) - at for at, p in enumerate(places) if p is not None)
        looked, found = looked + len(places), found + starts.total()
        following += max(starts.values(), default=0) if starts.total() > 1 else 0
    return (found, following) if found >= max(LEAST, SAMPLE * looked * len(rows) / rows.total) else (0, 0)
