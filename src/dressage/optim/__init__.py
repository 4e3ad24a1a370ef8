"""How a step is made from a gradient: torch's own optimisers, in the form that is fastest on the device.

`catalogue[name].build(groups, section)`: `groups` are torch's parameter groups, dicts with `params` and `weight_decay`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from dressage import recipe
from dressage.catalogue import Catalogue, Entry
from dressage.errors import RecipeError

Groups = Sequence[dict[str, Any]]
FUSED = ("cpu", "cuda")
"""Devices on which torch has fused kernels of SGD, Adam and AdamW: one pass over memory instead of ten."""


def decay_groups(named_parameters: Iterable[tuple[str, Tensor]], weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups: weights, which decay, and biases and norm parameters (one dimension or none), which do not.

    Frozen parameters are left out. The order within a group is the order given.
    """
    kept = [p for _, p in named_parameters if p.requires_grad]
    return [
        {"params": [p for p in kept if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in kept if p.ndim <= 1], "weight_decay": 0.0},
    ]


def kernels(groups: Groups) -> dict[str, bool | None]:
    """`fused` where torch has it for the parameters' device, else `foreach`."""
    parameters = [p for group in groups for p in group["params"]]
    fused = all(p.device.type in FUSED and p.is_floating_point() for p in parameters)
    return {"fused": True} if fused else {"foreach": True}


def sgd(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """θ ← θ − lr·g."""
    return torch.optim.SGD([*groups], lr=section.lr, **kernels(groups))  # type: ignore[arg-type]


def momentum(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """v ← ρv + g; θ ← θ − lr·v."""
    return torch.optim.SGD([*groups], lr=section.lr, momentum=section.momentum, **kernels(groups))  # type: ignore[arg-type]


def nesterov(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """v ← ρv + g; θ ← θ − lr·(g + ρv). Raises RecipeError for ρ = 0, which is sgd."""
    if section.momentum == 0:
        raise RecipeError.of("optim.momentum", "0 given with nesterov", "expected more than 0", "set it, or use sgd")
    options: dict[str, Any] = {"momentum": section.momentum, "nesterov": True, **kernels(groups)}
    return torch.optim.SGD([*groups], lr=section.lr, **options)


def adam(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """Adam with weight decay as part of the gradient (L2)."""
    return torch.optim.Adam([*groups], **_adam_options(groups, section))


def adamw(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay."""
    return torch.optim.AdamW([*groups], **_adam_options(groups, section))


def _adam_options(groups: Groups, section: recipe.Optim) -> dict[str, Any]:
    return {"lr": section.lr, "betas": (section.beta1, section.beta2), "eps": section.eps, **kernels(groups)}


catalogue: Catalogue[torch.optim.Optimizer] = Catalogue(
    "optim",
    Entry(
        "sgd",
        sgd,
        "Plain stochastic gradient descent.",
        "g ← g + λθ; θ ← θ − lr·g",
        "L6, C784; Robbins & Monro 1951",
    ),
    Entry(
        "momentum",
        momentum,
        "Descent with a running sum of gradients: faster along valleys.",
        "g ← g + λθ; v ← ρv + g; θ ← θ − lr·v",
        "L6, C784; Polyak 1964, Sutskever et al. 2013",
    ),
    Entry(
        "nesterov",
        nesterov,
        "Momentum whose gradient looks one step ahead.",
        "g ← g + λθ; v ← ρv + g; θ ← θ − lr·(g + ρv)",
        "L6, C784; Nesterov 1983, Sutskever et al. 2013",
    ),
    Entry(
        "adam",
        adam,
        "A step size for each weight from running means of gradient and squared gradient; decay inside the gradient.",
        "g ← g + λθ; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε), t from 1",
        "L6, C784, CMU3; Kingma & Ba 2015",
    ),
    Entry(
        "adamw",
        adamw,
        "Adam with weight decay apart from the gradient: the usual choice.",
        "θ ← (1 − lr·λ)θ; then Adam without λ",
        "C784; Loshchilov & Hutter 2019",
    ),
)
