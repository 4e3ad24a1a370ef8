"""Where an optimiser of the catalogue goes on a surface, step by step, and which rate suits it there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from dressage.optim import catalogue
from dressage.optim.surfaces import Place, Surface
from dressage.recipe import Optim

RATES = tuple(10 ** (k / 4) for k in range(-20, 5))
"""1e-5 to 10, four a decade: those that are tried."""


def walk(written: str, surface: Surface, lr: float, start: Place | None = None) -> Iterator[tuple[Place, float]]:
    """Places and their heights, the start first, without end; NaN once the place or the height is not finite.

    In float64, without decay. Raises RecipeError for an optimiser that does not exist, and for muon, which moves hidden matrices.
    """
    at = torch.tensor([surface.start if start is None else start], dtype=torch.float64)
    at.requires_grad_()  # a matrix (1, 2): lamb and lars scale no vector
    optimizer = catalogue.build(written, [{"params": [at], "weight_decay": 0.0}], Optim(name=written, lr=lr))

    def closure(backward: bool = True) -> Tensor:
        height = surface.height(at[0, 0], at[0, 1])
        if backward:
            optimizer.zero_grad()
            height.backward()  # type: ignore[no-untyped-call]
        return height.detach() if backward else height

    while True:
        with torch.no_grad():
            place, height = at[0].tolist(), float(surface.height(at[0, 0], at[0, 1]))
        if not all(map(math.isfinite, (*place, height))):
            break
        yield (place[0], place[1]), height
        optimizer.step(closure)  # type: ignore[arg-type]
    while True:
        yield (math.nan, math.nan), math.nan


def best_rate(written: str, surface: Surface, steps: int, start: Place | None = None) -> float:
    """The rate of `RATES` with the lowest mean height over the second half of so many steps."""

    def height(lr: float) -> float:
        late = [h for _, h in islice(walk(written, surface, lr, start), steps // 2, steps + 1)]
        mean = sum(late) / len(late)
        return mean if math.isfinite(mean) else math.inf

    return min(RATES, key=height)
