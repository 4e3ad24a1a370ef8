"""All that a resumed run needs, as one object: weights, optimiser, average, early-stop memory, best so far, position."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dressage.fit.flat import can_flatten, flatten, load_tensors, tensors_of
from dressage.fit.keys import Keys, keys_of
from dressage.fit.thaw import Thaw
from dressage.fit.update import FusedAdam, fused_adam
from dressage.optim import catalogue as optimizers
from dressage.optim import decay_groups, joins_tensors, keeps_average
from dressage.optim.schedule_free import ScheduleFree
from dressage.recipe import Recipe

Snapshot = tuple[dict[str, dict[str, Tensor]], dict[str, int | float]]


@dataclass(slots=True)
class State:
    """A training at one moment. `take_step` moves it; `tensors` and `numbers` are all of it, and `load` puts them back."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    is_flat: bool = False
    """Whether the parameters are views of one buffer a group."""
    averaged: nn.Module | None = None
    """The network with averaged weights, when the recipe names an average or an optimiser that keeps one."""
    averaged_weights: list[Tensor] = field(default_factory=list)
    """The averages of `weights`, in the same order."""
    keys: Keys | None = None
    """The key network and its queue, when the loss asks for them."""
    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that are done."""
    losses: list[Tensor] = field(default_factory=list)
    """Losses of this epoch's steps, still on the device."""
    best_value: float = math.inf
    best_step: int = 0
    stale: int = 0
    """Epochs since the best value."""
    plateau_stale: int = 0
    """Epochs since the best value or the last cut of the rate (reduce_on_plateau)."""
    cuts: int = 0
    """Cuts of the rate so far."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights at the best value."""
    device: torch.device = field(init=False)
    """Where the network lies."""
    weights: list[Tensor] = field(init=False)
    """The trained tensors: the flat buffers, or each parameter."""
    _kernel: FusedAdam | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.device = next(self.model.parameters()).device
        self.weights = [p for group in self.optimizer.param_groups for p in group["params"]]

    def kernel(self) -> FusedAdam | None:
        """The short way of the optimiser's update, once its state is there."""
        if self._kernel is None:
            self._kernel = fused_adam(self.optimizer)
        return self._kernel

    def moved(self) -> None:
        """To be called when its tensors lie elsewhere in memory than before."""
        self._kernel = None

    def settle_average(self) -> None:
        """Brings the averaged network to the optimiser's own average, where it keeps one."""
        if isinstance(self.optimizer, ScheduleFree):
            self.optimizer.average_into(self.averaged_weights)

    def settle(self, thaw: Thaw) -> None:
        """Freezes and frees layers as it is right for its epoch."""
        thaw.settle(self.model, self.epoch)
        if self.averaged is not None:
            thaw.hold_norms(self.averaged, self.epoch)

    @property
    def judged(self) -> nn.Module:
        """The network that validation and prediction use: the averaged one if there is one."""
        return self.model if self.averaged is None else self.averaged

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Every tensor of the state, by part and name."""
        parts = {"model": _detached(self.model), "optimizer": tensors_of(self.optimizer), "best": self.best}
        if self.averaged is not None:
            parts["average"] = _detached(self.averaged)
        if self.keys is not None:
            parts["keys"] = _detached(self.keys)
        if self.losses:
            parts["epoch"] = {"losses": torch.stack(self.losses)}
        return parts

    def numbers(self) -> dict[str, int | float]:
        """Every number of the state by name."""
        names = ("step", "epoch", "batch", "best_value", "best_step", "stale", "plateau_stale", "cuts")
        return {name: getattr(self, name) for name in names}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], numbers: Mapping[str, Any]) -> None:
        """Puts back what `tensors` and `numbers` gave, bit for bit."""
        # The losses first: a new list says that the weights are being moved, should this be broken off.
        self.losses = list(tensors["epoch"]["losses"].to(self.device).unbind()) if "epoch" in tensors else []
        self.model.load_state_dict(tensors["model"])
        load_tensors(self.optimizer, tensors["optimizer"])
        self.moved()
        if self.averaged is not None:
            self.averaged.load_state_dict(tensors["average"])
        if self.keys is not None:
            self.keys.load_state_dict(tensors["keys"])
        self.best = {name: tensor.clone() for name, tensor in tensors.get("best", {}).items()}
        for name, value in numbers.items():
            setattr(self, name, value)

    def snapshot(self) -> Snapshot:
        """A copy in memory that `load` accepts; the best weights are shared, since they are replaced and never changed."""
        parts = {
            part: {k: v.clone() for k, v in named.items()} if part != "best" else named
            for part, named in self.tensors().items()
        }
        return parts, self.numbers()

    def is_finite(self) -> bool:
        """Whether every weight and statistic is a finite number; waits for the device."""
        tensors = [t for t in _detached(self.model).values() if t.is_floating_point() and t.numel()]
        # A sum is finite only where all are, and takes a tenth of the time; one that is not may only be large.
        sums = torch.stack([t.sum(dtype=torch.float32 if t.itemsize < 4 else t.dtype) for t in tensors])
        return bool(sums.isfinite().all()) or bool(torch.stack([t.isfinite().all() for t in tensors]).all())


def new_state(model: nn.Module, recipe: Recipe, *, flat: bool = False, thaw: Thaw | None = None) -> State:
    """The state before step 1 of a resolved recipe.

    `flat` joins the parameters into one buffer a group: the same update in one kernel. Only for networks in which every
    parameter has a gradient at every step, since a parameter without one would still be decayed; and never for an optimiser
    or a clipping that looks at single tensors (`joins_tensors`). `thaw` says which layers are trained, and at what rate,
    where weights were taken over.
    """
    flat = flat and (thaw is None or not thaw.moves)
    groups, is_flat = _groups(model, recipe, flat, thaw)
    state = State(model, optimizers.build(recipe.optim.name, groups, recipe.optim), is_flat)
    state.weights = [p for group in groups for p in group["params"]]  # an optimiser may have put them in another order
    if recipe.average != "none" or keeps_average(recipe.optim.name):
        state.averaged = copy.deepcopy(model)
        state.averaged_weights = [
            p.data for group in _groups(state.averaged, recipe, flat, thaw)[0] for p in group["params"]
        ]
        state.averaged.requires_grad_(False)
    state.keys = keys_of(model, recipe)
    if thaw is not None:
        state.settle(thaw)
    return state


def _groups(model: nn.Module, recipe: Recipe, flat: bool, thaw: Thaw | None) -> tuple[list[dict[str, Any]], bool]:
    if thaw is None:
        groups = decay_groups(model.named_parameters(), recipe.regularize.weight_decay)
    else:
        groups = thaw.groups(model, recipe)
    is_flat = flat and can_flatten(groups) and joins_tensors(recipe.optim)
    return (flatten(groups) if is_flat else groups), is_flat


def _detached(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}
