"""What an optimiser cannot be trained with: told before the training, and not in its middle."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import nn

from dressage.catalogue import parse
from dressage.errors import RecipeError
from dressage.optim import COMPARING, FULL_BATCH, catalogue, keeps_average, name_of
from dressage.recipe import Recipe

MOVING = ("l1", "elastic_net", "max_norm")
"""Techniques that move the weights after a step."""
SMALL = 1500
"""Parameters whose exact Hessian takes a second or two, and not the minute of the largest that is borne."""
PIECE_BYTES = 1 << 30
"""Of activations that one piece of a full batch may take."""
ACTIVATIONS = 80
"""Numbers kept for the backward pass for each number of a sample: measured for a small resnet, far fewer in an MLP."""


class Sized(Protocol):
    """What of the data counts here."""

    @property
    def rows(self) -> int: ...


def optimizer_fits(recipe: Recipe, facts: Sized) -> RecipeError | None:
    """What the optimiser named cannot be used with, or an option out of its range; None: nothing."""
    name = name_of(recipe.optim.name)
    section = recipe.optim.model_copy(update={"lr": 1.0}) if recipe.optim.lr == "auto" else recipe.optim
    try:
        blank = [nn.Parameter(torch.zeros(2, 2)) for _ in range(3)]
        catalogue.build(recipe.optim.name, [{"params": blank, "weight_decay": 0.0}], section)
    except RecipeError as error:
        return error
    if name == "gd" and recipe.train.batch_size != facts.rows:
        found, expected = (
            f"{recipe.train.batch_size} given with gd",
            f"a step of gd sees all {facts.rows} training rows",
        )
        return _error("train.batch_size", found, expected, "leave it out, or use sgd")
    if name in COMPARING and (problem := _comparing(recipe, name)):
        return problem
    if keeps_average(recipe.optim.name) and recipe.average != "none":
        found, expected = f"'{recipe.average}' given with {name}", f"{name} keeps an average of its own"
        return _error("average", found, expected, "set average = none")
    moving = next((t for t in _moving(recipe) if name in COMPARING or keeps_average(recipe.optim.name)), "")
    if moving:
        expected = f"{name} has to know of every move of the weights"
        return _error("regularize.techniques", f"'{moving}' given with {name}", expected, "use adamw, or leave it out")
    return None


def _comparing(recipe: Recipe, name: str) -> RecipeError | None:
    """For those that compare losses of one batch within a step."""
    clipped = next((c for c in ("norm", "value", "adaptive") if getattr(recipe.optim, f"clip_{c}")), "")
    if clipped:
        found, expected = f"given with {name}", "a clipped gradient is not the slope of the loss that it compares"
        return _error(f"optim.clip_{clipped}", found, expected, "leave it out")
    if recipe.train.precision == "bf16":
        found, expected = f"bf16 given with {name}", "it compares losses, which bf16 rounds to two digits"
        return _error("train.precision", found, expected, "use float32")
    if recipe.train.memory_format == "channels_last":
        found, expected = f"channels_last given with {name}", "it reads weights and gradients as one row of numbers"
        return _error("train.memory_format", found, expected, "use contiguous")
    if name == "newton" and recipe.train.accumulate > 1:
        found, expected = f"{recipe.train.accumulate} given with newton", "its Hessian is that of a whole batch"
        return _error("train.accumulate", found, expected, "leave it out, or give a smaller train.batch_size")
    return None


def small_width(inputs: int, outputs: int) -> int:
    """Hidden units of one layer between inputs and outputs with which a network has `SMALL` parameters at most, if any has."""
    return max(1, (SMALL - outputs) // (inputs + outputs + 1))


def pieces(name: str, rows: int, numbers: int) -> int:
    """How many pieces a batch of all rows is cut into, `numbers` a row, so that one fits into memory."""
    room = max(1, PIECE_BYTES // (4 * ACTIVATIONS * max(1, numbers)))
    return 1 if name not in FULL_BATCH or name == "newton" else math.ceil(rows / room)


def _moving(recipe: Recipe) -> list[str]:
    return [t for t in (parse(written)[0] for written in recipe.regularize.techniques) if t in MOVING]


def _error(path: str, found: str, expected: str, repair: str) -> RecipeError:
    return RecipeError(str(RecipeError.of(path, found, expected, repair)))
