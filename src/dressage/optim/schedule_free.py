"""Schedule-free AdamW: an average of all iterates takes the place of a falling rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dressage import recipe
from dressage.errors import RecipeError
from dressage.optim.common import Closure, Groups, evaluated, with_gradient


def schedule_free(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """Schedule-free AdamW with the recipe's beta1, beta2 and eps. Raises RecipeError for beta1 = 0, which has no average."""
    if section.beta1 == 0:
        found, expected = "0 given with schedule_free", "expected more than 0: it is the share of the average"
        raise RecipeError.of("optim.beta1", found, expected, "e.g. optim.beta1 = 0.9")
    return ScheduleFree(groups, section.rate, (section.beta1, section.beta2), section.eps)


class ScheduleFree(torch.optim.Optimizer):
    """y = (1−β₁)z + β₁x; g at y; v ← β₂v + (1−β₂)g²; γ = lr·√(1−β₂ᵗ); z ← z − γ(g/(√v + ε) + λy);
    c = γ²/Σγ²; x ← (1−c)x + cz. Defazio et al. 2024, algorithm 1.

    The parameters are y, where gradients are taken; x is what is validated, kept and used to predict. z and v are the
    state, and x follows from y and z: nothing has to be switched between training and evaluation.
    """

    def __init__(self, groups: Groups, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__([*groups], {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:  # type: ignore[override]
        """One step; parameters without a gradient are skipped."""
        loss = evaluated(closure)
        for group in self.param_groups:
            weights = with_gradient(group)
            if weights:
                self._move(weights, group)
        return loss

    def _move(self, y: list[Tensor], group: dict[str, Any]) -> None:
        states = [self._state(p) for p in y]
        z, squares = [state["z"] for state in states], [state["exp_avg_sq"] for state in states]
        gradients = [p.grad for p in y if p.grad is not None]
        beta1, beta2 = group["betas"]
        rate, share = self._rate(group)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        sizes = torch._foreach_sqrt(squares)
        torch._foreach_add_(sizes, group["eps"])
        moves = torch._foreach_div(gradients, sizes)
        if group["weight_decay"]:
            torch._foreach_add_(moves, y, alpha=group["weight_decay"])
        # y of the new x and z, without x: (1−c)y + cz − γ(1 − β₁(1−c))·move
        torch._foreach_lerp_(y, z, share)
        torch._foreach_add_(y, moves, alpha=-rate * (1 - beta1 * (1 - share)))
        torch._foreach_add_(z, moves, alpha=-rate)

    def _rate(self, group: dict[str, Any]) -> tuple[float, float]:
        """γ and c of this step; counts it. The counters stay on the processor, where reading them waits for nothing."""
        state = self.state[group["params"][0]]
        counted = state.get("counted", torch.zeros(2, dtype=torch.float64)).cpu()
        steps, total = counted.tolist()
        rate = group["lr"] * (1 - group["betas"][1] ** (steps + 1)) ** 0.5
        state["counted"] = torch.tensor([steps + 1, total + rate**2], dtype=torch.float64)
        return rate, rate**2 / (total + rate**2) if rate else 0.0

    def _state(self, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if "z" not in state:
            state["z"], state["exp_avg_sq"] = p.detach().clone(), torch.zeros_like(p)
        return state

    @torch.no_grad()
    def average_into(self, averages: list[Tensor]) -> None:
        """Writes x into `averages`, in the order of the parameters; a parameter that never had a gradient is its own."""
        weights = [(p, group["betas"][0]) for group in self.param_groups for p in group["params"]]
        for average, (y, beta1) in zip(averages, weights, strict=True):
            z = self.state[y].get("z") if y in self.state else None
            average.copy_(y if z is None else torch.lerp(y, z, 1 - 1 / beta1))
