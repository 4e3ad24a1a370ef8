"""Adam and its kin, all torch's: a step size for each weight from running means of gradient and squared gradient."""

from __future__ import annotations

from typing import Any

import torch

from dressage import recipe
from dressage.optim.common import Groups, check_share, kernels


def adam(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """m̂/(√v̂ + ε), weight decay as part of the gradient (L2). t counts from 1: with C784's t from 0 the first step is 0/0."""
    return torch.optim.Adam([*groups], **_options(section), **kernels(groups))


def adamw(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay. C784 has λθ in both lines of its box; the paper has it in this one only."""
    return torch.optim.AdamW([*groups], **_options(section), **kernels(groups))


def nadam(groups: Groups, section: recipe.Optim, *, momentum_decay: float = 0.004) -> torch.optim.Optimizer:
    """Adam whose mean gradient looks one step ahead, as nesterov's does; weight decay as part of the gradient.

    μₜ = β₁(1 − ½·0.96^(t·momentum_decay)). Raises RecipeError for a momentum_decay outside 0 to 1.
    """
    check_share("nadam.momentum_decay", momentum_decay, "nadam(momentum_decay=0.004)")
    return torch.optim.NAdam([*groups], momentum_decay=momentum_decay, foreach=True, **_options(section))


def _options(section: recipe.Optim) -> dict[str, Any]:
    return {"lr": section.rate, "betas": (section.beta1, section.beta2), "eps": section.eps}
