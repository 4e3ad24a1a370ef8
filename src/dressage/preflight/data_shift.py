"""Validation rows of another kind than training rows: another preparation (an affine map of them), or another population."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.data_rows import codes_of
from dressage.preflight.known import baselines_of
from dressage.subject import Rows, Subject
from dressage.subject.baselines import Baselines, Score, crossed, models_for, row_targets, scored
from dressage.subject.features import flat_of, reader_of, shares_a_scale
from dressage.subject.groups import groups_across
from dressage.subject.rows import spread

ROWS = 1000  # of each split, for telling the splits apart
LEAST = 30
TOLD_APART = 0.6  # area under the curve below which splits are of a kind; independent draws gave at most 0.56
NOTED = 0.7  # the same for a note, where no harm was shown
SURE = 4.0  # standard errors above ½
MOVED, STRETCHED = 0.25, 1.3  # shift of the mean in sds, and ratio of sds, that matter
SIGMA = 5.0
BLUR = 0.2  # mean and sd of a sample undo a map only nearly, and trees would see the rest where values are few
LOST = 0.05  # by how much a simple model must do worse on validation rows than by cross-validation, for a warning
PRIORS = 0.15  # total variation of class shares that matters
ABSENT = 0.02  # share of validation rows of classes that no training row has


@dataclass(frozen=True, slots=True)
class Apart:
    """How well a classifier tells validation rows from training rows."""

    auc: float
    error: float
    """Its standard error where both are of a kind."""

    @property
    def is_shift(self) -> bool:
        """Whether it is beyond noise and large."""
        return self.auc > max(TOLD_APART, 0.5 + SURE * self.error)


def split_shift(subject: Subject, deadline: float) -> list[Finding]:
    """Validation rows that a classifier tells from training rows, or with other class shares; worse where it costs score."""
    train, held = subject.train, subject.validation
    if train is None or held is None or train.x.shape[1:] != held.x.shape[1:] or train.x[0].numel() == 0:
        return []
    priors = _priors(subject)
    if min(len(train), len(held)) < LEAST:
        return priors
    found = told_apart(train, held)
    if not found.is_shift:
        return priors
    known = baselines_of(subject, deadline)
    lost = _lost(subject, known, deadline)
    for undone in _undone(train, held):
        left = told_apart(train, undone, BLUR)
        if left.is_shift and not _is_most(found, left):
            continue
        mended = None if known is None else _mended(subject, undone, known)
        if mended is not None and mended.after < mended.before - LOST:
            continue  # rows that were as they should be: others, not prepared otherwise
        if left.is_shift and (mended is None or not mended.is_whole):
            continue
        mismatch = _mismatch(subject, found, left, mended)
        if mismatch.is_harmful or lost is None:
            return [mismatch]
    if any(f.is_harmful for f in priors):
        return priors
    if lost is None and found.auc < NOTED:
        return priors
    seen = f"a classifier tells validation rows from training rows with an area under the curve of {found.auc:.3f}"
    seen += f" (½ ± {found.error:.3f} for rows of one kind)"
    return [_shift("validation inputs", seen, lost, {"auc": found.auc}), *priors]


@dataclass(frozen=True, slots=True)
class Mended:
    """A simple model's score on validation rows as they are, on the same rows brought back, and on training rows."""

    name: str
    before: float
    after: float
    training: float
    """By cross-validation."""

    @property
    def is_whole(self) -> bool:
        """Whether it gains, and then does as well as in training."""
        return self.after - self.before >= LOST and self.after > self.training - LOST


def told_apart(train: Rows, held: Rows, blur: float = 0.0) -> Apart:
    """Area under the curve by cross-validation, the larger of a linear model's and boosted trees'; each row counts once.

    Rows that hang together lie in one fold, and count once: else a model tells persons apart, and not the splits.
    `blur` is the sd of noise that is added to features of sd 1.
    """
    own, other = _distinct(train), _distinct(held)
    other = other[~np.isin(codes_of(held)[other], codes_of(train))]
    if min(len(own), len(other)) < LEAST:
        return Apart(0.5, 0.5)
    own, other = own[spread(len(own), ROWS).numpy()], other[spread(len(other), ROWS).numpy()]
    read = reader_of(train.x)
    x = np.concatenate([read(train.x[own]), read(held.x[other])])
    x += np.random.default_rng(0).normal(0, max(blur, 1e-9), x.shape).astype(np.float32)
    y = np.concatenate([np.zeros(len(own), np.int64), np.ones(len(other), np.int64)])
    groups = groups_across(train.x[own], held.x[other])
    counts = (len(own), len(other)) if groups is None else (len(np.unique(groups[0])), len(np.unique(groups[1])))
    models = models_for("binary", 2, len(y))
    one = None if groups is None else np.concatenate(groups)
    aucs = [_auc(crossed(models[name], x, y, groups=one)[:, 1], y) for name in ("linear", "trees")]
    return Apart(max(aucs), math.sqrt((sum(counts) + 1) / (12 * counts[0] * counts[1])))


def _distinct(rows: Rows) -> NDArray[np.int64]:
    return np.sort(np.unique(codes_of(rows), return_index=True)[1])


def _auc(said: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """P(a validation row is given more than a training row), ties counted half."""
    low = np.sort(said[y == 0])
    high = said[y == 1]
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))


def _undone(train: Rows, held: Rows) -> Iterator[Rows]:
    """Validation rows brought to mean and sd of the training rows, in each way in which these differ.

    Where columns share a scale: by one map a channel, by the same with its sign turned (an inverted picture), and by
    a map a column; elsewhere by a map a column.
    """
    own, other = flat_of(train.x).astype(np.float64), flat_of(held.x).astype(np.float64)
    each = np.arange(own.shape[1])
    ways = [(_channels(train.x), 1), (_channels(train.x), -1), (each, 1)] if shares_a_scale(train.x) else [(each, 1)]
    for groups, sign in ways:
        stretch, shift, moved = np.ones(own.shape[1]), np.zeros(own.shape[1]), []
        for group in range(int(groups.max()) + 1):
            columns = groups == group
            a, b = own[:, columns], other[:, columns]
            if a.std() == 0 or b.std() == 0:
                continue
            stretch[columns] = sign * a.std() / b.std()
            shift[columns] = a.mean() - b.mean() * sign * a.std() / b.std()
            moved.append(_is_moved(a, b))
        if moved and np.mean(moved) >= 0.5:
            values = torch.from_numpy((other * stretch + shift).astype(np.float32)).reshape(held.x.shape)
            yield Rows(values, held.y, held.total, held.index, held.order, held.batch_size)


def _channels(x: Tensor) -> NDArray[np.int64]:
    """`(D,)` the channel of each column of an image; one for all of a row that has none."""
    shape = tuple(x.shape[1:])
    if len(shape) != 3 or min(shape[0], shape[-1]) > 4:
        return np.zeros(int(np.prod(shape)), np.int64)
    first = shape[0] <= 4
    channels = np.arange(shape[0] if first else shape[-1]).reshape((-1, 1, 1) if first else (1, 1, -1))
    return np.asarray(np.broadcast_to(channels, shape).reshape(-1))


def _is_moved(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether mean or sd differ beyond 5 standard errors (of rows, whose values hang together) and by an amount that matters."""
    gap, ratio = abs(b.mean() - a.mean()) / a.std(), b.std() / a.std()
    if gap < MOVED and 1 / STRETCHED < ratio < STRETCHED:
        return False
    rows_a, rows_b = a.mean(1), b.mean(1)
    noise = math.sqrt(rows_a.var() / len(a) + rows_b.var() / len(b)) + 1e-12
    squares_a, squares_b = np.square(a - a.mean()).mean(1), np.square(b - b.mean()).mean(1)
    noise_squares = math.sqrt(squares_a.var() / len(a) + squares_b.var() / len(b)) + 1e-12
    far_mean = abs(b.mean() - a.mean()) > SIGMA * noise and gap >= MOVED
    far_sd = abs(squares_b.mean() - squares_a.mean()) > SIGMA * noise_squares and not 1 / STRETCHED < ratio < STRETCHED
    return bool(far_mean or far_sd)


def _is_most(found: Apart, left: Apart) -> bool:
    """Whether hardly anything is left of what told the splits apart: test sets that others collected differ a little anyway."""
    return left.auc - 0.5 < (found.auc - 0.5) / 2


def _mismatch(subject: Subject, found: Apart, left: Apart, mended: Mended | None) -> Finding:
    assert subject.train is not None and subject.validation is not None
    own, other = flat_of(subject.train.x), flat_of(subject.validation.x)
    seen = f"inputs have mean {own.mean():.3g} and sd {own.std():.3g} in training, {other.mean():.3g} and {other.std():.3g}"
    seen += f" in validation; a classifier tells them apart (area under the curve {found.auc:.3f}), and"
    seen += f" hardly ({left.auc:.3f})" if left.is_shift else " no longer"
    seen += " once validation is brought to the mean and sd of training"
    if mended is not None:
        seen += f"; {mended.name.lower()} then score {mended.after:.3f} on it instead of {mended.before:.3f}"
    harm = mended is not None and mended.after - mended.before >= LOST
    return Finding(
        "eval.preprocess_mismatch",
        "warning" if harm else "info",
        "validation inputs",
        seen,
        "validation rows are prepared otherwise than training rows: another scaling, or the statistics of another split",
        "prepare both splits by one function, with mean and sd of the training rows",
        confidence=0.9 if harm else 0.6,
        code="x_val = (x_val - mean_train) / sd_train",
        numbers={"auc": found.auc},
    )


def _mended(subject: Subject, undone: Rows, known: Baselines) -> Mended | None:
    """The simple model that gains most of those that are good in training, and is as good then, if one is.

    A map from samples is near the true one, and a tree's thresholds may lie in between.
    """
    assert subject.train is not None and subject.task is not None
    if not len(known.validation_rows):
        return None
    read = reader_of(subject.train.x[known.rows])
    x, held = read(subject.train.x[known.rows]), read(undone.x[known.validation_rows])
    tried: list[Mended] = []
    for score in known.scores[1:]:
        if score.score < known.best.score - 2 * LOST:
            continue
        fit = models_for(subject.task, len(known.classes), len(known.targets))[score.name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = fit(x, known.targets)(held)
        after = scored(outputs, known.validation_targets, subject.task)[0]
        tried.append(Mended(score.name, score.validation, after, score.score))
    return max(tried, key=lambda t: (t.is_whole, t.after - t.before), default=None)


def _lost(subject: Subject, known: Baselines | None, deadline: float) -> Score | None:
    """The same where most training rows repeat others only if it holds of distinct rows: copies in all folds flatter each model."""
    lost = None if known is None else _loss_of(known)
    train = subject.train
    if lost is None or train is None or len(kept := torch.from_numpy(_distinct(train))) > 0.5 * len(train):
        return lost
    once = replace(train, x=train.x[kept], y=train.y[kept], total=len(kept), index=train.index[kept])
    honest = baselines_of(replace(subject, train=once), deadline)
    return None if honest is None else _loss_of(honest)


def _loss_of(known: Baselines) -> Score | None:
    """The best simple model, if it does worse on validation rows than by cross-validation beyond the noise of both."""
    best = known.best
    if not math.isfinite(best.validation) or best is known.constant:
        return None
    noise = math.hypot(best.error, best.validation_error)
    return best if best.score - best.validation > max(LOST, 2 * noise) else None


def _priors(subject: Subject) -> list[Finding]:
    """Class shares that differ between the splits beyond sampling; a warning where validation has classes of its own."""
    if subject.train is None or subject.validation is None or subject.task not in ("classification", "binary"):
        return []
    own, other = row_targets(subject.train, subject.task), row_targets(subject.validation, subject.task)
    if own is None or other is None or min(len(own), len(other)) < LEAST:
        return []
    classes, codes = np.unique(np.concatenate([own, other]), return_inverse=True)
    codes = codes.reshape(-1)

    def variation(order: NDArray[np.int64]) -> float:
        a, b = codes[order[: len(own)]], codes[order[len(own) :]]
        shares = [np.bincount(part, minlength=len(classes)) / len(part) for part in (a, b)]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)

    random = np.random.default_rng(0)
    real = variation(np.arange(len(codes)))
    usual = max(variation(random.permutation(len(codes))) for _ in range(200))
    absent = float((~np.isin(other, own)).mean())
    if real < PRIORS or real <= 1.2 * usual:
        return []
    seen = f"class shares of the splits differ by {real:.0%} (total variation; chance gives at most {usual:.0%})"
    if absent < ABSENT:
        return [_shift("validation targets", seen, None, {"variation": real})]
    seen += f"; {absent:.0%} of the validation rows are of classes that no training row looked at has"
    return [_shift("validation targets", seen, None, {"variation": real, "absent": absent}, harm=True)]


def _shift(where: str, seen: str, lost: Score | None, numbers: dict[str, float], *, harm: bool = False) -> Finding:
    if lost is not None:
        seen += (
            f"; {lost.name} score {lost.score:.3f} by cross-validation on training rows and {lost.validation:.3f} there"
        )
    harm = harm or lost is not None
    return Finding(
        "data.split_shift",
        "warning" if harm else "info",
        where,
        seen,
        "training and validation rows are not of one population"
        + (", and what holds on one fails on the other" if harm else ""),
        "shuffle (by groups, where rows hang together) before splitting, and let validation and test be of one kind",
        confidence=0.85 if harm else 0.4,
        code="train, val = train_test_split(rows, stratify=labels, random_state=0)",
        numbers=numbers,
    )


CHECKS = (("data.split_shift", "validation rows of another kind or preparation than training rows", split_shift),)
