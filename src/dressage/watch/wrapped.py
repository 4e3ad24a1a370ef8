"""What frameworks wrap: the network and the optimiser inside, and the input that a network is mainly given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer


def network_in(model: nn.Module) -> nn.Module:
    """The network that a parallel wrapper spreads."""
    while isinstance(model, DataParallel | DistributedDataParallel):
        model = model.module
    return model


def optimizer_in(optimizer: Optimizer) -> Optimizer:
    """The optimiser that takes the steps: accelerate and Lightning keep it as `optimizer` in one of their own."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    return optimizer


def main_input(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The input of a forward pass: what transformers' networks call their main one, else the first dense one that is no label."""
    named = kwargs.get(str(getattr(module, "main_input_name", "")))
    given = (named, *args, *(value for name, value in kwargs.items() if name != "labels"))
    return next((a for a in given if isinstance(a, Tensor) and a.ndim and a.layout == torch.strided), None)
