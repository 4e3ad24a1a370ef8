"""What a regularisation technique does, and where: at most once before training, and in three places of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from dressage.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Technique:
    """The parts of one technique; most have a single one. Noise is drawn from torch's default generator."""

    edit: Callable[[nn.Module], None] | None = None
    """Changes a network in place, once, before its first step; the names of its parameters should stay."""
    on_input: Callable[[Tensor], Tensor] | None = None
    """Changes the float input of the network, `(B, ...)`, in training."""
    penalty: Callable[[nn.Module], Tensor] | None = None
    """A scalar that is added to the training loss, after the forward pass of a batch."""
    after_step: Callable[[nn.Module, float], None] | None = None
    """Changes the weights in place after the optimiser's update at this learning rate."""
    square: tuple[float, bool] = (0.0, False)
    """λ of ½λ‖w‖² and whether biases are in it, where that is the penalty."""
    absolute: tuple[float, bool] = (0.0, False)
    """λ of the proximal step of λ‖w‖₁ and whether biases are in it, where that is what follows the step."""
    said: str = ""
    """The penalty or constraint with its convention, as it is printed with results; empty: nothing to print."""


def number(where: str, value: float, *, example: str, above_zero: bool = False) -> float:
    """`value`; raises RecipeError unless it is finite and 0 or more (`above_zero`: more)."""
    if 0 < value < float("inf") or (value == 0 and not above_zero):
        return value
    wanted = "above 0" if above_zero else "from 0 on"
    raise RecipeError.of(where, f"{value} given", f"expected a number {wanted}", f"e.g. {example}")


def probability(where: str, p: float, *, example: str) -> float:
    """`p`; raises RecipeError unless 0 ≤ p < 1."""
    if 0 <= p < 1:
        return p
    raise RecipeError.of(where, f"{p} given", "expected a probability, 0 ≤ p < 1", f"e.g. {example}")
