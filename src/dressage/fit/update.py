"""The optimiser's update, by the shortest way that gives torch's own result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam


def update(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """`optimizer.step()` at rate `lr`.

    For torch's fused Adam and AdamW, once their state is there, torch's functional form is called on that same state:
    the hooks and checks around `step` cost more than the update of a small network.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW) and all(
        _is_plain(optimizer, g) for g in optimizer.param_groups
    ):
        for group in optimizer.param_groups:
            _fused_adam(optimizer, group, lr)
    else:
        optimizer.step()


def _is_plain(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> bool:
    ready = all(p.grad is not None and "exp_avg" in optimizer.state.get(p, ()) for p in group["params"])
    return bool(ready and group["fused"] and not (group["amsgrad"] or group["maximize"] or group["capturable"]))


@torch.no_grad()
def _fused_adam(optimizer: torch.optim.Optimizer, group: dict[str, Any], lr: float) -> None:
    parameters: list[Tensor] = group["params"]
    states = [optimizer.state[p] for p in parameters]
    beta1, beta2 = group["betas"]
    adam(
        parameters,
        [p.grad for p in parameters if p.grad is not None],
        [s["exp_avg"] for s in states],
        [s["exp_avg_sq"] for s in states],
        [],
        [s["step"] for s in states],
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=lr,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
        decoupled_weight_decay=group["decoupled_weight_decay"],
    )
