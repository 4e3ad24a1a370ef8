"""Validation rows of the same groups as training rows: whether a network that knows the groups is flattered by them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight.known import quietly
from dressage.subject import Subject, advance, lab_of, outputs_of
from dressage.subject.groups import groups_across
from dressage.subject.rows import spread
from dressage.subject.task import default_metric

ROWS = (2000, 1000)  # of training and validation that are looked at
CROSSING = 0.2  # share of validation rows whose group is in training too
OPTIMISM = 0.05  # points by which rows of known groups are answered better than rows of others
SURE = 2.0  # standard errors, over groups
STEPS, SECONDS = 400, 4.0
DRAWS = 40


def shared_groups(subject: Subject, deadline: float, steps: int = STEPS) -> list[Finding]:
    """Groups of rows that lie in both splits, where a network that was shown half of them does worse on the other half.

    Nothing where it does as well: then it has learned what holds for all groups, and the split does not flatter it.
    """
    train, held = subject.train, subject.validation
    if train is None or held is None or subject.task is None or train.x.shape[1:] != held.x.shape[1:]:
        return []
    chosen, asked = spread(len(train), ROWS[0]), spread(len(held), ROWS[1])
    found = groups_across(train.x[chosen], held.x[asked])
    if found is None:
        return []
    own, other = found
    crossing = np.isin(other, own)
    if crossing.mean() < CROSSING:
        return []
    scores = quietly(_known_and_new, subject, chosen, own, steps, min(deadline, work_seconds() + SECONDS))
    if scores is None or not scores[0] - scores[1] > max(OPTIMISM, SURE * scores[2]):
        return []
    count = len(np.unique(own))
    seen = f"{len(own)} training rows hang together in {count} groups, and {crossing.mean():.0%} of the validation rows are"
    seen += f" of one of these; a copy trained on half of the groups scores {scores[0]:.3f} on further rows of them and"
    seen += f" {scores[1]:.3f} ± {scores[2]:.3f} on rows of the others"
    return [
        Finding(
            "data.leakage",
            "warning",
            "validation rows",
            seen,
            "rows that hang together (of one person, film, document; copies with noise) lie in both splits, so that the"
            " validation score tells what was memorised",
            "split by group, and make noisy copies only after splitting",
            confidence=0.85,
            code="train, val = next(GroupShuffleSplit(test_size=0.2).split(x, y, groups))",
            numbers={"share": float(crossing.mean()), "affected": scores[0], "rest": scores[1]},
        )
    ]


def _known_and_new(
    subject: Subject, chosen: Tensor, own: NDArray[np.int64], steps: int, deadline: float
) -> tuple[float, float, float] | None:
    """Metric of a copy on rows of groups that it was shown other rows of, on rows of other groups, and the latter's error."""
    lab = lab_of(subject)
    if lab is None or subject.task is None or not bool(torch.isfinite(lab.x).all()):
        return None
    random = np.random.default_rng(0)
    shown = (random.permutation(int(own.max()) + 1) % 2 == 0)[own]
    kept = random.random(len(own)) < 0.75
    parts = [torch.from_numpy(np.flatnonzero(rows)) for rows in (shown & kept, shown & ~kept, ~shown)]
    if min(map(len, parts)) < 20:
        return None
    x, y = lab.x[chosen], lab.y[chosen]
    try:
        tried = advance(replace(lab, x=x[parts[0]], y=y[parts[0]], metric=None), steps, deadline=deadline)
        if tried.model is None or tried.diverged:
            return None
        judge = default_metric(subject.task).of
        known, new = (outputs_of(tried.model, x[rows]).cpu() for rows in parts[1:])
        of, targets = own[parts[2].numpy()], y[parts[2]].cpu()
        drawn = [_again(of, random) for _ in range(DRAWS)]
        error = float(np.std([judge(new[rows], targets[rows]) for rows in drawn]))
        scores = judge(known, y[parts[1]].cpu()), judge(new, targets), error
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None
    return scores if all(map(math.isfinite, scores)) else None


def _again(groups: NDArray[np.int64], random: np.random.Generator) -> Tensor:
    """Rows of as many groups, drawn with repeats."""
    names = np.unique(groups)
    return torch.from_numpy(np.concatenate([np.flatnonzero(groups == g) for g in random.choice(names, len(names))]))
