"""What an objective is: a loss, and the number by which a person judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.errors import RecipeError


def softmax(outputs: Tensor) -> Tensor:
    """`(N, C)`: e^{z_c} / Σ_k e^{z_k}."""
    return torch.softmax(outputs, 1)


def identity(outputs: Tensor) -> Tensor:
    """The outputs."""
    return outputs


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
    probabilities: Callable[[Tensor], Tensor] = softmax
    """From outputs `(N, C)` to the probabilities of C classes, in a classification."""
    values: Callable[[Tensor], Tensor] = identity
    """From outputs to values in the units of the targets that the network was trained on, in a regression."""
    views: int = 1
    """Views of each sample that a batch has, in neighbouring rows."""
    outputs: int = 0
    """Outputs of the network, where the loss says how many; 0: as many as the targets need."""


def at_least_float32(outputs: Tensor) -> Tensor:
    """The outputs in float32 where they are in half precision: a loss needs its digits."""
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


def same_shape(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """`targets` in the shape of `outputs`; never broadcast, which would average N² differences without a word."""
    if len(outputs) != len(targets) or outputs.numel() != targets.numel():
        raise RecipeError.of(
            f"loss.name = {name}",
            f"outputs of shape {tuple(outputs.shape)} for targets of shape {tuple(targets.shape)}",
            "expected one output a target",
            "let the network end in (N, number of targets)",
        )
    return targets.to(outputs.dtype).reshape(outputs.shape)


def no_smoothing(name: str, label_smoothing: float, why: str) -> None:
    """Raises RecipeError where labels would be smoothed."""
    if label_smoothing:
        found = f"{label_smoothing} given with {name}"
        raise RecipeError.of(
            "loss.label_smoothing", found, why, "set loss.label_smoothing = 0 or loss.name = cross_entropy"
        )


def positive(where: str, value: float, example: str) -> float:
    """`value`; raises RecipeError unless it is a finite number above 0."""
    if 0 < value < float("inf"):
        return value
    raise RecipeError.of(where, f"{value} given", "expected a number above 0", f"e.g. {example}")
