"""One training of a copy in which the learning rate grows from step to step: what each rate does to the loss."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dressage.augment.batch import Batch
from dressage.augment.draw import key
from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import Plan, State, new_state, take_step
from dressage.fit.step import loss_of, network_input, seed_noise
from dressage.optim.schedules import Schedule
from dressage.recipe import Recipe
from dressage.subject.untouched import copy_of, generators_kept

Floats = NDArray[np.float64]
ROWS = 512  # of the validation part, whose loss is read at every step
LOST = 5  # losses in a row: lost where their median lies as far above the first as it has lain below it,
RISEN = 0.5  # and by this share of the first at least


@dataclass(frozen=True, slots=True)
class Training:
    """A training before its first step. Sweeps work on copies of it."""

    model: nn.Module
    recipe: Recipe
    batches: Batches
    plan: Plan
    flat: bool
    validation: Part | None = None
    """Given where its loss is to be read in place of the training batches'."""

    def begun(self, number: int) -> tuple[State, Batches, Plan]:
        """A copy, and the order of the data and the noise of sweep `number`, keyed by it."""
        recipe = self.recipe.model_copy(update={"average": "none"})
        batches = copy.copy(self.batches)
        batches.seed = key(recipe.seed, "range test", number)
        plan = replace(self.plan, average=None, noise=key(recipe.seed, "range test", number, "noise"))
        return new_state(copy_of(self.model), recipe, flat=self.flat, thaw=plan.thaw), batches, plan


@dataclass(frozen=True, slots=True)
class Curve:
    """What a sweep saw, a number for each step."""

    rates: Floats
    """`(N,)`: the rate of each step, growing."""
    losses: Floats
    """`(N,)`: the loss before it: of its mini-batch, or of the validation rows."""
    before: Floats
    """`(N,)`: what the first weights have on the same rows with the same noise."""
    lost: bool
    """Whether it was ended because the loss was not finite, or had risen beyond return."""

    @property
    def change(self) -> Floats:
        """`(N,)`: the difference, in which hard and easy batches cancel out."""
        return np.asarray(self.losses - self.before)

    @property
    def first(self) -> float:
        """Mean loss of the first weights."""
        return float(self.before.mean())


def sweep(training: Training, rates: Sequence[float], number: int, tick: Callable[[], None] = lambda: None) -> Curve:
    """Takes a step at each rate, on a copy, until the loss is lost; goes round the data as often as it takes.

    The generators and the training are left as they were. `tick` is called after each step. Raises what the network raises.
    """
    state, batches, plan = training.begun(number)
    plan = replace(plan, lr=1.0, factor=Schedule(lambda step, total: rates[min(step, total - 1)], 0, len(rates)))
    first = copy_of(training.model).train()
    losses: list[float] = []
    firsts: list[float] = []
    fallen = 0.0
    with generators_kept(), torch.enable_grad():
        for state.epoch, batch in _around(batches, len(rates)):
            loss, before = _compared(training, state, first, batch, plan)
            losses.append(loss)
            firsts.append(before)
            tick()
            recent = float(np.median(np.subtract(losses[-LOST:], firsts[-LOST:])))
            if not math.isfinite(loss) or (len(losses) >= LOST and recent > max(fallen, RISEN * abs(before))):
                break
            fallen = max(fallen, -recent)
    known = len(losses)
    is_lost = known < len(rates) or not math.isfinite(losses[-1])
    return Curve(np.array(rates[:known]), np.array(losses), np.array(firsts), is_lost)


def _compared(training: Training, state: State, first: nn.Module, batch: Batch, plan: Plan) -> tuple[float, float]:
    """The loss before a step, which is then taken, and that of the first weights."""
    state.model.train()
    if training.validation is not None:
        loss, before = (_validation_loss(m, training.validation, plan) for m in (state.model, first))
        return (loss if math.isfinite(float(take_step(state, batch, plan))) else math.nan), before
    seed_noise(plan, state.step, state.device)
    x, y = network_input(state, batch, plan)
    with torch.no_grad():
        before = float(loss_of(first, x, y, plan))
    return float(take_step(state, batch, plan)), before


@torch.no_grad()
def _validation_loss(model: nn.Module, part: Part, plan: Plan) -> float:
    """Of up to `ROWS` rows, evenly spread, in evaluation mode."""
    rows = part.rows[torch.linspace(0, len(part) - 1, min(ROWS, len(part))).long()]
    device = next(model.parameters()).device
    model.eval()
    batch = plan.shown(Batch(*(t.to(device) for t in (part.x[rows], part.y[rows], rows))))
    loss = plan.objective.plain_loss(model(plan.cast(batch.x)).float(), batch.y)
    model.train()
    return float(loss)


def _around(batches: Batches, steps: int) -> Iterator[tuple[int, Batch]]:
    """So many batches, epoch after epoch, each with the number of its epoch."""
    endless = ((epoch, batch) for epoch in count() for batch in batches.epoch(epoch))
    return islice(endless, steps)
