"""Steps along the gradient: gd, sgd, momentum, nesterov. All torch's SGD."""

from __future__ import annotations

import torch

from dressage import recipe
from dressage.errors import RecipeError
from dressage.optim.common import Groups, kernels


def sgd(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """θ ← θ − lr·g, g the gradient of a batch's mean loss. C784 has x += lr·dx, which ascends: it is minus."""
    return torch.optim.SGD([*groups], lr=section.rate, **kernels(groups))


def gd(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """θ ← θ − lr·g, g the gradient of the mean loss of all training rows: `dressage.resolve` makes a step see them all."""
    return sgd(groups, section)


def momentum(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """v ← ρv + g; θ ← θ − lr·v. C784 has the sign of the step wrong here too."""
    return torch.optim.SGD([*groups], lr=section.rate, momentum=section.momentum, **kernels(groups))


def nesterov(groups: Groups, section: recipe.Optim) -> torch.optim.Optimizer:
    """v ← ρv + g; θ ← θ − lr·(g + ρv). Raises RecipeError for ρ = 0, which is sgd."""
    if section.momentum == 0:
        raise RecipeError.of("optim.momentum", "0 given with nesterov", "expected more than 0", "set it, or use sgd")
    return torch.optim.SGD([*groups], lr=section.rate, momentum=section.momentum, nesterov=True, **kernels(groups))
