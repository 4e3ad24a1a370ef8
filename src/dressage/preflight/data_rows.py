"""Rows that occur more than once: across the splits (leakage) and within training (duplicates); chance told from copies."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from dressage.findings import Finding
from dressage.preflight.data_groups import shared_groups
from dressage.subject import Rows, Subject, Task
from dressage.subject.baselines import row_targets
from dressage.subject.features import Array, flat_of, nearest, reader_of

LEAST = 5  # copies below which nothing is said: iris and many other real sets have one or two
MATERIAL = 0.05  # share of validation rows that are copies, for a warning; from a fifth of it on, a note
REPEATED = 0.5  # share of training rows that repeat another, for a warning
OPTIMISM = 0.05  # by how much copies must flatter the score of nearest neighbours
CLOSE = 0.3  # nearest distance over that of the sixth, below which a row is taken for a near-copy
SURE = 4.0  # standard errors between the rate across splits and the rate within training
NEAR_ROWS = 2000
CROWDED = 4  # different rows that the columns' values allow, a row: up to that, chance repeats many
LATTICE = 20  # distinct rows below which repeats say nothing


def leaked_rows(subject: Subject, deadline: float) -> list[Finding]:
    """Validation rows that are training rows too, beyond what independent draws would give, or of groups that flatter."""
    train, held = subject.train, subject.validation
    if train is None or held is None or train.x.shape[1:] != held.x.shape[1:] or train.x[0].numel() == 0:
        return []
    own, other = codes_of(train), codes_of(held)
    copied = np.isin(other, own)
    seen_share = float(copied.mean())
    share = min(1.0, seen_share * train.total / len(train))  # twins may lie in training rows that were not sampled
    if copied.sum() >= LEAST and share >= MATERIAL / 5:
        within = float((_times(own) > 1).mean())
        if _exceeds(seen_share, within, len(other), len(own)) or _are_copies(train, held, own, other, copied):
            return [_leak(subject, copied, share, "are exact copies of training rows", 0.95)]
    near = _near_copies(train, held, own, other)
    if near is None:
        return shared_groups(subject, deadline)
    flags, rows = near
    share = min(1.0, float(flags.mean()) * train.total / len(train))
    if share < MATERIAL:
        return shared_groups(subject, deadline)
    told = "lie far closer to a training row than training rows lie to each other"
    return [_leak(subject, flags, share, told, 0.75, rows)]


def duplicates(subject: Subject, deadline: float) -> list[Finding]:
    """Training rows that repeat others, beyond chance: the set is smaller than it looks."""
    train = subject.train
    if train is None or train.x[0].numel() == 0 or len(train) < 20:
        return []
    codes = codes_of(train)
    repeated = _times(codes) > 1
    unique = len(np.unique(codes))
    share = min(1.0, (1 - unique / len(codes)) * train.total / len(train))
    if repeated.sum() < 2 * LEAST or share < REPEATED / 5 or not _are_copies(train, train, codes, codes, repeated):
        return []
    plain, honest = _flattered(train, codes, subject.task)
    harm = share >= REPEATED and plain - honest >= OPTIMISM and not _one_sided(train, repeated, subject.task)
    seen = f"{unique} of {len(codes)} rows looked at are distinct"
    seen += f"; the nearest row tells the target at {plain:.3f}, the nearest distinct row at {honest:.3f}"
    return [
        Finding(
            "data.duplicates",
            "warning" if harm else "info",
            "training rows",
            seen if math.isfinite(honest) else seen.split(";")[0],
            "the same rows occur again and again, so that there is less to learn from than the count says",
            "drop the repeats before splitting; a network sees each row every epoch anyway",
            confidence=0.8 if harm else 0.5,
            code="x, first = np.unique(x, axis=0, return_index=True); y = y[first]",
            numbers={"share": share, "unique": float(unique), "rows": float(len(codes))},
        )
    ]


def _leak(
    subject: Subject,
    flags: NDArray[np.bool_],
    share: float,
    told: str,
    confidence: float,
    rows: NDArray[np.int64] | None = None,
) -> Finding:
    assert subject.validation is not None and subject.train is not None
    at = subject.validation.index.numpy() if rows is None else subject.validation.index.numpy()[rows]
    inside, outside = _one_neighbour(subject, flags, rows)
    seen = f"{int(flags.sum())} of {len(flags)} validation rows looked at {told}"
    seen += f" (about {share:.0%} of the split): {', '.join(map(str, at[flags][:5].tolist()))} …"
    if math.isfinite(inside) and math.isfinite(outside):
        seen += (
            f"; the label of the nearest training row is right for {inside:.0%} of them and {outside:.0%} of the rest"
        )
    return Finding(
        "data.leakage",
        "warning" if share >= _material(subject.train) else "info",
        "validation rows",
        seen,
        "rows that were trained on are validated on, so that the validation score tells what was memorised",
        "drop the copies, and split by what they share (person, document, day) before augmenting or oversampling",
        confidence=confidence,
        code="train, val = next(GroupShuffleSplit(test_size=0.2).split(x, y, groups))",
        numbers={"share": share, "affected": inside, "rest": outside},
    )


def _material(rows: Rows | None) -> float:
    """Of token numbers more is asked: phrases of a language come again without a copy."""
    return MATERIAL if rows is None or rows.x.is_floating_point() or rows.x.dtype == torch.uint8 else 2 * MATERIAL


def codes_of(rows: Rows) -> NDArray[np.int64]:
    """`(N,)`: equal numbers for equal rows."""
    flat = np.ascontiguousarray(flat_of(rows.x) + 0.0)  # −0 becomes 0
    return np.array([hash(row.tobytes()) for row in flat], dtype=np.int64)


def _times(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse.reshape(-1)])


def _exceeds(share: float, usual: float, count: int, others: int) -> bool:
    """Whether a share of `count` rows is above another of `others` rows beyond their noise, and by half."""
    pooled = (share * count + usual * others) / (count + others)
    error = math.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / count + 1 / others))
    return share - usual > SURE * error and share > 1.5 * usual


def _are_copies(
    train: Rows, asked: Rows, own: NDArray[np.int64], codes: NDArray[np.int64], copied: NDArray[np.bool_]
) -> bool:
    """Whether rows that occur twice are copies and not chance.

    Rows that independent draws repeat come of a grid of few values: the nearest distinct row differs in a column or
    two. And they lie where rows are dense: their nearest distinct row is closer than that of other rows.
    """
    first = np.unique(own, return_index=True)[1]
    if len(first) < LATTICE or _is_grid(train):
        return False
    read = reader_of(train.x)
    base, raw = read(train.x)[first], flat_of(train.x)[first]
    chosen = np.linspace(0, len(asked) - 1, min(len(asked), NEAR_ROWS)).astype(np.int64)
    distances, numbers = nearest(read(asked.x)[chosen], base, 2)
    itself = own[first][numbers[:, 0]] == codes[chosen]
    other = np.where(itself, numbers[:, 1], numbers[:, 0])
    differing = (raw[other] != flat_of(asked.x)[chosen]).sum(1)[copied[chosen]]
    if raw.shape[1] < 2 or not len(differing) or np.median(differing) < min(3, raw.shape[1]):
        return False
    to_distinct = np.where(itself, distances[:, 1], distances[:, 0])
    repeated, alone = to_distinct[copied[chosen]], to_distinct[~copied[chosen]]
    return min(len(repeated), len(alone)) < 10 or _chance_of_more(repeated, alone) > 0.35


def _is_grid(rows: Rows) -> bool:
    """Whether there are hardly more different rows to be drawn than rows: pairs of a user and an item, say."""
    flat = flat_of(rows.x)
    if flat.shape[1] > 8:
        return False
    return math.prod(len(np.unique(column)) for column in flat.T) <= CROWDED * len(flat)


def _chance_of_more(one: Array, other: Array) -> float:
    """P(one > other) + ½ P(one = other)."""
    ordered = np.sort(other)
    below, upto = np.searchsorted(ordered, one, "left"), np.searchsorted(ordered, one, "right")
    return float((below + upto).mean() / (2 * len(other)))


def _near_copies(
    train: Rows, held: Rows, own: NDArray[np.int64], other: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]] | None:
    """Which of some validation rows lie at under 0.3 of their sixth distance, if far more do than training rows."""
    count = min(NEAR_ROWS, len(held))
    if len(train) < 50 or count < 20 or len(np.unique(own)) < 0.5 * len(own):
        return None
    rows = np.linspace(0, len(held) - 1, count).astype(np.int64)
    pick = np.linspace(0, len(train) - 1, min(NEAR_ROWS, len(train))).astype(np.int64)
    read = reader_of(train.x)
    base = read(train.x)
    across, within = nearest(read(held.x)[rows], base, 6)[0], nearest(base[pick], base, 7)[0][:, 1:]
    flags, usual = _close(across), float(_close(within).mean())
    flags &= ~np.isin(other[rows], own)
    if flags.sum() < LEAST or not _exceeds(float(flags.mean()), usual, count, len(pick)):
        return None
    return flags, rows


def _close(distances: Array) -> NDArray[np.bool_]:
    return np.asarray(distances[:, 0] < CLOSE * distances[:, -1])


def _one_neighbour(subject: Subject, flags: NDArray[np.bool_], rows: NDArray[np.int64] | None) -> tuple[float, float]:
    """Accuracy of the nearest training row's label on the rows flagged and on the rest; NaN without classes."""
    assert subject.train is not None and subject.validation is not None
    if subject.task not in ("classification", "binary"):
        return math.nan, math.nan
    own, other = row_targets(subject.train, subject.task), row_targets(subject.validation, subject.task)
    if own is None or other is None or flags.all():
        return math.nan, math.nan
    asked = np.arange(len(flags)) if rows is None else rows
    read = reader_of(subject.train.x)
    found = nearest(read(subject.validation.x)[asked], read(subject.train.x), 1)[1][:, 0]
    right = own[found] == other[asked]
    return float(right[flags].mean()), float(right[~flags].mean())


def _flattered(train: Rows, codes: NDArray[np.int64], task: Task | None) -> tuple[float, float]:
    """Score of the nearest other row, and of the nearest distinct row, at telling the target (1 − error / chance's)."""
    target = None if task is None else row_targets(train, task)
    if target is None:
        return math.nan, math.nan
    pick = np.linspace(0, len(codes) - 1, min(len(codes), NEAR_ROWS)).astype(np.int64)
    x, y, codes = reader_of(train.x)(train.x)[pick], target[pick], codes[pick]
    first = np.unique(codes, return_index=True)[1]
    plain, honest = nearest(x, x, 1, same=True)[1][:, 0], first[nearest(x[first], x[first], 1, same=True)[1][:, 0]]

    def score(said: NDArray[np.generic], real: NDArray[np.generic]) -> float:
        if task in ("classification", "binary"):
            return float((said == real).mean())
        wrong = np.square(said.astype(float) - real.astype(float)).mean()
        return float(1 - wrong / max(float(np.var(y.astype(float), axis=0).mean()), 1e-12))

    return score(y[plain], y), score(y[honest], y[first])


def _one_sided(train: Rows, repeated: NDArray[np.bool_], task: Task | None) -> bool:
    """Whether it is a class that was oversampled on purpose: some class has hardly any repeats."""
    labels = row_targets(train, task) if task in ("classification", "binary") else None
    if labels is None:
        return False
    shares = [float(repeated[labels == c].mean()) for c in np.unique(labels)]
    return min(shares) < 0.1


CHECKS = (
    ("data.leakage", "validation rows that are training rows too, or of the same groups", leaked_rows),
    ("data.duplicates", "training rows that repeat others", duplicates),
)
