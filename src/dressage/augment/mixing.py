"""Mixtures of samples: mixup."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dressage.augment.batch import Batch
from dressage.augment.draw import Draw
from dressage.errors import RecipeError


class Mixup:
    """Each sample mixed with another of its batch; apply it to the whole batch of a step, before that is cut in pieces.

    Inputs become float32 (on the scale that they had, 0..255 for images); class numbers become probabilities `(N, C)`.
    The share λ is drawn for each sample, and the larger of λ and 1−λ is the sample's own: the pairs being random, the
    mixtures are distributed as in the paper, and the likeliest class of a row stays that of its sample.
    """

    def __init__(self, classes: int, alpha: float) -> None:
        self.classes = classes
        self.alpha = alpha

    def __call__(self, batch: Batch, draw: Draw) -> Batch:
        n, device = len(batch.y), batch.x.device
        generator = draw.generator("mixup")
        partner = torch.randperm(n, generator=generator).to(device, non_blocking=True)
        own = beta(self.alpha, n, generator).to(device, torch.float32, non_blocking=True)
        targets = batch.y
        if self.classes > 0 and targets.ndim == 1:
            targets = F.one_hot(targets, self.classes).to(torch.float32)
        x = batch.x if batch.x.is_floating_point() else batch.x.to(torch.float32)
        return batch._replace(x=_mix(x, partner, own), y=_mix(targets, partner, own))


def mixup(classes: int, *, alpha: float = 0.2) -> Mixup:
    """Mixes with shares from Beta(alpha, alpha); `classes` 0 in a regression. Raises RecipeError unless alpha > 0."""
    if not 0 < alpha < math.inf:
        raise RecipeError.of("mixup.alpha", f"{alpha} given", "expected a number above 0", "e.g. mixup(alpha=0.2)")
    return Mixup(classes, alpha)


def beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """`(count,)` float64: max(λ, 1−λ) for λ ~ Beta(alpha, alpha).

    λ is g₁/(g₁ + g₂) with g ~ Gamma(alpha), drawn as Gamma(alpha + 1)·u^(1/alpha) and kept as logarithms, since both
    g underflow for a small alpha.
    """
    gammas = torch._standard_gamma(torch.full((2, count), alpha + 1, dtype=torch.float64), generator=generator)
    uniform = 1 - torch.rand(2, count, dtype=torch.float64, generator=generator)
    logs = gammas.log() + uniform.log() / alpha
    return torch.sigmoid((logs[0] - logs[1]).abs())


def _mix(values: Tensor, partner: Tensor, own: Tensor) -> Tensor:
    own = own.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values.index_select(0, partner), values, own)
