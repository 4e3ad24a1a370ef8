"""Steps whose length is a share of the length of each tensor's weights, for large batches: lars and lamb.

Where a norm is 0 the trust ratio is 1, and it is never more than `clip`. A bias or norm parameter (one dimension or none)
that does not decay has ratio 1 too: it starts at 0, and steps of a share of its length would keep it there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from dressage import recipe
from dressage.optim.common import Closure, Groups, check_positive, evaluated, length, on_processor, with_gradient

CACHED = 1 << 18
"""Weights whose steps are computed together on a processor: more would not stay in its second cache."""
Rate = float | Tensor


def lars(groups: Groups, section: recipe.Optim, *, trust: float = 0.001, clip: float = 10.0) -> torch.optim.Optimizer:
    """LARS with the recipe's momentum. Raises RecipeError for a trust or clip of 0 or less."""
    check_positive("lars.trust", trust, "lars(trust=0.001)")
    check_positive("lars.clip", clip, "lars(clip=10.0)")
    return Lars(groups, section.rate, section.momentum, trust, clip)


def lamb(groups: Groups, section: recipe.Optim, *, clip: float = 10.0) -> torch.optim.Optimizer:
    """LAMB with the recipe's beta1, beta2 and eps. Raises RecipeError for a clip of 0 or less."""
    check_positive("lamb.clip", clip, "lamb(clip=10.0)")
    return Lamb(groups, section.rate, (section.beta1, section.beta2), section.eps, clip)


class Lars(torch.optim.Optimizer):
    """r = η‖θ‖/(‖g‖ + λ‖θ‖), at most `clip`; v ← ρv + lr·r·(g + λθ); θ ← θ − v. CMU3; You, Gitman & Ginsburg 2017."""

    def __init__(self, groups: Groups, lr: float, momentum: float, trust: float, clip: float) -> None:
        super().__init__([*groups], {"lr": lr, "momentum": momentum, "trust": trust, "clip": clip, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:  # type: ignore[override]
        """One step; parameters without a gradient are skipped."""
        loss = evaluated(closure)
        for group in self.param_groups:
            for weights in together(with_gradient(group)):
                self._move(weights, group)
        return loss

    def _move(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in weights if p.grad is not None]
        velocities = [self._velocity(p) for p in weights]
        torch._foreach_mul_(velocities, group["momentum"])
        rates = trusted(weights, gradients, group, trust=group["trust"], decay=group["weight_decay"])
        for p, g, velocity, rate in zip(weights, gradients, velocities, rates, strict=True):
            add_(velocity, g, rate)
            if group["weight_decay"]:
                add_(velocity, p, rate * group["weight_decay"])
        torch._foreach_sub_(weights, velocities)

    def _velocity(self, p: Tensor) -> Tensor:
        if "velocity" not in self.state[p]:
            self.state[p]["velocity"] = torch.zeros_like(p)
        return self.state[p]["velocity"]  # type: ignore[no-any-return]


class Lamb(torch.optim.Optimizer):
    """m, v as in Adam; u = m̂/(√v̂ + ε) + λθ; r = ‖θ‖/‖u‖, at most `clip`; θ ← θ − lr·r·u. CMU3; You et al. 2020.

    CMU3 has √(v + ε); the paper, like Adam's, √v + ε. torch's fused kernel of Adam, run at rate 1 on zeros, gives
    −m̂/(√v̂ + ε) and moves both averages in the same pass over memory.
    """

    def __init__(self, groups: Groups, lr: float, betas: tuple[float, float], eps: float, clip: float) -> None:
        super().__init__([*groups], {"lr": lr, "betas": betas, "eps": eps, "clip": clip, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Tensor | None:  # type: ignore[override]
        """One step; parameters without a gradient are skipped."""
        loss = evaluated(closure)
        for group in self.param_groups:
            weights = with_gradient(group)
            counts = [self._state(p)["step"] for p in weights]
            if counts:
                torch._foreach_add_(counts, 1)
            lists = list(together(weights))
            room = _room(lists)
            for some in lists:
                self._move(some, room, group)
        return loss

    def _move(self, weights: list[Tensor], room: Tensor | None, group: dict[str, Any]) -> None:
        states = [self.state[p] for p in weights]
        means = [state["exp_avg"] for state in states]
        steps = _places(room, means)
        torch._foreach_zero_(steps)
        torch._fused_adam_(
            steps,
            [p.grad for p in weights if p.grad is not None],
            means,
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            lr=1.0,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            eps=group["eps"],
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )
        if group["weight_decay"]:
            torch._foreach_add_(steps, weights, alpha=-group["weight_decay"])
        for p, step, rate in zip(weights, steps, trusted(weights, steps, group), strict=True):
            add_(p, step, rate)

    def _state(self, p: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=p.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        return state


def together(weights: list[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in lists whose steps are computed together: up to `CACHED` weights on a processor, all elsewhere."""
    some: list[Tensor] = []
    size = 0
    for p in weights:
        if some and on_processor(p) and size + p.numel() > CACHED:
            yield some
            some, size = [], 0
        some.append(p)
        size += p.numel()
    if some:
        yield some


def _room(lists: list[list[Tensor]]) -> Tensor | None:
    """Room for the longest list: used again for each, since fresh memory would have to come from outside the caches."""
    if not lists:
        return None
    first = lists[0][0]
    return first.new_empty(max(sum(p.numel() for p in some) for some in lists))


def _places(room: Tensor | None, like: list[Tensor]) -> list[Tensor]:
    """Parts of the room in the shapes and strides of dense tensors."""
    assert room is not None
    starts = itertools.accumulate((t.numel() for t in like), initial=0)
    return [room.as_strided(t.shape, t.stride(), start) for t, start in zip(like, starts, strict=False)]


def trusted(
    weights: list[Tensor], moves: list[Tensor], group: dict[str, Any], *, trust: float = 1.0, decay: float = 0.0
) -> list[Rate]:
    """lr·r for each tensor, r = trust·‖θ‖/(‖move‖ + decay·‖θ‖), at most `clip`, and 1 where a norm is 0.

    Numbers on a processor, where reading one waits for nothing; tensors `()` elsewhere: none leaves the device.
    """
    lr, clip = group["lr"], group["clip"]
    if group["weight_decay"] == 0 and all(p.ndim <= 1 for p in weights):
        return [lr for _ in weights]
    if on_processor(weights[0]):
        pairs = [(length(p), length(move)) for p, move in zip(weights, moves, strict=True)]
        return [lr * min(trust * p / (move + decay * p), clip) if p and move else lr for p, move in pairs]
    lengths, moved = (torch.stack(torch._foreach_norm(some)) for some in (weights, moves))
    ratios = (trust * lengths / (moved + decay * lengths)).clamp(max=clip)
    return list((lr * torch.where((lengths > 0) & (moved > 0), ratios, 1.0)).unbind())


def add_(target: Tensor, step: Tensor, rate: Rate) -> None:
    """target ← target + rate·step."""
    if isinstance(rate, Tensor):
        target.addcmul_(step, rate)
    else:
        target.add_(step, alpha=rate)
