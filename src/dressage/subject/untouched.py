"""What an examination must leave as it found it: generators by putting them back, model and optimiser by working on copies."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@contextmanager
def generators_kept(*own: torch.Generator) -> Iterator[None]:
    """Leaves torch's, numpy's and Python's global generators, and those given, as they were."""
    cuda = torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    found = torch.default_generator.get_state()
    found_cuda = torch.cuda.get_rng_state_all() if cuda else []
    found_python, found_numpy = random.getstate(), np.random.get_state()
    found_own = [g.get_state() for g in own]
    try:
        yield
    finally:
        torch.default_generator.set_state(found)
        if cuda:
            torch.cuda.set_rng_state_all(found_cuda)
        random.setstate(found_python)
        np.random.set_state(found_numpy)
        for generator, state in zip(own, found_own, strict=True):
            generator.set_state(state)


def copy_of(model: nn.Module) -> nn.Module:
    """A copy that shares nothing with `model`; tensors that a module keeps from a forward pass are copied without graph.

    Raises what copying raises, for a model that holds something that cannot be copied.
    """
    return copy_with(model, None)[0]


def evaluated(model: nn.Module) -> nn.Module:
    """A copy in eval mode through which gradients can be taken: cuDNN's recurrent layers go back in training mode alone.

    These are left in it, without their dropout, which is the same function.
    """
    copied = copy_of(model).eval()
    for module in copied.modules():
        if isinstance(module, nn.RNNBase):
            module.training, module.dropout = True, 0.0
    return copied


def copy_with(model: nn.Module, optimizer: Optimizer | None) -> tuple[nn.Module, Optimizer | None]:
    """A model and the optimiser of it, copied together: the copied optimiser moves the copied parameters."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and value.requires_grad and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    copied = copy.deepcopy(model, memo)
    return copied, None if optimizer is None else _optimizer_of(optimizer, memo)


def _optimizer_of(optimizer: Optimizer, memo: dict[int, Any]) -> Optimizer:
    """Without the hooks of the original, and without what a schedule has put in the place of its `step`."""
    made: Optimizer = object.__new__(type(optimizer))
    for name, value in vars(optimizer).items():
        if name == "step":
            continue
        if name.endswith("_hooks"):
            vars(made)[name] = OrderedDict()
        elif name == "state":
            continue
        else:
            vars(made)[name] = copy.deepcopy(value, memo)
    state = {memo.get(id(p), p): copy.deepcopy(held, memo) for p, held in optimizer.state.items()}
    made.state = type(optimizer.state)(dict, state)
    return made
