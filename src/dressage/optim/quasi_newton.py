"""Second derivatives guessed from gradients: lbfgs (torch's) and bfgs. Several gradients a step, all of one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.lbfgs import _strong_wolfe

from dressage import recipe
from dressage.errors import RecipeError
from dressage.optim.common import Closure, Groups
from dressage.optim.second_order import Penalised, gathered, one_group, put, require_small

LISTS = ("old_dirs", "old_stps", "ro")
COUNTS = ("func_evals", "n_iter")
NUMBERS = (*COUNTS, "t", "H_diag", "prev_loss")
CURVED = 1e-10  # yᵀs from which a pair is believed, as in torch's LBFGS


def lbfgs(groups: Groups, section: recipe.Optim, *, iterations: int = 20, history: int = 10) -> torch.optim.Optimizer:
    """torch's LBFGS with its strong Wolfe line search, up to `iterations` a step. Raises RecipeError for less than one."""
    for name, value in (("iterations", iterations), ("history", history)):
        if value < 1:
            raise RecipeError.of(f"lbfgs.{name}", f"{value} given", "expected 1 or more", f"e.g. lbfgs({name}=10)")
    return Lbfgs(groups, section.rate, iterations, history)


def bfgs(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """BFGS, one iteration a step. Raises RecipeError for a network of more than 5,000 parameters."""
    require_small("bfgs", groups)
    return Bfgs(groups, section.rate)


class Lbfgs(torch.optim.LBFGS):
    """torch's LBFGS with decay, a rate of 0 that moves nothing, and a state of tensors alone. Liu & Nocedal 1989."""

    def __init__(self, groups: Groups, lr: float, iterations: int, history: int) -> None:
        weights, self.decays = one_group(groups)
        super().__init__(weights, lr, iterations, history_size=history, line_search_fn="strong_wolfe")

    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """Up to `iterations` of L-BFGS on one batch; the loss is the one before them."""
        penalised = Penalised(closure, self.param_groups[0]["params"], self.decays)
        if self.param_groups[0]["lr"] == 0:
            with torch.enable_grad():
                return closure()
        super().step(penalised)  # type: ignore[no-untyped-call]
        assert penalised.first is not None
        return penalised.first

    def state_dict(self) -> dict[str, Any]:
        """torch's, with lists of tensors stacked and numbers as tensors: a checkpoint holds tensors."""
        whole = super().state_dict()
        return {**whole, "state": {i: _as_tensors(held) for i, held in whole["state"].items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Puts back what `state_dict` gave."""
        super().load_state_dict(
            {**state_dict, "state": {i: _as_torchs(held) for i, held in state_dict["state"].items()}}
        )


def _as_tensors(held: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors = {name: value for name, value in held.items() if name in ("d", "prev_flat_grad") and value is not None}
    tensors |= {name: torch.stack(held[name]) for name in LISTS if held.get(name)}
    return tensors | {n: torch.tensor(float(held[n]), dtype=torch.float64) for n in NUMBERS if held.get(n) is not None}


def _as_torchs(held: Mapping[str, Tensor]) -> dict[str, Any]:
    found: dict[str, Any] = {n: float(held[n]) for n in NUMBERS if n in held}
    found |= {n: int(found[n]) for n in COUNTS if n in found}
    if "d" in held:
        found |= {"d": held["d"], "prev_flat_grad": held["prev_flat_grad"]}
        # Copied: rows of one tensor begin anywhere, and where a vector begins some processors add its products up in another order.
        found |= {n: [row.clone() for row in held[n].unbind()] if n in held else [] for n in LISTS}
    return found


class Bfgs(torch.optim.Optimizer):
    """d = −Hg; θ ← θ + td, t from lr on by the strong Wolfe rules; s = td, y = g(θ + s) − g(θ) of the same batch, ρ = 1/yᵀs;
    H ← (I − ρsyᵀ)H(I − ρysᵀ) + ρssᵀ: a change of rank 2 (C784 says rank 1). Nocedal & Wright 2006, 6.1.

    H begins as (yᵀs/yᵀy)·I, and a pair that does not curve upwards is passed over.
    """

    def __init__(self, groups: Groups, lr: float) -> None:
        weights, self.decays = one_group(groups)
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """One iteration; the loss is the one before it."""
        group = self.param_groups[0]
        weights: list[Tensor] = group["params"]
        penalised = Penalised(closure, weights, self.decays)
        loss, slope = _evaluated(penalised, weights)
        assert penalised.first is not None
        state, start = self.state[weights[0]], gathered(weights)
        inverse = state.get("inverse")
        direction = -slope if inverse is None else -(inverse @ slope)
        descent = slope.dot(direction)
        if group["lr"] == 0 or not descent < 0:
            return penalised.first
        length = group["lr"] * (1.0 if inverse is not None else min(1.0, 1.0 / float(slope.abs().sum())))

        def at(x: Tensor, t: float, d: Tensor) -> tuple[float, Tensor]:
            put(weights, x + t * d)
            return _evaluated(penalised, weights)

        _, reached, length, _ = _strong_wolfe(at, start, length, direction, loss, slope, descent)  # type: ignore[no-untyped-call]
        step = direction * length
        put(weights, start + step)
        state["inverse"] = updated(inverse, step, reached - slope)
        return penalised.first


def updated(inverse: Tensor | None, s: Tensor, y: Tensor) -> Tensor:
    """`(n, n)`: the inverse Hessian after a step `s` that changed the gradient by `y`, `(n,)`; None: at the first one."""
    curvature = y.dot(s)
    if inverse is None:
        scale = torch.where(curvature > CURVED, curvature / y.dot(y), 1.0)
        inverse = torch.eye(len(s), dtype=s.dtype, device=s.device).mul_(scale)
    if not curvature > CURVED:
        return inverse
    turned = inverse @ y
    inverse = inverse.addr(s, s, alpha=float((1 + y.dot(turned) / curvature) / curvature))
    return inverse - (torch.outer(turned, s) + torch.outer(s, turned)) / curvature


def _evaluated(penalised: Penalised, weights: Sequence[Tensor]) -> tuple[float, Tensor]:
    with torch.enable_grad():
        loss = penalised()
    return float(loss), gathered([torch.zeros_like(p) if p.grad is None else p.grad for p in weights])
