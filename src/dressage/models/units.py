"""A network as a row of layers: what is frozen, freed and given a rate together when weights are taken over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from dressage.models.embedded import Embedded

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, Embedded)
"""Modules that are no layer themselves: their members are."""
Unit = tuple[str, ...]
"""A layer: the names of its modules and of parameters that lie between them."""


def units(model: nn.Module) -> list[Unit]:
    """The layers in the order in which the network holds them, the head last; a block counts as one.

    What has no weight of two dimensions, a norm, an activation, a learned scale, belongs to the layer before it.
    """
    found: list[Unit] = []
    weighty: list[bool] = []
    for name, is_layer in _pieces(model, ""):
        if found and not (is_layer and weighty[-1]):
            found[-1] = (*found[-1], name)
            weighty[-1] = weighty[-1] or is_layer
        else:
            found.append((name,))
            weighty.append(is_layer)
    return found


def belongs(name: str, unit: Sequence[str]) -> bool:
    """Whether a parameter, buffer or module of this name is the unit's."""
    return any(name == own or name.startswith(f"{own}.") for own in unit)


def _pieces(module: nn.Module, above: str) -> Iterator[tuple[str, bool]]:
    """Each piece by name, and whether it has a weight of two dimensions or more."""
    for name, parameter in module.named_parameters(recurse=False):
        yield above + name, parameter.ndim > 1
    children = list(module.named_children())
    for name, child in children:
        if isinstance(child, CONTAINERS) or (len(children) == 1 and any(True for _ in child.children())):
            yield from _pieces(child, f"{above}{name}.")
        else:
            yield above + name, any(p.ndim > 1 for p in child.parameters())
