"""Matrices that a network multiplies by outside of its linear layers: bare parameters, tables of words, recurrent weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dressage.preflight.calls import Rewired
from dressage.preflight.reinit import linear_layers
from dressage.subject import copy_of, generators_kept


def spreads_of_matrices(model: nn.Module, x: Tensor) -> dict[str, float]:
    """Root mean square × √(terms of the sums that it makes) of each such matrix, by name: about 1 keeps the size of a signal."""
    with torch.no_grad():
        sums = {**_recurrent(model), **multiplied(model, x)}
        every = dict(model.named_parameters())
        return {name: float(every[name].float().square().mean().sqrt()) * math.sqrt(n) for name, n in sums.items()}


def multiplied(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Names of trained matrices that a pass on `x` multiplies by, weights of linear layers apart; and over how many terms."""
    layers = {id(weight) for _, _, weight in linear_layers(model)}
    copied = copy_of(model)
    known = {
        (p.data_ptr(), p.numel()): name
        for (name, p), own in zip(copied.named_parameters(), model.parameters(), strict=True)
        if p.ndim == 2 and min(p.shape) > 1 and p.requires_grad and id(own) not in layers
    }
    found: dict[str, int] = {}

    def see(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if kind in ("linear", "matmul"):
            tensors = [a for a in args if isinstance(a, Tensor)]
            for place, given in enumerate(tensors):
                name = known.get((given.data_ptr(), given.numel()))
                if name and given.ndim == 2:
                    found.setdefault(name, _terms(tensors, place))
        return call()

    if known:
        with torch.no_grad(), generators_kept():
            Rewired(copied, see)(x)
    return found


def tables(model: nn.Module) -> set[str]:
    """Names of the weights of embeddings."""
    kinds = nn.Embedding | nn.EmbeddingBag
    return {f"{name}.weight".lstrip(".") for name, m in model.named_modules() if isinstance(m, kinds)}


def _terms(tensors: list[Tensor], place: int) -> int:
    """What is multiplied from the left is summed over its last axis, which is the matrix's own where it stands on the left."""
    matrix = tensors[place]
    left = tensors[place - 1] if place == len(tensors) - 1 and place > 0 else matrix
    return left.shape[-1] if left.shape[-1] in matrix.shape else min(matrix.shape)


def _recurrent(model: nn.Module) -> dict[str, int]:
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.RNNBase)]
    return {
        f"{name}.{own}".lstrip("."): p.shape[1]
        for name, m in layers
        for own, p in m.named_parameters(recurse=False)
        if p.ndim == 2 and p.requires_grad and own.startswith("weight_")
    }
