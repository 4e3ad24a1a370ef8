"""Layers that were taken over from another network: which are trained in an epoch, and at what share of the rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import nn

from dressage.layers.held import hold, keeps_statistics, release
from dressage.models.units import belongs, units
from dressage.optim import decay_groups
from dressage.optim.thaw import catalogue
from dressage.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network, or the head."""

    weights: tuple[str, ...]
    """Names of its parameters."""
    norms: tuple[str, ...]
    """Names of those of its modules that have running statistics."""
    share: float
    """Of the learning rate."""
    since: int | None
    """The epoch (from 0) from which it is trained; None: never."""

    def is_live(self, epoch: int) -> bool:
        """Whether it is trained in this epoch."""
        return self.since is not None and epoch >= self.since


@dataclass(frozen=True, slots=True)
class Thaw:
    """The layers from the first to the head. All it does depends on the epoch alone, so that a resumed run is as it was."""

    layers: Sequence[Layer]

    @property
    def moves(self) -> bool:
        """Whether layers are freed on the way."""
        return any(layer.since for layer in self.layers)

    def settle(self, model: nn.Module, epoch: int) -> None:
        """Frozen layers need no gradient and keep their statistics, all others learn. `train()` or `eval()` comes after it."""
        named = dict(model.named_parameters())
        for layer in self.layers:
            for name in layer.weights:
                named[name].requires_grad_(layer.is_live(epoch))
        self.hold_norms(model, epoch)

    def hold_norms(self, model: nn.Module, epoch: int) -> None:
        """The statistics alone: also of a network that is averaged, and never has gradients."""
        for layer in self.layers:
            for name in layer.norms:
                (release if layer.is_live(epoch) else hold)(model.get_submodule(name))

    def groups(self, model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
        """The optimiser's groups of all layers that are ever trained, those of one rate and one beginning together.

        Those that are frozen at first have no gradient until then, and are passed over. `share` is theirs of the rate.
        """
        named = {name: p.requires_grad_() for name, p in model.named_parameters()}
        found = []
        for (share, since), layers in groupby(self.layers, lambda layer: (layer.share, layer.since)):
            own = [(name, named[name]) for layer in layers for name in layer.weights]
            if since is not None:
                groups = decay_groups(own, recipe.regularize.weight_decay)
                found += [{**g, "share": share, "lr": share * recipe.optim.rate} for g in groups if g["params"]]
        return found


def thaw_of(model: nn.Module, recipe: Recipe, *, new_head: bool) -> Thaw:
    """What `recipe.transfer` says of a network whose layers were taken over, but for the head where that is new.

    The rate of layer k below the head is lr·rate·decay^(k−1); that of the head lr, or lr·rate if it was taken over too.
    """
    section, every = recipe.transfer, units(model)[::-1]
    since = catalogue.build(section.layers)(len(every), recipe.train.epochs)
    norms = [name for name, module in model.named_modules() if keeps_statistics(module)]
    layers = []
    for depth, (unit, begins) in enumerate(zip(every, since, strict=True)):
        share = 1.0 if depth == 0 and new_head else section.rate * section.decay ** max(0, depth - 1)
        weights = tuple(name for name, _ in model.named_parameters() if belongs(name, unit))
        layers.append(Layer(weights, tuple(name for name in norms if belongs(name, unit)), share, begins))
    return Thaw(layers[::-1])
