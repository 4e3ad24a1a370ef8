"""What a network cannot bear: more memory than there is, batches of one row, views that it has no use for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dressage.augment.views import catalogue as views
from dressage.data.batches import Batches
from dressage.data.npz import available_memory
from dressage.data.source import Part
from dressage.errors import RecipeError
from dressage.files import size_text
from dressage.fit.views import has_dropout
from dressage.models import build_model
from dressage.recipe import Recipe

BYTES_A_PARAMETER = 16  # float32 weight, gradient and two averages of the optimiser


def check_network(
    model: nn.Module, recipe: Recipe, batches: Batches, parts: Mapping[str, Part], shape: tuple[int, ...]
) -> None:
    """Raises RecipeError where the network cannot be trained on such batches, or judged as the recipe has it."""
    _check_batch_norm(model, batches, recipe.train.accumulate, shape)
    _check_others(recipe, batches, parts)
    _check_views(model, recipe)


def check_memory(recipe: Recipe, shape: tuple[int, ...], outputs: int) -> None:
    """Raises RecipeError for a network whose weights, gradients and optimiser state do not fit into this machine's memory."""
    if recipe.train.device != "cpu":
        return
    with torch.device("meta"):  # shapes without numbers
        model = build_model(recipe.model, shape, outputs, recipe.regularize.dropout)
    count = sum(p.numel() for p in model.parameters())
    needed, there = count * BYTES_A_PARAMETER, available_memory()
    if needed > there:
        found = f"{count:,} parameters, which take {size_text(needed)} to train"
        raise RecipeError.of(
            "model", found, f"this machine has {size_text(there)} free", "take a smaller width or depth"
        )


def _check_batch_norm(model: nn.Module, batches: Batches, pieces: int, shape: tuple[int, ...]) -> None:
    """Raises RecipeError where batch norm would have to take the spread of a single row."""
    normed = any(isinstance(m, _BatchNorm) for m in model.modules())
    if normed and batches.views * _smallest_piece(batches, pieces) < 2 and not _takes_one_row(model, shape):
        found = "a piece of a batch has a single row"
        raise RecipeError.of("train.batch_size", found, "batch norm needs two", "take larger batches, or layer norm")


def _check_others(recipe: Recipe, batches: Batches, parts: Mapping[str, Part]) -> None:
    """Raises RecipeError where views of a sample would be looked for among no others."""
    if batches.views == 1:
        return
    if _smallest_piece(batches, recipe.train.accumulate) < 2:
        found, expected = "a piece of a batch has a single row", "there must be others that its views are told from"
        raise RecipeError.of("train.batch_size", found, expected, "take larger batches, or fewer pieces")
    for name, part in parts.items():
        if len(part) < 2:
            found, expected = f"the {name} part has one row", "there must be others that its views are told from"
            raise RecipeError.of("data", found, expected, "give more rows, or cut other parts")


def _smallest_piece(batches: Batches, pieces: int) -> int:
    """Samples of the smallest piece that a batch is cut into."""
    smallest = min(b - a for a, b in pairwise(batches.bounds))
    return min(len(piece) for piece in torch.arange(smallest).chunk(pieces))


def _check_views(model: nn.Module, recipe: Recipe) -> None:
    """Raises RecipeError where passes with dropout are asked of a network without any."""
    if views.build(recipe.evaluate.views).noise and not has_dropout(model):
        found, expected = f"{recipe.evaluate.views} given", "the network has no dropout"
        raise RecipeError.of("evaluate.views", found, expected, "e.g. regularize.dropout = 0.2, or leave it out")


def _takes_one_row(model: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether each batch norm has several places of a single row to take the spread of."""
    twin = copy.deepcopy(model).train()
    device = next(twin.parameters()).device
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            twin(torch.zeros(1, *shape, device=device))
    except ValueError:  # torch's, of a single value per channel
        return False
    return True
