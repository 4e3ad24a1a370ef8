"""Newton's method with the exact Hessian, damped: for small networks."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage import recipe
from dressage.errors import RecipeError
from dressage.optim.common import Closure, Groups, check_positive
from dressage.optim.second_order import gathered, one_group, penalty, put, require_small

ROWS = 32  # of the Hessian that are computed together: each keeps a gradient of every activation
TRIES = 10  # dampings of a step, each four times the one before


def newton(groups: Groups, section: recipe.Optim, *, damping: float = 1e-3) -> torch.optim.Optimizer:
    """Damped Newton. Raises RecipeError for a damping ≤ 0 and a network of more than 5,000 parameters."""
    check_positive("newton.damping", damping, "newton(damping=1e-3)")
    require_small("newton", groups)
    return Newton(groups, section.rate, damping)


class Newton(torch.optim.Optimizer):
    """(∇²L + μI)d = −∇L; θ ← θ + lr·d. Levenberg 1944, Marquardt 1963; C784.

    Where ∇²L + μI is not positive definite, or the loss of the batch would rise, the step is tried again with 4μ, ten times
    at most; after a step that was taken μ ← μ/3. It begins as `damping`.
    """

    def __init__(self, groups: Groups, lr: float, damping: float) -> None:
        weights, self.decays = one_group(groups)
        super().__init__(weights, {"lr": lr, "damping": damping})

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """One step; the loss is the one before it. Raises RecipeError for a network that has no second derivatives."""
        group = self.param_groups[0]
        with torch.enable_grad():
            loss = closure(backward=False)
        weights, slopes, hessian = second_derivatives(loss, group["params"])
        if not weights or not loss.isfinite():
            return loss.detach()
        by_weight = dict(zip(group["params"], self.decays, strict=True))
        decays = [by_weight[p] for p in weights]
        for p, slope, decay in zip(weights, slopes, decays, strict=True):
            p.grad = slope.add_(p, alpha=decay)
        hessian.diagonal().add_(gathered([torch.full_like(p, decay) for p, decay in zip(weights, decays, strict=True)]))
        state, start, slope = self.state[group["params"][0]], gathered(weights), gathered(slopes).double()
        damping, before = float(state.get("damping", group["damping"])), loss + penalty(weights, decays)
        for _ in range(TRIES):
            direction = downhill(hessian, slope, damping)
            if direction is not None:
                put(weights, start + group["lr"] * direction.to(start.dtype))
                if closure(backward=False) + penalty(weights, decays) <= before:
                    damping /= 3
                    break
            damping *= 4
        else:
            put(weights, start)
        state["damping"] = torch.tensor(damping, dtype=torch.float64)
        return loss.detach()


def second_derivatives(loss: Tensor, parameters: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The parameters that the loss depends on, the gradient of each, and the Hessian `(n, n)` in float64."""
    with torch.enable_grad():
        found = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        pairs = [(p, g) for p, g in zip(parameters, found, strict=True) if g is not None]
        weights, slopes = [p for p, _ in pairs], [g for _, g in pairs]
        slope = gathered(slopes) if slopes else loss.new_zeros(0)
        n = len(slope)
        hessian = torch.zeros(n, n, dtype=torch.float64, device=slope.device)
        for first in range(0, n if slope.requires_grad else 0, ROWS):
            rows = torch.zeros(min(ROWS, n - first), n, dtype=slope.dtype, device=slope.device)
            rows[:, first : first + ROWS].fill_diagonal_(1)
            try:
                parts = torch.autograd.grad(
                    slope, weights, rows, retain_graph=True, is_grads_batched=True, materialize_grads=True
                )
            except RuntimeError as error:
                lacks = f"newton given, but a layer has no second derivative ({str(error)[:150]})"
                raise RecipeError.of("optim.name", lacks, "expected one", "take bfgs or lbfgs") from error
            hessian[first : first + ROWS] = torch.cat([part.reshape(len(rows), -1) for part in parts], 1)
    return weights, [g.detach() for g in slopes], (hessian + hessian.T) / 2


def downhill(hessian: Tensor, slope: Tensor, damping: float) -> Tensor | None:
    """−(H + μI)⁻¹g, `(n,)`; None where H + μI is not positive definite."""
    shifted = hessian + damping * torch.eye(len(slope), dtype=hessian.dtype, device=hessian.device)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    return None if failed else -torch.cholesky_solve(slope[:, None], factor)[:, 0]
