"""Several outputs of one network: each with its place among them, and the hook that gives the one that the loss takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

Place = tuple[str | int, ...]
"""Keys, numbers or names that lead to a tensor."""
Output = tuple[Place, Tensor]
DEEP = 4
"""Records in records that are looked into: one may hold itself."""
Cut = Callable[[Tensor], Tensor]


def tensors_in(output: Any, place: Place = ()) -> list[Output]:
    """The tensors of an output with their places, with their graph: in mappings, tuples, lists and records."""
    if isinstance(output, Tensor):
        return [(place, output)]
    if len(place) == DEEP:
        return []
    return [found for name, value in _parts(output) for found in tensors_in(value, (*place, name))]


def tensors_of(output: Any) -> list[Tensor]:
    """The tensors of an output, with their graph."""
    return [tensor for _, tensor in tensors_in(output)]


def losses_of(output: Any) -> list[Tensor]:
    """The single numbers with a gradient that a network gives."""
    return [t for t in tensors_of(output) if t.numel() == 1 and t.ndim < 2 and t.is_floating_point()]


@dataclass(frozen=True, slots=True)
class Pick:
    """Gives the output at a place, cut as the loss takes it, for all that a network gives: a forward hook, which copies carry."""

    place: Place
    cut: Cut

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Tensor | None:
        found = next((t for place, t in tensors_in(output) if place == self.place), None)
        if found is None and isinstance(output, Tensor):  # in eval mode some give less
            found = output
        return None if found is None else self.cut(found)


@dataclass(frozen=True, slots=True)
class Join:
    """Gives several outputs, of rows of these shapes, as the columns `(N, D)` of one: a forward hook, which copies carry."""

    places: tuple[Place, ...]
    shapes: tuple[torch.Size, ...]

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Tensor | None:
        found = dict(tensors_in(output))
        return self.joined([found[place] for place in self.places]) if all(p in found for p in self.places) else None

    def joined(self, outputs: Sequence[Tensor]) -> Tensor:
        """`(N, D)` of outputs `(N, …)`."""
        return torch.cat([z.reshape(len(z), -1) for z in outputs], 1)

    def parted(self, joined: Tensor) -> list[Tensor]:
        """The outputs again."""
        parts = torch.split(joined, [shape.numel() for shape in self.shapes], 1)
        return [z.reshape(-1, *shape) for z, shape in zip(parts, self.shapes, strict=True)]


def _parts(output: Any) -> list[tuple[str | int, Any]]:
    if isinstance(output, Mapping):
        return [(name if isinstance(name, str | int) else repr(name), value) for name, value in output.items()]
    if isinstance(output, tuple | list):
        return list(enumerate(output))
    if is_dataclass(output) and not isinstance(output, type):
        return [(f.name, getattr(output, f.name)) for f in fields(output)]
    held = getattr(output, "__dict__", None)
    return list(held.items()) if held and not isinstance(output, nn.Module | type) and not callable(output) else []
