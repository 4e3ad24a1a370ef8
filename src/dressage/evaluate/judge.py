"""From outputs and targets of one part to everything that evaluation.json says about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dressage.errors import DataError, DressageError
from dressage.evaluate import classification, regression
from dressage.evaluate.exhibit import short
from dressage.evaluate.format import Baseline, Estimate, Evaluation, Mistake
from dressage.evaluate.intervals import Floats, estimate, finite

if TYPE_CHECKING:
    from torch import Tensor

Show = Callable[[int], Mapping[str, Any]]
DENSE = 200  # classes up to which the confusion matrix is written: 40,000 counts, about 100 kB
POINTS = 400


def judge(
    task: str,
    outputs: Tensor | NDArray[Any],
    y: Tensor | NDArray[Any],
    *,
    part: str = "test",
    classes: Sequence[str] = (),
    ids: Sequence[str] | None = None,
    rows: Tensor | NDArray[Any] | None = None,
    reference: Tensor | NDArray[Any] | None = None,
    show: Show | None = None,
    targets: Sequence[str] = (),
    seed: int = 0,
    worst: int = 10,
) -> Evaluation:
    """Judges one part; the result is described in `dressage.evaluate` and can be written as JSON.

    classification: `outputs (N, C)` probabilities, `y (N,)` class numbers, `classes` their names.
    regression: `outputs` and `y` `(N,)` or `(N, T)` in the target's units, `targets` the T names.
    `rows (N,)`: row of the source that each sample is; `ids[row]` its name and `show(row)` its picture or fields.
    `reference`: targets of the training part, which the baseline is fitted on; without it this part's own.
    Raises DataError where shapes do not fit together.
    """
    scores, truth = _numpy(outputs).astype(np.float64), _numpy(y)
    if len(scores) != len(truth):
        raise _misfit(part, f"{len(scores)} outputs and {len(truth)} targets", "one output a target")
    index = np.arange(len(truth)) if rows is None else _numpy(rows).astype(np.int64)
    if len(index) != len(truth):
        raise _misfit(part, f"{len(index)} row numbers for {len(truth)} targets", "one a target")
    known = truth if reference is None else _numpy(reference)
    if task == "classification":
        _check_classes(scores, truth, classes, part)
        names = [str(c) for c in classes] or [str(i) for i in range(scores.shape[1])]
        result = _judge_classes(scores, truth.astype(np.int64), names, known.astype(np.int64), seed, worst)
    else:
        if scores.size != truth.size or truth.ndim > 2:
            raise _misfit(part, f"outputs {scores.shape} and targets {truth.shape}", "both (N,) or (N, T)")
        columns = truth.shape[1] if truth.ndim == 2 else 1
        y = truth.astype(np.float64).reshape(len(truth), columns)
        names = [str(t) for t in targets] if len(targets) == columns else _numbered(columns)
        result = _judge_numbers(scores.reshape(y.shape), y, names, known.astype(np.float64), seed, worst)
    result["part"] = part
    for mistake in result["mistakes"]:
        row = int(index[mistake["row"]])
        mistake["row"] = row
        mistake["id"] = short(ids[row]) if ids is not None and row < len(ids) else f"row {row}"
        if show is not None:
            mistake.update(show(row))  # type: ignore[typeddict-item]
    return result


def _judge_classes(
    p: Floats, y: NDArray[np.int64], names: list[str], known: NDArray[np.int64], seed: int, worst: int
) -> Evaluation:
    n, c = p.shape
    good = np.isfinite(p).all(1)
    predicted = np.where(good, np.nan_to_num(p).argmax(1), -1)
    counts = np.bincount(y, minlength=c)
    confusion = classification.confusion_matrix(y, predicted, c)
    own = p[np.arange(n), y]
    metrics = {
        "accuracy": classification.accuracy(int(np.trace(confusion)), n),
        "balanced_accuracy": classification.balanced_accuracy(np.diag(confusion), counts),
        "macro_f1": classification.macro_f1(confusion, counts) if n else estimate(math.nan),
        "log_loss": classification.log_loss(own, seed),
    }
    if c == 2:
        metrics["roc_auc"] = classification.roc_auc(p[:, 1], y)
    wrong = np.nonzero(predicted != y)[0]
    sure = np.where(predicted >= 0, p[np.arange(n), predicted], np.inf)[wrong]
    mistakes: list[Mistake] = [
        {
            "row": int(i),
            "true": names[y[i]],
            "predicted": names[predicted[i]] if predicted[i] >= 0 else None,
            "probability": finite(p[i, predicted[i]]) if predicted[i] >= 0 else None,
            "probability_true": finite(own[i]),
        }
        for i in wrong[np.argsort(-sure, kind="stable")[:worst]]
    ]
    return {
        "task": "classification",
        "n": n,
        "nonfinite": int(n - good.sum()),
        "headline": "accuracy",
        "metrics": metrics,
        "baseline": _majority(known, y, names, seed),
        "classes": names,
        "per_class": classification.per_class(confusion, counts, names),
        "confusion": confusion.tolist() if c <= DENSE else None,
        "confused": classification.confused_pairs(confusion, counts, names),
        "mistakes": mistakes,
    }


def _majority(known: NDArray[np.int64], y: NDArray[np.int64], names: list[str], seed: int) -> Baseline:
    counts = np.bincount(known, minlength=len(names))
    common = int(counts.argmax())
    own = np.bincount(y, minlength=len(names))
    right = np.where(np.arange(len(names)) == common, own, 0)
    share = np.maximum(counts, 0.5) / max(1, counts.sum())  # a class that the training part lacks is not impossible
    metrics: dict[str, Estimate] = {
        "accuracy": classification.accuracy(int(own[common]), len(y)),
        "balanced_accuracy": classification.balanced_accuracy(right, own),
        "log_loss": classification.log_loss(share[y], seed),
    }
    return {"name": "majority class", "prediction": names[common], "metrics": metrics}


def _judge_numbers(p: Floats, y: Floats, names: list[str], known: Floats, seed: int, worst: int) -> Evaluation:
    n, columns = y.shape
    residual = p - y
    mean = known.reshape(len(known), columns).mean(0) if len(known) else np.full(columns, math.nan)
    spread = y.std(0) if n else np.ones(columns)
    size = np.where(np.isfinite(residual), np.abs(residual), np.inf) / np.where(spread > 0, spread, 1.0)
    target = size.argmax(1)
    order = np.argsort(-size.max(1), kind="stable")[:worst]
    mistakes: list[Mistake] = []
    for i in order:
        t = target[i]
        true, guess, miss = (finite(v[i, t]) for v in (y, p, residual))
        mistakes.append({"row": int(i), "true": true, "predicted": guess, "residual": miss})
        if len(names) > 1:
            mistakes[-1]["target"] = names[t]
    some = np.linspace(0, max(0, n - 1), min(n, POINTS)).astype(np.int64)
    return {
        "task": "regression",
        "n": n,
        "nonfinite": int(n - np.isfinite(p).all(1).sum()),
        "headline": "r2",
        "metrics": regression.scores(y, p, seed),
        "baseline": {
            "name": "mean of the training part",
            "prediction": finite(mean[0]) if len(mean) == 1 else [finite(m) for m in mean],
            "metrics": regression.scores(y, np.broadcast_to(mean, y.shape), seed),
        },
        "targets": names,
        "per_target": [
            {"name": name, **regression.scores(y[:, [t]], p[:, [t]], seed)}  # type: ignore[typeddict-item]
            for t, name in enumerate(names)
        ],
        "points": {"true": [finite(v) for v in y[some, 0]], "predicted": [finite(v) for v in p[some, 0]]},
        "mistakes": mistakes,
    }


def _numpy(values: Tensor | NDArray[Any]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    detached = values.detach().cpu()
    return np.asarray(detached.double() if detached.dtype.is_floating_point else detached)


def _numbered(columns: int) -> list[str]:
    return ["target"] if columns == 1 else [f"target {i}" for i in range(columns)]


def _check_classes(p: Floats, y: NDArray[Any], classes: Sequence[str], part: str) -> None:
    if p.ndim != 2 or y.ndim != 1 or not p.shape[1]:
        raise _misfit(part, f"outputs {p.shape} and targets {y.shape}", "probabilities (N, C) and class numbers (N,)")
    c = p.shape[1]
    if len(classes) not in (0, c):
        raise _misfit(part, f"{c} probabilities a row and {len(classes)} class names", "as many of each")
    if len(y) and not 0 <= y.min() <= y.max() < c:
        raise _misfit(part, f"class numbers from {y.min()} to {y.max()}", f"0 to {c - 1}")


def _misfit(part: str, found: str, expected: str) -> DressageError:
    return DataError.of(f"evaluation of {part}", found, expected, "give the outputs and targets of the same rows")
