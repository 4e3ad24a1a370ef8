"""What simple models reach on the data: the yardstick for a network, and a judge of labels and splits."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dressage.clock import work_seconds
from dressage.subject.features import Array, nearest, reader_of
from dressage.subject.groups import groups_of
from dressage.subject.rows import Rows, spread
from dressage.subject.task import Task, labels_of

ROWS = 2000
FOLDS = 3
LEAST = 20  # rows below which nothing is fitted
MANY_CLASSES = 12  # above this, boosting (a tree a class a round) gives way to extremely randomised trees
TARGETS = 32  # numbers of a target that are predicted; more are thinned
Predict = Callable[[Array], NDArray[np.float64]]
Fit = Callable[[Array, NDArray[Any]], Predict]


@dataclass(frozen=True, slots=True)
class Score:
    """What one simple model reaches: accuracy, or R² in a regression."""

    name: str
    score: float
    """By cross-validation on the training rows."""
    error: float
    """Its standard error over rows."""
    validation: float = math.nan
    """On the validation rows, fitted on the training rows."""
    validation_error: float = math.nan


@dataclass(frozen=True, slots=True)
class Baselines:
    """Scores of simple models; `scores[0]` is that of the largest class or the mean."""

    scores: tuple[Score, ...]
    rows: NDArray[np.int64]
    """`(M,)` which of the rows given were used."""
    targets: NDArray[Any]
    """`(M,)` numbers of classes as they stand in `classes`, or `(M, K)` values."""
    classes: NDArray[np.int64]
    """The labels that occur; empty where the task has none."""
    folds: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """What each model says of rows that it was not fitted on: `(M, C)` probabilities or `(M, K)` values."""
    validation_rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    validation_targets: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int64))
    validation_outputs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    groups: int = 0
    """Into which the rows hang together, and by which they are crossed; 0 where each stands alone."""

    @property
    def constant(self) -> Score:
        """The largest class, or the mean."""
        return self.scores[0]

    @property
    def tells(self) -> bool:
        """Whether any model beats the one that knows nothing: else accuracy is no measure of what there is to learn."""
        return self.best.score > self.constant.score + max(0.02, 2 * self.constant.error)

    @property
    def best(self) -> Score:
        """The best by cross-validation."""
        return max(self.scores, key=lambda s: s.score)


def baselines(rows: Rows, task: Task, deadline: float = math.inf, validation: Rows | None = None) -> Baselines | None:
    """Largest class or mean, nearest neighbours, a linear model and boosted trees, on at most 2000 rows.

    None where the task has more than one answer a row that is a class (a class a place), or under 20 rows.
    Models that `work_seconds()` leaves no time for are left out.
    """
    chosen = spread(len(rows), ROWS)
    target = row_targets(rows, task)
    if target is None or len(chosen) < LEAST:
        return None
    read = reader_of(rows.x[chosen])
    x = read(rows.x[chosen])
    target = target[chosen.numpy()]
    classes = np.unique(target) if task in ("classification", "binary") else np.zeros(0, np.int64)
    y: NDArray[Any] = np.searchsorted(classes, target) if len(classes) else target
    held = None if validation is None else row_targets(validation, task)
    held_rows, held_x, held_y = np.zeros(0, np.int64), None, np.zeros(0, np.int64)
    if validation is not None and held is not None and validation.x.shape[1:] == rows.x.shape[1:]:
        held_rows = spread(len(validation), ROWS).numpy()
        held_x, held_y = read(validation.x[held_rows]), held[held_rows]
        held_y = np.array([_code(classes, int(v)) for v in held_y]) if len(classes) else held_y
        if held_y.shape[1:] != y.shape[1:]:
            held_rows, held_x = np.zeros(0, np.int64), None
    groups = groups_of(rows.x[chosen])
    scores: list[Score] = []
    folds: dict[str, NDArray[np.float64]] = {}
    outputs: dict[str, NDArray[np.float64]] = {}
    for name, fit in models_for(task, len(classes), len(y)).items():
        if scores and work_seconds() >= deadline:
            break
        folds[name] = crossed(fit, x, y, groups=None if groups is None else groups.of)
        score, error = scored(folds[name], y, task)
        on_held = (math.nan, math.nan)
        if held_x is not None:
            outputs[name] = _quietly(fit, x, y)(held_x)
            on_held = scored(outputs[name], held_y, task)
        scores.append(Score(name, score, error, *on_held))
    used = chosen.numpy()
    count = 0 if groups is None else groups.count
    return Baselines(tuple(scores), used, y, classes, folds, held_rows, held_y, outputs, count)


def row_targets(rows: Rows, task: Task) -> NDArray[Any] | None:
    """`(N,)` classes or `(N, K)` numbers; None for a class a place, or targets that are not finite."""
    y = rows.y.detach().cpu()
    if y.is_complex() or y[0].numel() == 0:
        return None
    if y.is_floating_point() and not bool(torch.isfinite(y).all()):
        return None
    if task in ("classification", "binary"):
        labels = labels_of(y, task)
        return np.asarray(labels.numpy()) if labels.ndim == 1 and (y.is_floating_point() or y[0].numel() == 1) else None
    values = y.reshape(len(y), -1)
    return np.asarray(values[:, spread(values.shape[1], TARGETS)].double().numpy(), dtype=np.float64)


def models_for(task: Task, classes: int, count: int) -> dict[str, Fit]:
    """The simple models by name; the first knows nothing of the inputs."""
    is_class = task in ("classification", "binary")
    constant = _constant(classes) if is_class else (lambda x, y: lambda q: np.tile(y.mean(0), (len(q), 1)))
    found: dict[str, Fit] = {"largest class" if is_class else "mean": constant}
    if is_class and classes < 2:
        return found
    found["nearest neighbours"] = _neighbours(classes if is_class else 0, 5 if is_class else 10)
    if is_class and classes > 200:
        return found
    found["linear"] = _logistic(classes) if is_class else _ridge
    found["trees"] = _trees(is_class, classes, count)
    return found


def crossed(
    fit: Fit, x: Array, y: NDArray[Any], folds: int = FOLDS, groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """`(N, K)`: what is said of each row by a model fitted on the other folds; folds are drawn by a fixed seed.

    `groups` `(N,)` of rows that hang together: each lies in one fold.
    """
    one = np.arange(len(y)) if groups is None else groups
    fold = (np.random.default_rng(0).permutation(int(one.max()) + 1) % folds)[one]
    parts = [_quietly(fit, x[fold != k], y[fold != k])(x[fold == k]) for k in range(folds)]
    out = np.zeros((len(y), parts[0].shape[1]))
    for k, part in enumerate(parts):
        out[fold == k] = part
    return out


def scored(outputs: NDArray[np.float64], y: NDArray[Any], task: Task) -> tuple[float, float]:
    """Accuracy, or R² = 1 − Σ(z − y)² / Σ(y − ȳ)², with its standard error over rows."""
    if task in ("classification", "binary"):
        right = (outputs.argmax(1) == y).astype(np.float64)
    elif task == "multilabel":
        right = ((outputs > 0.5) == (y > 0.5)).mean(1)
    else:
        wrong, spare = np.square(outputs - y).sum(1), np.square(y - y.mean(0)).sum(1)
        total = max(float(spare.mean()), 1e-30)
        ratio = float(wrong.mean()) / total
        return 1 - ratio, float(np.std((wrong - ratio * spare) / total) / math.sqrt(len(y)))
    return float(right.mean()), float(max(right.std(), 0.5 / len(right)) / math.sqrt(len(right)))


def _code(classes: NDArray[np.int64], label: int) -> int:
    """Its place among the classes of the training rows; −1 for a class that they do not have."""
    at = int(np.searchsorted(classes, label))
    return at if at < len(classes) and classes[at] == label else -1


def _quietly(fit: Fit, x: Array, y: NDArray[Any]) -> Predict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a linear model stopped early is of no interest here
        return fit(x, y)


def _constant(classes: int) -> Fit:
    def fit(x: Array, y: NDArray[Any]) -> Predict:
        shares = np.bincount(y, minlength=classes) / len(y)
        return lambda q: np.tile(shares, (len(q), 1))

    return fit


def _neighbours(classes: int, count: int) -> Fit:
    def fit(x: Array, y: NDArray[Any]) -> Predict:
        table = np.eye(classes)[y] if classes else y.astype(np.float64)
        return lambda q: table[nearest(q, x, count)[1]].mean(1)

    return fit


def _logistic(classes: int) -> Fit:
    def fit(x: Array, y: NDArray[Any]) -> Predict:
        from sklearn.linear_model import LogisticRegression

        if len(np.unique(y)) < 2:
            return _constant(classes)(x, y)
        model = LogisticRegression(C=0.1, max_iter=50).fit(x, y)
        return lambda q: _aligned(model.predict_proba(q), model.classes_, classes)

    return fit


def _ridge(x: Array, y: NDArray[Any]) -> Predict:
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0, 1000.0)).fit(x.astype(np.float64), y)
    return lambda q: np.asarray(model.predict(q)).reshape(len(q), -1)


def _trees(is_class: bool, classes: int, count: int) -> Fit:
    import sklearn.ensemble as ensemble

    leaf = max(2, min(20, count // 30))
    boost: dict[str, Any] = {"min_samples_leaf": leaf, "max_leaf_nodes": 8, "max_bins": 32, "early_stopping": False}
    boost |= {"learning_rate": 0.2, "random_state": 0}

    def fit(x: Array, y: NDArray[Any]) -> Predict:
        if not is_class:
            if y.shape[1] == 1:
                model = ensemble.HistGradientBoostingRegressor(max_iter=30, **boost).fit(x, y[:, 0])
            else:
                model = ensemble.ExtraTreesRegressor(30, min_samples_leaf=3, max_features=0.3, random_state=0).fit(x, y)
            return lambda q: np.asarray(model.predict(q)).reshape(len(q), -1)
        if len(np.unique(y)) < 2:
            return _constant(classes)(x, y)
        if classes > MANY_CLASSES:
            model = ensemble.ExtraTreesClassifier(60, random_state=0).fit(x, y)
        else:
            model = ensemble.HistGradientBoostingClassifier(max_iter=30 if classes == 2 else 15, **boost).fit(x, y)
        return lambda q: _aligned(model.predict_proba(q), model.classes_, classes)

    return fit


def _aligned(said: NDArray[np.float64], columns: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """`(N, C)` with a column for each class, also those that the rows fitted did not have."""
    out = np.zeros((len(said), classes))
    out[:, columns] = said
    return out
