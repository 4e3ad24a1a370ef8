"""The optimiser's update, by the shortest way that gives torch's own result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dressage.optim.common import Closure


@dataclass(frozen=True, slots=True)
class FusedAdam:
    """The kernel that torch's fused Adam and AdamW call, on the state that the optimiser keeps.

    Only the hooks and checks around `optimizer.step` are left out: they cost more than the update of a small network.
    """

    optimizer: torch.optim.Optimizer
    groups: list[tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], dict[str, Any]]]
    """For each group the parameters, both averages, the steps, and the settings."""
    shares: list[float]
    """What share of the rate each group has."""
    steps: list[Tensor]
    decoupled: bool

    def step(self, lr: float) -> bool:
        """One update at rate `lr`; False, and nothing done, when a parameter has no gradient."""
        gradients = [[p.grad for p in group[0]] for group in self.groups]
        if any(g is None for group in gradients for g in group):
            return False
        kernel = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        with torch.no_grad():
            torch._foreach_add_(self.steps, 1)
            for group, share, grads in zip(self.groups, self.shares, gradients, strict=True):
                parameters, means, squares, steps, settings = group
                rate = lr * share
                kernel(parameters, grads, means, squares, [], steps, lr=rate, amsgrad=False, maximize=False, **settings)  # type: ignore[arg-type]
        return True


def fused_adam(optimizer: torch.optim.Optimizer) -> FusedAdam | None:
    """The short way for this optimiser; None for another one, or before its first step has made its state."""
    if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW):
        return None
    groups = [group for group in optimizer.param_groups if group["params"]]
    states = [[optimizer.state.get(p, {}) for p in group["params"]] for group in groups]
    if not all("exp_avg" in s for group in states for s in group) or not all(_is_plain(group) for group in groups):
        return None
    made = [
        (
            list(group["params"]),
            [s["exp_avg"] for s in states_of_group],
            [s["exp_avg_sq"] for s in states_of_group],
            [s["step"] for s in states_of_group],
            {
                "beta1": group["betas"][0],
                "beta2": group["betas"][1],
                "weight_decay": group["weight_decay"],
                "eps": group["eps"],
            },
        )
        for group, states_of_group in zip(groups, states, strict=True)
    ]
    shares = [share_of(group) for group in groups]
    steps = [s["step"] for group in states for s in group]
    return FusedAdam(optimizer, made, shares, steps, type(optimizer) is torch.optim.AdamW)


def share_of(group: Mapping[str, Any]) -> float:
    """What share of the learning rate a group has: less than 1 where its layers were taken over."""
    return float(group.get("share", 1.0))


def _is_plain(group: dict[str, Any]) -> bool:
    one_kind = len({(p.device, p.dtype) for p in group["params"]}) == 1
    return bool(one_kind and group["fused"] and not (group["amsgrad"] or group["maximize"] or group["capturable"]))


def update(optimizer: torch.optim.Optimizer, kernel: FusedAdam | None, lr: float, gradient: Closure) -> Tensor:
    """`optimizer.step(gradient)` at rate `lr`; the loss before it. An optimiser may ask for the gradient more than once."""
    for group in optimizer.param_groups:
        group["lr"] = lr * share_of(group)
    if kernel is None:
        return optimizer.step(gradient)  # type: ignore[arg-type, return-value]
    loss = gradient()
    if not kernel.step(lr):
        optimizer.step()
    return loss
