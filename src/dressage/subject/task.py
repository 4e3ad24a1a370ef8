"""What a training is asked to do, read from its targets, its loss and the shape of its outputs; and by what it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dressage.subject.untouched import generators_kept

Task = Literal["classification", "binary", "multilabel", "regression"]
ROWS, STEP = 256, 0.1  # on which a loss is tried, and how far from the targets, in their standard deviations
BY_CLASS = (F.cross_entropy, F.nll_loss)
BY_LABEL = (F.binary_cross_entropy, F.binary_cross_entropy_with_logits)
BY_VALUE = (F.poisson_nll_loss, F.gaussian_nll_loss)
FEW = 50  # distinct whole numbers up to which a target is taken for a class


@dataclass(frozen=True, slots=True)
class Metric:
    """A number by which a person judges outputs."""

    name: str
    of: Callable[[Tensor, Tensor], float]
    higher_is_better: bool


def task_of(y: Tensor, loss_fn: object = None) -> tuple[Task, int]:
    """The task and its classes (0 in a regression, labels in a multilabel task)."""
    loss_fn = loss_fn.func if isinstance(loss_fn, partial) else loss_fn
    is_of_labels = isinstance(loss_fn, nn.BCEWithLogitsLoss | nn.BCELoss | nn.MultiLabelSoftMarginLoss)
    if (is_of_labels or (loss_fn in BY_LABEL and _is_binary(y))) and y.ndim > 1 < y.shape[1]:
        return ("multilabel", y.shape[1]) if not _is_one_hot(y) else ("classification", y.shape[1])
    if (isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss) or loss_fn in BY_CLASS) and not y.is_floating_point():
        return "classification", int(y.max()) + 1
    if y.is_floating_point() and not bool((y == y.round()).all()):
        return "regression", 0
    if isinstance(loss_fn, nn.PoissonNLLLoss | nn.GaussianNLLLoss) or loss_fn in BY_VALUE:  # counts are no classes
        return "regression", 0
    if y.ndim > 1 and y.shape[1] > 1:
        if _is_one_hot(y):
            return "classification", y.shape[1]
        return ("multilabel", y.shape[1]) if _is_binary(y) else ("regression", 0)
    if _is_binary(y):
        return "binary", 2
    values = torch.unique(y)
    low, high = float(values[0]), float(values[-1])
    if low >= 0 and high < FEW and len(values) >= 0.5 * (high - low + 1) and len(y) >= 5 * len(values):
        return "classification", int(high) + 1
    return "regression", 0


def labels_of(y: Tensor, task: Task) -> Tensor:
    """`(N,)` int64 class numbers of a classification or binary task, whatever form the targets have."""
    if task == "classification" and y.ndim > 1 and y.shape[1] > 1 and y.is_floating_point():
        return y.argmax(1)
    return y.reshape(len(y), -1)[:, 0].long() if task == "binary" or y.ndim <= 2 else y.long()


def decided(outputs: Tensor, task: Task) -> Tensor:
    """The class of each row of outputs: the largest, or which side of the threshold that the range of outputs implies."""
    if task == "classification" and outputs.ndim > 1 and outputs.shape[1] > 1:
        return outputs.argmax(1)
    if task == "classification":
        return outputs.reshape(len(outputs)).round().long()
    if task == "binary" and outputs.ndim > 1 and outputs.shape[1] == 2:
        return outputs.argmax(1)
    return (outputs > _threshold(outputs)).long().reshape(len(outputs), -1).squeeze(1)


def default_metric(task: Task) -> Metric:
    """Accuracy, or R² = 1 − Σ(z − y)² / Σ(y − ȳ)² in a regression; of all labels in a multilabel task."""
    if task == "regression":
        return Metric("r2", _r2, True)
    if task == "multilabel":
        return Metric("accuracy", lambda z, y: float(((z > _threshold(z)) == (y > 0.5)).float().mean()), True)

    def accuracy(outputs: Tensor, y: Tensor) -> float:
        if y.ndim > 1 and outputs.ndim == y.ndim + 1:  # a class a place: (N, C, T) or (N, T, C)
            outputs = outputs if outputs.shape[2:] == y.shape[1:] else outputs.movedim(-1, 1)
            return float((outputs.argmax(1) == y).float().mean())
        if task == "binary" and outputs.numel() == y.numel() > len(y):  # yes or no a place: a mask
            return float(((outputs > _threshold(outputs)).flatten() == (y > 0.5).flatten()).float().mean())
        return float((decided(outputs, task) == labels_of(y, task)).float().mean())

    return Metric("accuracy", accuracy, True)


def as_metric(metric: object, task: Task, y: Tensor) -> Metric:
    """The user's `metric(outputs, targets) -> number` with its direction, found by what perfect outputs are given."""
    if not callable(metric):
        return default_metric(task)
    name = getattr(metric, "__name__", type(metric).__name__)
    called: Callable[[Tensor, Tensor], object] = metric

    def of(outputs: Tensor, targets: Tensor) -> float:
        return float(called(outputs, targets))  # type: ignore[arg-type]

    rows = y[:ROWS]
    try:
        perfect = _perfect(rows, task)
        better = of(perfect, rows) >= of(perfect.roll(1, 0), rows)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return default_metric(task)  # it wants something else than outputs and targets
    return Metric(name, of, better)


def asks_for_values(loss_fn: Callable[[Tensor, Tensor], Tensor], y: Tensor) -> bool:
    """Whether a loss is least, or of the wrong sign greatest, where outputs equal targets, so that R² tells how well it does.

    It is not for a loss of logits against shares, of logarithms against counts, or of values that it scales itself: there
    it falls as outputs leave the targets along its gradient, and rises the other way. True where that cannot be tried.
    """
    y = y[:ROWS]
    try:
        with generators_kept(), torch.enable_grad():
            z = y.detach().float().requires_grad_()
            at = loss_fn(z, y).float().mean()
            (slope,) = torch.autograd.grad(at, z)
            if not at.isfinite() or not slope.isfinite().all():
                return False
            if not slope.any():
                return True
            moved = float(loss_fn(z.detach() + STEP * y.float().std(), y).float().mean())
            if abs(moved - float(at.detach())) <= 1e-4 * abs(moved):
                return False  # a correlation is the same wherever the outputs lie
            step = STEP * y.float().std() * slope / slope.square().mean().sqrt()
            down, up = (float(loss_fn(z.detach() + way * step, y).float().mean()) for way in (-1, 1))
    except Exception:  # whatever a loss of the user's raises
        return True
    here = float(at.detach())
    return not down < here - 1e-6 * abs(here) <= up


def comparable(metric: Metric, task: Task, y: Tensor) -> Metric:
    """The metric if it is a share of what can be reached, 1 for perfect outputs; else accuracy or R², as simple models have it."""
    rows = y[:ROWS]
    try:  # labels below 0, places that do not count, have no perfect outputs
        perfect = _perfect(rows, task)
        is_share = metric.higher_is_better and abs(metric.of(perfect, rows) - 1) < 0.01
    except (RuntimeError, ValueError, TypeError, IndexError):
        is_share = False
    return metric if is_share else default_metric(task)


def _perfect(y: Tensor, task: Task) -> Tensor:
    if task == "classification" and not (y.ndim > 1 and y.is_floating_point()):
        return 10.0 * torch.nn.functional.one_hot(y.long(), int(y.max()) + 1).float().reshape(len(y), -1)
    return 20.0 * y.float() - 10.0 if task in ("binary", "multilabel") else y.float()


def _r2(outputs: Tensor, y: Tensor) -> float:
    y = y.double().reshape(len(y), -1)
    error = (outputs.double().reshape(y.shape) - y).square().sum()
    return float(1 - error / (y - y.mean(0)).square().sum().clamp_min(1e-30))


def _threshold(outputs: Tensor) -> float:
    """½ for probabilities, 0 for logits."""
    return 0.5 if bool(((outputs >= 0) & (outputs <= 1)).all()) else 0.0


def _is_binary(y: Tensor) -> bool:
    return bool(((y == 0) | (y == 1)).all())


def _is_one_hot(y: Tensor) -> bool:
    return _is_binary(y) and bool((y.sum(1) == 1).all())
