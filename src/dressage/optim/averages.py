"""Averages of the weights over the steps, used in place of the last weights.

An average of weights does not fit the running statistics of a batch norm: they are measured anew after training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.catalogue import Catalogue, Entry
from dressage.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Average:
    """An exponential moving average; it holds no weights itself."""

    decay: float
    warmup: bool

    def update(self, params: list[Tensor], averages: list[Tensor], step: int) -> None:
        """`averages ← d·averages + (1 − d)·params` in place, after the update of `step` (from 0)."""
        decay = ema_decay(step, self.decay) if self.warmup else self.decay
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 1 - decay)


def ema_decay(step: int, decay: float) -> float:
    """min(decay, (1 + t)/(10 + t)): the first steps, far from the end, are forgotten faster."""
    return min(decay, (1 + step) / (10 + step))


def none() -> Average | None:
    """No average."""
    return None


def ema(*, decay: float = 0.999, warmup: bool = True) -> Average | None:
    """An exponential moving average with `decay`, which rises from 0.1 at the start if `warmup`."""
    if not 0 <= decay < 1:
        raise RecipeError.of("ema.decay", f"{decay} given", "expected 0 ≤ decay < 1", "e.g. ema(decay=0.999)")
    return Average(decay, warmup)


catalogue: Catalogue[Average | None] = Catalogue(
    "average",
    Entry("none", none, "The last weights.", "θ", "C784"),
    Entry(
        "ema",
        ema,
        "Exponential moving average of the weights; the decay rises to its value over the first steps.",
        "d_t = min(decay, (1+t)/(10+t)); ā ← d_t ā + (1 − d_t)θ",
        "C784; Polyak & Juditsky 1992, Tarvainen & Valpola 2017",
    ),
)
