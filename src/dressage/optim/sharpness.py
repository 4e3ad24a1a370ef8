"""Steps by the gradient at a worse place nearby, which lead to flat minima: sam, asam, lookahead_sam.

They ask the closure more than once a step. The perturbed passes have the noise of the first, and leave the statistics
of batch norms as the first has left them: whoever gives the closure sees to that (`dressage.fit.step`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dressage import recipe
from dressage.errors import RecipeError, nearest
from dressage.optim.adam import adam, adamw, nadam
from dressage.optim.adaptive import adadelta, adagrad, rmsprop
from dressage.optim.common import (
    Around,
    Closure,
    Groups,
    check_positive,
    evaluated,
    length,
    on_processor,
    parameters_of,
)
from dressage.optim.curves import check
from dressage.optim.descent import momentum, nesterov, sgd
from dressage.optim.layerwise import lamb, lars

Build = Callable[[Groups, recipe.Optim], torch.optim.Optimizer]
BASES: Mapping[str, Build] = {
    build.__name__: build
    for build in (sgd, momentum, nesterov, adam, adamw, nadam, adagrad, rmsprop, adadelta, lars, lamb)
}
TINY = 1e-12  # beside the norm of a gradient, so that a gradient of 0 perturbs nothing
Climb = Callable[[list[Tensor], list[Tensor]], None]
"""Adds ε to weights, in place, by their gradients."""


def sam(groups: Groups, section: recipe.Optim, *, rho: float = 0.05, base: str = "sgd") -> torch.optim.Optimizer:
    """`base` by the gradient at θ + ρg/‖g‖. Raises RecipeError for ρ ≤ 0 and a base that does not exist."""
    check_positive("sam.rho", rho, "sam(rho=0.05)")
    return Sharpness(_base("sam", base, groups, section), lambda weights, slopes: climb(weights, slopes, rho))


def asam(
    groups: Groups, section: recipe.Optim, *, rho: float = 0.5, eta: float = 0.01, base: str = "sgd"
) -> torch.optim.Optimizer:
    """`base` by the gradient at θ + ρT²g/‖Tg‖, T = |θ| + η for each weight. Raises RecipeError as sam does."""
    check_positive("asam.rho", rho, "asam(rho=0.5)")
    check_positive("asam.eta", eta, "asam(eta=0.01)")
    return Sharpness(
        _base("asam", base, groups, section), lambda weights, slopes: climb_scaled(weights, slopes, rho, eta)
    )


def lookahead_sam(
    groups: Groups, section: recipe.Optim, *, rho: float = 0.05, ahead: float = 1.0, base: str = "sgd"
) -> torch.optim.Optimizer:
    """`base` by the gradient at θ̂ + ρĝ/‖ĝ‖, ĝ the gradient at θ̂ = θ − ahead·lr·g: three gradients a step.

    Raises RecipeError as sam does, and for an `ahead` below 0.
    """
    check_positive("lookahead_sam.rho", rho, "lookahead_sam(rho=0.05)")
    check("lookahead_sam.ahead", ahead, ahead >= 0, "expected 0 or more", "e.g. lookahead_sam(ahead=1.0)")
    inner = _base("lookahead_sam", base, groups, section)
    return Sharpness(inner, lambda weights, slopes: climb(weights, slopes, rho), ahead)


class Sharpness(Around):
    """Takes the steps of another optimiser by the gradient at a perturbed place; the weights come back bit for bit.

    Foret et al. 2021; Kwon et al. 2021; Yu, Zhang & Kwok, ICML 2024, as extra-gradient: perturbed from a point ahead.
    """

    def __init__(self, base: torch.optim.Optimizer, climb: Climb, ahead: float | None = None) -> None:
        super().__init__(base)
        self.climb, self.ahead = climb, ahead

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:  # type: ignore[override]
        """One step; the loss is the one at θ. Raises RuntimeError without a closure."""
        if closure is None:
            raise RuntimeError("this optimiser needs a closure that computes loss and gradients: step(closure)")
        loss = evaluated(closure)
        weights = [p for p in parameters_of(self.param_groups) if p.grad is not None]
        before = [p.clone() for p in weights]
        if self.ahead is not None:
            for group in self.param_groups:
                some = [p for p in group["params"] if p.grad is not None]
                if some:
                    torch._foreach_add_(some, _gradients(some), alpha=-self.ahead * group["lr"])
            evaluated(closure)
        if weights:
            self.climb(weights, _gradients(weights))
            evaluated(closure)
            torch._foreach_copy_(weights, before)
        for each in self.inner:
            each.step()
        return loss


def climb(weights: list[Tensor], slopes: list[Tensor], rho: float) -> None:
    """θ ← θ + ρg/‖g‖₂, the norm that of all gradients together."""
    move(weights, slopes, rho, total(slopes))


def total(tensors: list[Tensor]) -> float | Tensor:
    """The 2-norm of all together: a number on a processor, where reading one waits for nothing; `()` elsewhere."""
    if on_processor(tensors[0]):
        return math.hypot(*map(length, tensors))
    return torch.nn.utils.get_total_norm(tensors)


def move(weights: list[Tensor], slopes: list[Tensor], rho: float, by: float | Tensor) -> None:
    """θ ← θ + ρ·slope/by."""
    scale = rho / (by + TINY)
    if isinstance(scale, Tensor):
        torch._foreach_addcmul_(weights, slopes, [scale] * len(weights))
    else:
        torch._foreach_add_(weights, slopes, alpha=scale)


def climb_scaled(weights: list[Tensor], slopes: list[Tensor], rho: float, eta: float) -> None:
    """θ ← θ + ρT²g/‖Tg‖₂, T = |θ| + η."""
    sizes = torch._foreach_abs(weights)
    torch._foreach_add_(sizes, eta)
    moves = list(torch._foreach_mul(slopes, sizes))
    by = total(moves)
    torch._foreach_mul_(moves, sizes)
    move(weights, moves, rho, by)


def _gradients(weights: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in weights if p.grad is not None]


def _base(name: str, base: str, groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    if base not in BASES:
        raise RecipeError.of(
            f"{name}.base", f"no such optimiser '{base}'", nearest(base, BASES), f"e.g. {name}(base=sgd)"
        )
    return BASES[base](groups, section)
