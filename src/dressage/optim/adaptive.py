"""A step size for each weight from its squared gradients so far: adagrad, rmsprop, adadelta. All torch's.

ε stands outside the root, √v + ε, as in the papers; some slides of CMU3 have √(v + ε).
"""

from __future__ import annotations

import torch

from dressage import recipe
from dressage.optim.common import Groups, check_positive, check_share


def adagrad(groups: Groups, section: recipe.Optim, *, eps: float = 1e-10) -> torch.optim.Optimizer:
    """v ← v + g²; θ ← θ − lr·g/(√v + ε). Raises RecipeError for ε ≤ 0."""
    check_positive("adagrad.eps", eps, "adagrad(eps=1e-10)")
    return torch.optim.Adagrad([*groups], lr=section.rate, eps=eps, foreach=True)


def rmsprop(
    groups: Groups, section: recipe.Optim, *, alpha: float = 0.99, centered: bool = False, eps: float = 1e-8
) -> torch.optim.Optimizer:
    """v ← αv + (1−α)g²; θ ← θ − lr·g/(√v + ε); `centered` takes the squared mean of g from v. Raises RecipeError."""
    check_share("rmsprop.alpha", alpha, "rmsprop(alpha=0.99)")
    check_positive("rmsprop.eps", eps, "rmsprop(eps=1e-8)")
    return torch.optim.RMSprop([*groups], lr=section.rate, alpha=alpha, eps=eps, centered=centered, foreach=True)


def adadelta(groups: Groups, section: recipe.Optim, *, rho: float = 0.9, eps: float = 1e-6) -> torch.optim.Optimizer:
    """v ← ρv + (1−ρ)g²; δ = √(u+ε)/√(v+ε)·g; u ← ρu + (1−ρ)δ²; θ ← θ − lr·δ. Raises RecipeError.

    Here ε stands inside both roots, in the paper too: it is what the first step comes from.
    """
    check_share("adadelta.rho", rho, "adadelta(rho=0.9)")
    check_positive("adadelta.eps", eps, "adadelta(eps=1e-6)")
    return torch.optim.Adadelta([*groups], lr=section.rate, rho=rho, eps=eps, foreach=True)
