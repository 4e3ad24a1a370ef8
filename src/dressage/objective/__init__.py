"""What is minimised, and the number by which a person judges it.

`catalogue[name].build(label_smoothing)` gives an `Objective`. A loss is a mean over samples, so the loss of a batch
is the sum over its pieces of share × loss of the piece, however it is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dressage.catalogue import Catalogue, Entry
from dressage.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss and its metric; nothing here waits for the device."""

    loss: Callable[[Tensor, Tensor], Tensor]
    """Training loss of `outputs (N, C)` against `targets (N,)` or soft `(N, C)`: the mean over samples, a scalar."""
    plain_loss: Callable[[Tensor, Tensor], Tensor]
    """The same without label smoothing: what validation and test are judged by."""
    score: Callable[[Tensor, Tensor], Tensor]
    """Sum over samples of what each adds to the metric: correct (0 or 1), or squared error."""
    metric: str
    """Name of the metric."""
    finish: Callable[[float], float]
    """From the mean score of a sample to the metric."""
    higher_is_better: bool


def cross_entropy(label_smoothing: float = 0.0) -> Objective:
    """−Σ_c t_c log softmax(outputs)_c; targets int64 `(N,)` or probabilities `(N, C)`, smoothed to (1−ε)t + ε/C."""
    if not 0 <= label_smoothing < 1:
        raise RecipeError.of(
            "loss.label_smoothing", f"{label_smoothing} given", "expected 0 ≤ ε < 1", "e.g. loss.label_smoothing = 0.1"
        )

    def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = _at_least_float32(outputs)
        return F.cross_entropy(outputs, _like(targets, outputs), label_smoothing=label_smoothing)

    def plain(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = _at_least_float32(outputs)
        return F.cross_entropy(outputs, _like(targets, outputs))

    def correct(outputs: Tensor, targets: Tensor) -> Tensor:
        labels = targets.argmax(1) if targets.ndim == 2 else targets
        return (outputs.argmax(1) == labels).sum()

    return Objective(smoothed if label_smoothing else plain, plain, correct, "accuracy", float, True)


def mse(label_smoothing: float = 0.0) -> Objective:
    """(outputs − targets)², the mean over samples and targets; outputs `(N, T)`, targets `(N, T)` or `(N,)`."""
    if label_smoothing:
        raise RecipeError.of(
            "loss.label_smoothing",
            f"{label_smoothing} given with mse",
            "numbers have no labels to smooth",
            "set loss.label_smoothing = 0 or loss.name = cross_entropy",
        )

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = _at_least_float32(outputs)
        return F.mse_loss(outputs, _same_shape(outputs, targets))

    def score(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = _at_least_float32(outputs)
        difference = outputs - _same_shape(outputs, targets)
        return difference.square().sum() / max(1, math.prod(outputs.shape[1:]))

    return Objective(loss, loss, score, "rmse", math.sqrt, False)


def _at_least_float32(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


def _like(targets: Tensor, outputs: Tensor) -> Tensor:
    return targets.to(outputs.dtype) if targets.is_floating_point() else targets


def _same_shape(outputs: Tensor, targets: Tensor) -> Tensor:
    """`targets` in the shape of `outputs`; never broadcast, which would average N² differences without a word."""
    if len(outputs) != len(targets) or outputs.numel() != targets.numel():
        raise RecipeError.of(
            "loss.name = mse",
            f"outputs of shape {tuple(outputs.shape)} for targets of shape {tuple(targets.shape)}",
            "expected one output a target",
            "let the network end in (N, number of targets)",
        )
    return targets.to(outputs.dtype).reshape(outputs.shape)


catalogue: Catalogue[Objective] = Catalogue(
    "loss",
    Entry(
        "cross_entropy",
        cross_entropy,
        "Classification: the surprise at the right class under the softmax of the outputs; metric: accuracy.",
        "−Σ_c t_c log(e^{z_c} / Σ_k e^{z_k}), t ← (1−ε)t + ε/C",
        "L6, C784, CMU3, DR10; smoothing: Szegedy et al. 2016",
    ),
    Entry(
        "mse",
        mse,
        "Regression: squared difference between output and target; metric: its root (rmse).",
        "(z − y)²",
        "C784, CMU3",
    ),
)
