"""Metrics of a classification from probabilities and true classes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dressage.evaluate.format import ClassScore, Confused, Estimate
from dressage.evaluate.intervals import (
    Floats,
    auc_interval,
    bootstrap,
    estimate,
    logit_interval,
    mean_of_proportions,
    wilson,
)

Ints = NDArray[np.int64]
SMALLEST = float(np.finfo(np.float32).eps)  # a true class of probability 0 costs −log of this, as in scikit-learn


def confusion_matrix(y: Ints, predicted: Ints, classes: int) -> Ints:
    """`(C, C)` counts, [true][predicted]. A prediction below 0 (none was made) is left out."""
    made = predicted >= 0
    flat = np.bincount(y[made] * classes + predicted[made], minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def accuracy(right: int, n: int) -> Estimate:
    """Share of the rows that are right, with Wilson's interval."""
    return estimate(right / n if n else math.nan, *wilson(right, n))


def balanced_accuracy(right: Ints, n: Ints) -> Estimate:
    """Mean recall over the classes that occur (Brodersen et al. 2010); `right` and `n` are counts a class, `(C,)`."""
    there = n > 0
    if not there.any():
        return estimate(math.nan)
    k, m = right[there].astype(np.float64), n[there].astype(np.float64)
    return estimate(float(np.mean(k / m)), *mean_of_proportions(k, m))


def macro_f1(confusion: Ints, n: Ints) -> Estimate:
    """Mean F1 over the classes that occur in truth or prediction: F1 = 2 tp / (rows + predictions of the class).

    The interval is the delta method's, with the covariance between classes, on the logit scale (Takahashi et al. 2022,
    Appl. Intell. 52). With no error, or nothing right, it has no variance and the accuracy's limits are given.
    """
    right = np.diag(confusion).astype(np.float64)
    total = n + confusion.sum(0).astype(np.float64)
    there = total > 0
    f1 = np.divide(2 * right, total, out=np.zeros_like(right), where=there)
    value = float(f1[there].mean())
    if not 0 < value < 1:
        return estimate(value, *wilson(int(right.sum()), int(n.sum())))
    # What one more row in cell (t, p) does to the sum of the F1s: 2(1 − F)/total when right, −F_t/total_t − F_p/total_p
    # when wrong.
    pull = np.divide(f1, total, out=np.zeros_like(f1), where=there)
    effect = -(pull[:, None] + pull[None, :])
    np.fill_diagonal(effect, np.divide(2 * (1 - f1), total, out=np.zeros_like(f1), where=there))
    unanswered = n - confusion.sum(1)
    squares = float(np.sum(confusion * effect**2) + np.sum(unanswered * pull**2))
    return estimate(value, *logit_interval(value, squares / int(there.sum()) ** 2))


def log_loss(probability_true: Floats, seed: int) -> Estimate:
    """Mean of −log p(true class) in nats, bootstrapped; `probability_true (N,)`. Not defined if one is not finite."""
    loss = -np.log(np.clip(probability_true, SMALLEST, 1.0))
    if not len(loss) or not np.isfinite(loss).all():
        return estimate(math.nan)
    return estimate(float(loss.mean()), *bootstrap(loss[:, None], lambda means: means[:, 0], seed))


def roc_auc(score: Floats, y: Ints) -> Estimate:
    """Area under the ROC curve of two classes: P(score of a 1 > score of a 0), ties half; `score (N,)`, `y` 0 or 1."""
    positive = int(y.sum())
    negative = len(y) - positive
    if not positive or not negative or not np.isfinite(score).all():
        return estimate(math.nan)
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    area = (float(rank[y == 1].sum()) - positive * (positive + 1) / 2) / (positive * negative)
    return estimate(area, *auc_interval(area, positive, negative))


def per_class(confusion: Ints, n: Ints, names: list[str]) -> list[ClassScore]:
    """Precision, recall and F1 of each class with Wilson's intervals.

    F1 = 2J/(1 + J) rises with J = tp / (tp + fp + fn), which is a proportion, so its limits come from those of J.
    """
    scores: list[ClassScore] = []
    predictions = confusion.sum(0)
    for i, name in enumerate(names):
        right, rows, guessed = int(confusion[i, i]), int(n[i]), int(predictions[i])
        union = rows + guessed - right
        low, high = (2 * j / (1 + j) for j in wilson(right, union))
        f1 = estimate(2 * right / (rows + guessed) if union else math.nan, low, high)
        precision, recall = accuracy(right, guessed), accuracy(right, rows)
        scores.append({"name": name, "n": rows, "precision": precision, "recall": recall, "f1": f1})
    return scores


def confused_pairs(confusion: Ints, n: Ints, names: list[str], most: int = 10) -> list[Confused]:
    """The commonest pairs (true, predicted) off the diagonal; of equal counts the larger share of its class first."""
    off = confusion.copy()
    np.fill_diagonal(off, 0)
    true, predicted = np.nonzero(off)
    counts = off[true, predicted]
    shares = counts / n[true]
    order = np.lexsort((predicted, true, -shares, -counts))[:most]
    return [
        {"true": names[true[i]], "predicted": names[predicted[i]], "count": int(counts[i]), "share": float(shares[i])}
        for i in order
    ]
