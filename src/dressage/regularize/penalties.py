"""Penalties on the weights. One convention: ½λ‖w‖² and λ‖w‖₁; biases and norm parameters are left out unless asked.

The notes write ½λ‖W‖², λ‖W‖² and λθᵀθ in different places: here the gradient of l2 is λw, and the training loss that is
shown has ½λ‖w‖² in it. The loss of validation and test never has.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dressage.regularize.places import weights
from dressage.regularize.technique import Technique, number


def l2(*, strength: float = 1e-4, biases: bool = False) -> Technique:
    """½λ‖w‖² added to the training loss, λ = `strength`.

    Weight decay is the same for plain SGD alone: not for momentum in C784's form (decoupled λ acts like λ(1−ρ)), nor for Adam.
    Raises RecipeError for a λ below 0. Sources: L6, C784, DR10; Hoerl & Kennard 1970, Krogh & Hertz 1992.
    """
    number("l2.strength", strength, example="l2(strength=1e-4)")
    said = _said("l2", 0, strength, biases)
    return Technique(penalty=_half_square(strength, biases), square=(strength, biases), said=said)


def l1(*, strength: float = 0.01, biases: bool = False) -> Technique:
    """λ‖w‖₁ by its proximal step: after each update at rate α, w ← sign(w)·max(|w| − αλ, 0), element by element.

    So weights become zero exactly. (C784 subtracts αλ·sign(w) instead, which leaves none at zero, since weights jump over it; it
    mixes λ and λ/2 too.) The step stands apart from the gradient, as AdamW's decay does: exact for sgd; with momentum ρ it acts
    like λ(1−ρ); beside Adam's gradients, which are scaled to about 1, λ is about a hundred times larger (0.1 makes half of the
    weights of an MLP on digits zero). The training loss that is shown has no λ‖w‖₁ in it. Raises RecipeError for a λ below 0.
    Sources: C784, DR10; Tibshirani 1996, the step: Daubechies et al. 2004, Beck & Teboulle 2009.
    """
    number("l1.strength", strength, example="l1(strength=0.01)")
    said = _said("l1", strength, 0, biases)
    return Technique(after_step=_shrink(strength, biases), absolute=(strength, biases), said=said)


def elastic_net(*, l1: float = 0.01, l2: float = 1e-4, biases: bool = False) -> Technique:
    """λ₁‖w‖₁ + ½λ₂‖w‖²: the square in the training loss, the rest by the proximal step of `l1`.

    Raises RecipeError for a λ below 0. Sources: C784; Zou & Hastie 2005.
    """
    number("elastic_net.l1", l1, example="elastic_net(l1=0.01)")
    number("elastic_net.l2", l2, example="elastic_net(l2=1e-4)")
    said = _said("elastic_net", l1, l2, biases)
    penalty, shrink = _half_square(l2, biases), _shrink(l1, biases)
    return Technique(penalty=penalty, after_step=shrink, square=(l2, biases), absolute=(l1, biases), said=said)


@torch.no_grad()
def soft_threshold_(tensors: list[Tensor], threshold: float) -> None:
    """w ← sign(w)·max(|w| − t, 0) in place, written as w − clamp(w, −t, t): what lies within ±t is zero exactly."""
    if tensors:
        within = torch._foreach_clamp_min(torch._foreach_clamp_max(tensors, threshold), -threshold)
        torch._foreach_sub_(tensors, within)


def _half_square(strength: float, biases: bool) -> Callable[[nn.Module], Tensor]:
    def penalty(model: nn.Module) -> Tensor:
        return 0.5 * strength * torch.stack([_square(w) for w in weights(model, biases)]).sum()

    return penalty


def _square(w: Tensor) -> Tensor:
    """Σw², in one pass; its second derivative is 2 also where all of w is zero, where that of a norm is none."""
    flat = w.flatten().to(torch.promote_types(w.dtype, torch.float32))
    return torch.dot(flat, flat)


def _shrink(strength: float, biases: bool) -> Callable[[nn.Module, float], None]:
    def after_step(model: nn.Module, lr: float) -> None:
        soft_threshold_([w for w in weights(model, biases) if w.grad is not None], lr * strength)

    return after_step


def _said(name: str, l1: float, l2: float, biases: bool) -> str:
    terms = [f"½·{l2:g}·‖w‖² in the training loss"] * (l2 > 0)
    terms += [f"{l1:g}·‖w‖₁ by a proximal step after each update"] * (l1 > 0)
    of = "of all parameters" if biases else "biases and norm parameters left out"
    return f"{name}: {' and '.join(terms) or 'none'}; {of}"
