"""How a state is moved: the parts of a step, built from a resolved recipe once, before the first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from dressage.augment import Batch, Draw, Transform, planned
from dressage.augment.batch import in_views
from dressage.augment.draw import key
from dressage.data.preprocess.cast import Cast
from dressage.fit.thaw import Thaw
from dressage.objective import Objective
from dressage.objective import catalogue as objectives
from dressage.objective.several import Goal, several
from dressage.optim.averages import Average, average
from dressage.optim.schedules import Schedule, schedule
from dressage.recipe import Loss, Recipe
from dressage.regularize import Technique, techniques

HELD_OUT = -1
"""The epoch by which views of held-out rows are keyed: none of the training."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything of a training that does not change while it runs."""

    objective: Objective
    augment: Sequence[tuple[int, Transform]]
    """Each with a key of its own; neighbours that one pass can carry out are one."""
    cast: Callable[[Tensor], Tensor]
    factor: Schedule
    """Share of the learning rate at a step, after so many cuts."""
    average: Average | None
    noise: int
    """Key of the noise of steps: dropout and what a foreign network draws."""
    lr: float
    epochs: int
    accumulate: int
    clip_norm: float
    clip_value: float
    clip_adaptive: float
    patience: int
    monitor: Literal["loss", "metric"]
    autocast: torch.dtype | None
    stop_on_nonfinite: bool
    unit: float
    """Size of one unit of the network's output in the target's units (regression)."""
    regularize: Sequence[Technique] = ()
    """Penalties, constraints and noise of the step."""
    thaw: Thaw | None = None
    """Which layers are trained when, where weights were taken over."""

    def shown(self, batch: Batch) -> Batch:
        """Held-out rows as the network is judged by them: as they are, or in views that are the same each time."""
        if self.objective.views == 1:
            return batch
        batch = in_views(batch, self.objective.views)
        for own_key, transform in self.augment:
            batch = transform(batch, Draw(own_key, HELD_OUT, 0, batch.rows))
        return batch

    def rate(self, step: int, cuts: int) -> float:
        """The learning rate at `step` (from 0), after so many cuts on a plateau."""
        return self.lr * self.factor(step, cuts)


def make_plan(
    recipe: Recipe,
    steps_per_epoch: int,
    classes: int,
    cast: Callable[[Tensor], Tensor],
    unit: float = 1.0,
    goals: Sequence[Goal] = (),
) -> Plan:
    """The plan of a resolved recipe. `cast` maps a batch `(B, ...)` to the float input of the network.

    `goals` are the targets where there are several.
    """
    total = recipe.train.epochs * steps_per_epoch
    averaged = average(recipe.average, total, steps_per_epoch)
    factor = schedule(recipe.schedule.name, recipe.schedule.warmup, total)
    return Plan(
        objective=_objective(recipe.loss, goals),
        augment=planned(recipe.augment, classes, recipe.seed),
        cast=_laid_out(cast, recipe.train.memory_format),
        factor=replace(factor, hold=averaged.hold) if averaged is not None else factor,
        average=averaged,
        noise=key(recipe.seed, "noise"),
        lr=recipe.optim.rate,
        epochs=recipe.train.epochs,
        accumulate=recipe.train.accumulate,
        clip_norm=recipe.optim.clip_norm,
        clip_value=recipe.optim.clip_value,
        clip_adaptive=recipe.optim.clip_adaptive,
        patience=recipe.train.patience,
        monitor=recipe.train.monitor,
        autocast=torch.bfloat16 if recipe.train.precision == "bf16" else None,
        stop_on_nonfinite=recipe.watch.nonfinite == "stop",
        unit=unit,
        regularize=techniques(recipe.regularize.techniques),
    )


def _objective(loss: Loss, goals: Sequence[Goal]) -> Objective:
    if goals:
        return several(loss.name, loss.label_smoothing, goals, loss.weights)
    return objectives.build(loss.name, loss.label_smoothing)


def _laid_out(cast: Callable[[Tensor], Tensor], memory_format: str) -> Callable[[Tensor], Tensor]:
    """`cast` with its images in the layout of the weights: a convolution follows its input's."""
    if memory_format != "contiguous":
        return cast
    return cast.by_planes if isinstance(cast, Cast) else lambda x: cast(x).contiguous()
