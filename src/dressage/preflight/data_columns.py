"""A column that gives the target away: alone it tells it almost without error, which all others together do not."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from dressage.findings import Finding
from dressage.preflight.pure_values import has_pure_value, told_by_values
from dressage.subject import Subject, Task
from dressage.subject.baselines import Fit, crossed, models_for, row_targets, scored
from dressage.subject.features import Array, flat_of, is_tokens, reader_of
from dressage.subject.groups import groups_of
from dressage.subject.inputs import untold_columns
from dressage.subject.rows import spread

ALONE = 0.99  # accuracy of a column alone; the best of iris reaches 0.95, of breast_cancer 0.92
NEARLY_ALONE = 0.97  # the same of a column of which one value, held by many rows, is of one class without exception
ALONE_R2 = 0.995
TIMES = 5.0  # times by which all other columns err more
TRIED = 3  # columns that are looked at closely
NEARLY = 0.98  # share of what the best column tells of the target, from which another holds the same
NAMED = 10
ROWS, COLUMNS = 1000, 4096


def leaking_column(subject: Subject, deadline: float) -> list[Finding]:
    """Columns that equal the target or determine it, while the others, though they speak of it, err.

    Of series and images each place is a column. Nothing for a target that only these columns speak of: a law of one
    variable, or of the one place that has to be remembered, is no leak.
    """
    train, task = subject.train, subject.task
    if train is None or task is None or is_tokens(train.x) or task == "multilabel" or not len(train):
        return []
    target = row_targets(train, task)
    if not 3 <= train.x[0].numel() <= COLUMNS or len(train) < 50 or target is None or target[0].size != 1:
        return []
    chosen = spread(len(train), ROWS)
    first = np.sort(np.unique(flat_of(train.x[chosen]), axis=0, return_index=True)[1])  # a repeat tells any target
    chosen = chosen[torch.from_numpy(first)]
    if len(chosen) < 50 or groups_of(train.x[chosen]) is not None:
        return []  # rows that hang together tell each other's target
    x, y = flat_of(train.x[chosen]), target[chosen.numpy()]
    x[:, untold_columns(subject.model)] = 0  # given on purpose; whether it is answered with is seen once it is trained
    classes = len(np.unique(y)) if task != "regression" else 0
    y = np.unique(y, return_inverse=True)[1].reshape(-1) if classes else y
    if classes == 1 or classes > 50:
        return []
    given, (score, own_error) = _given(x, y, task, classes)
    told = np.ones(len(y), np.bool_)
    if not given:
        pure = told_by_values(x, y, classes) if classes else None
        if pure is None:
            return []
        given, told = [pure[0]], pure[1]
        score = 1 - 1 / int(told.sum())
    others = torch.from_numpy(np.delete(x, given, axis=1))
    rest, error, chance = _rest(others, y, task, classes, told)
    noise = math.hypot(error, own_error)
    told_by_others = rest > chance + 3 * error + 0.05
    if not told_by_others or 1 - rest < TIMES * (1 - score) or 1 - rest < 0.01 or score - rest < 2 * noise:
        return []
    names = [str(subject.names[c]) if len(subject.names) == x.shape[1] else str(c) for c in given]
    unit = "accuracy" if classes else "R²"
    return [
        Finding(
            "data.leakage",
            "warning",
            f"column{'s' * (len(names) > 1)} {', '.join(names[:NAMED])}" + (" …" if len(names) > NAMED else ""),
            _said(len(given), told, unit, score) + f"; all other columns together {rest:.3f} ± {error:.3f}",
            "a column holds the target itself, or what is known only once the target is",
            "leave it out unless it is known when predicting",
            confidence=0.8,
            code=f"x = np.delete(x, {given[:NAMED]}, axis=1)",
            numbers={"alone": score, "rest": rest},
        )
    ]


def _said(count: int, told: NDArray[np.bool_], unit: str, score: float) -> str:
    if told.all():
        return f"alone {'it reaches' if count == 1 else 'these reach'} {unit} {score:.3f}"
    return (
        f"{told.sum()} of {len(told)} rows hold one of a few values of it that only rows of one class hold, without exception"
        f"; for these rows it tells the class"
    )


def _given(x: Array, y: NDArray[np.generic], task: Task, classes: int) -> tuple[list[int], tuple[float, float]]:
    """Columns each of which alone gives the target, or which do so together, a class each; their score and its error."""
    told = _told(x, y, classes)
    strongest = np.argsort(-told, kind="stable")
    like = strongest[told[strongest] >= NEARLY * told[strongest[0]]]  # a target that is there again and again
    alone = {int(c): scored(crossed(_stump(classes), x[:, [c]], y), y, task) for c in strongest[:TRIED]}
    bound = ALONE if classes else ALONE_R2
    given = [c for c, (score, _) in alone.items() if score >= (NEARLY_ALONE if has_pure_value(x[:, c], y) else bound)]
    if given:
        return sorted({*given, *like.tolist()}), max(alone[c] for c in given)
    marks = _marks(x, y, classes) if classes > 2 else []
    together = scored(crossed(_stump(classes), x[:, marks], y), y, task) if marks else (0.0, 0.0)
    return (marks, together) if together[0] >= bound else ([], together)


def _marks(x: Array, y: NDArray[np.generic], classes: int) -> list[int]:
    """A column for each class but one at least that says whether a row is of it, as those of a one-hot target do."""
    two_valued = [c for c in range(x.shape[1]) if len(np.unique(x[:, c])) == 2]
    if len(two_valued) < classes - 1:
        return []
    said = [_told(x[:, two_valued], (y == label).astype(np.int64), 2) for label in range(classes)]
    marks = {two_valued[int(s.argmax())] for s in said if s.max() >= NEARLY}
    return sorted(marks) if len(marks) >= classes - 1 else []


def _told(x: Array, y: NDArray[np.generic], classes: int) -> NDArray[np.float64]:
    """`(D,)`: share of the variance of each column's ranks that the target explains."""
    ranks = x.argsort(0, kind="stable").argsort(0, kind="stable").astype(np.float64)
    # Rows of equal value get the mean of their ranks: a column of two values must not look like noise.
    for column in range(x.shape[1]):
        _, inverse = np.unique(x[:, column], return_inverse=True)
        ranks[:, column] = (np.bincount(inverse, ranks[:, column]) / np.bincount(inverse))[inverse]
    ranks -= ranks.mean(0)
    total = np.maximum(np.square(ranks).sum(0), 1e-12)
    if not classes:
        other = np.argsort(np.argsort(y[:, 0], kind="stable"), kind="stable").astype(np.float64)
        other -= other.mean()
        return np.asarray(np.square(other @ ranks) / (np.square(other).sum() * total))
    between = np.zeros(x.shape[1])
    for label in range(classes):
        part = ranks[y == label]
        between += len(part) * np.square(part.mean(0))
    return np.asarray(between / total)


def _stump(classes: int) -> Fit:
    def fit(x: Array, y: NDArray[np.generic]):  # type: ignore[no-untyped-def]
        """A tree of few leaves on one column; of values that lie on a line, the line."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if not classes:
            steps = DecisionTreeRegressor(min_samples_leaf=2, random_state=0).fit(x, y)
            slope, offset = np.polyfit(x[:, 0].astype(np.float64), y[:, 0].astype(np.float64), 1)
            error = np.square(slope * x[:, 0] + offset - y[:, 0]).mean()
            if error < 1e-4 * np.var(y.astype(np.float64)):  # an exact line, which steps only come near to
                return lambda q: (slope * q[:, :1] + offset).astype(np.float64)
            return lambda q: np.asarray(steps.predict(q)).reshape(len(q), 1)
        model = DecisionTreeClassifier(max_leaf_nodes=4 * classes, min_samples_leaf=2, random_state=0).fit(x, y)
        return lambda q: np.eye(classes)[model.predict(q).astype(np.int64)]

    return fit


def _rest(x, y, task: Task, classes: int, rows) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    """Best score of the simple models on some of the rows, its error, and what knowing nothing scores."""
    features = reader_of(x)(x)
    said = [crossed(fit, features, y)[rows] for fit in models_for(task, classes, len(y)).values()]
    scores = [scored(outputs, y[rows], task) for outputs in said]
    return *max(scores), max(0.0, scores[0][0])


CHECKS = (("data.leaking_column", "a column that gives the target away", leaking_column),)
