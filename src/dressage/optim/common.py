"""What the optimisers share: the form of their groups, the fastest kernels of a device, an optimiser made of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from dressage.optim.curves import check

Groups = Sequence[dict[str, Any]]
"""torch's parameter groups: dicts with `params` and `weight_decay`."""
Closure = Callable[..., Tensor]
"""`closure()` computes loss and gradients of the step's batch, with the same noise each time, and returns the loss, `()`.
`closure(backward=False)` leaves the gradients alone and returns the loss with its graph."""
DIRECTION = "parametrizations.weight.original1"
"""How torch calls v of a weight under weight norm."""
FUSED = ("cpu", "cuda")
"""Devices on which torch has fused kernels of SGD, Adam and AdamW: one pass over memory instead of ten."""


def decay_groups(named_parameters: Iterable[tuple[str, Tensor]], weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups: weights, which decay, and biases and norm parameters (one dimension or none), which do not.

    Of a weight under weight norm, w = g v/‖v‖, the lengths g decay and v does not: ‖w‖ = |g|, so that w decays as any
    other. Frozen parameters are left out. The order within a group is the order given.
    """
    kept = [(p.ndim > 1 and not name.endswith(DIRECTION), p) for name, p in named_parameters if p.requires_grad]
    return [
        {"params": [p for decays, p in kept if decays], "weight_decay": weight_decay},
        {"params": [p for decays, p in kept if not decays], "weight_decay": 0.0},
    ]


def parameters_of(groups: Groups) -> list[Tensor]:
    """All parameters, in the order of the groups."""
    return [p for group in groups for p in group["params"]]


def kernels(groups: Groups) -> dict[str, Any]:
    """`fused` where torch has it for the parameters' device, else `foreach`."""
    fused = all(p.device.type in FUSED and p.is_floating_point() for p in parameters_of(groups))
    return {"fused": True} if fused else {"foreach": True}


def check_share(where: str, value: float, example: str) -> None:
    """Raises RecipeError unless 0 ≤ value < 1."""
    check(where, value, 0 <= value < 1, "expected 0 or more, and less than 1", f"e.g. {example}")


def check_positive(where: str, value: float, example: str) -> None:
    """Raises RecipeError unless value > 0."""
    check(where, value, value > 0, "expected more than 0", f"e.g. {example}")


def with_gradient(group: dict[str, Any]) -> list[Tensor]:
    """The parameters of a group that have a gradient; the others are skipped, as torch does."""
    return [p for p in group["params"] if p.grad is not None]


def evaluated(closure: Closure | None) -> Tensor | None:
    """The loss by the closure, with gradients, if there is one: what torch's optimisers begin a step with."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def on_processor(tensor: Tensor) -> bool:
    """Whether a number of it can be read without waiting."""
    return tensor.device.type == "cpu"


def length(tensor: Tensor) -> float:
    """‖t‖₂ as a number: for tensors on a processor."""
    if not tensor.is_contiguous():
        return float(torch.linalg.vector_norm(tensor))
    flat = tensor.view(-1)
    return math.sqrt(float(flat.dot(flat)))  # twice as fast as the norm


class Around(torch.optim.Optimizer):
    """An optimiser that is made of others: their groups, in order, and their state are its own."""

    def __init__(self, *inner: torch.optim.Optimizer) -> None:
        self.inner = inner
        super().__init__([group for each in inner for group in each.param_groups], {})
        self._share()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()

    def _share(self) -> None:
        """Hands the groups and the state to the others: torch puts new ones in their place when a state is loaded."""
        start = 0
        for each in self.inner:
            end = start + len(each.param_groups)
            each.param_groups, each.state = self.param_groups[start:end], self.state
            start = end

    def step(self, closure: Closure | None = None) -> Tensor | None:  # type: ignore[override]
        """One step of each."""
        loss = evaluated(closure)
        for each in self.inner:
            each.step()
        return loss
