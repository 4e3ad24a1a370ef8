"""A loop's own loss as a function: the calls that led from the network's outputs to the number that was told, done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dressage.subject.inputs import are_equal
from dressage.subject.outputs import Place
from dressage.watch.tape import Call, Ref, Tape, tensors_among

DISTANCES = ("sub", "__sub__", "__rsub__", "rsub", "subtract", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
"""Functions by which values are compared with one another."""
SHAPES = ("view", "reshape", "flatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "contiguous", "float")
"""Functions that leave values as they are."""
NUMBERS = (torch.int64, torch.int32, torch.int16)
"""Types of what rows are chosen by; a mask chooses as many as it holds, and is part of the loss."""
SAME = 1e-5
"""Relative difference of a number that was made and the loss that was told, for them to be one."""


@dataclass(frozen=True, slots=True)
class Program:
    """The calls on the way to a loss, and what goes into them."""

    calls: tuple[Call, ...]
    loss: int
    places: tuple[tuple[int, Place], ...]
    """Of the outputs of the network that it takes: the pass that gave each, and where."""
    outputs: tuple[int, ...]
    leaves: tuple[int, ...]
    """What it takes besides."""
    same: Mapping[int, int]
    """Those that hold the same as another one."""
    changes: bool
    """Whether something is changed in place."""

    def run(self, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> Tensor:
        """The loss of these outputs. Raises what torch's functions raise for shapes that are not those that were seen."""
        held = self._held(outputs, leaves)
        for call in self.calls:
            do(call, held)
        return held[self.loss]

    def compared(self, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Outputs, in whatever shape, and the values that they are compared with one by one."""
        held, found = self._held(outputs, leaves), list[tuple[Tensor, Tensor]]()
        as_given, made = set(self.outputs), set(self.outputs)
        for call in self.calls:
            given, name = list(call.given()), getattr(call.function, "__name__", "")
            if name in DISTANCES and len(given) == 2:
                found += [(held[z], held[y]) for z, y in (given, given[::-1]) if z in as_given and y not in made]
            do(call, held)
            made |= set(call.results) if made & set(given) else set()
            as_given |= set(call.results) if name in SHAPES and given[0] in as_given else set()
        return found

    def _held(self, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> dict[int, Tensor]:
        held = dict(zip(self.outputs, outputs, strict=True))
        held |= zip(self.leaves, [t.clone() for t in leaves] if self.changes else leaves, strict=True)
        return held | {number: held[first] for number, first in self.same.items()}

    def is_like(self, other: Program) -> bool:
        """Whether the same is done, to as many tensors: the numbers by which it is done may be others."""
        return (
            [c.function for c in self.calls] == [c.function for c in other.calls]
            and self.places == other.places
            and len(self.leaves) == len(other.leaves)
        )


def program_of(tape: Tape, told: float) -> tuple[Program, list[Tensor]] | None:
    """The way to the loss that was told, and the leaves of this pass.

    None where it was not seen to its end, or takes what is learned beside the outputs.
    """
    if tape.refused:
        return None
    loss = next((n for n, value in reversed(tape.numbers) if abs(float(value) - told) <= SAME * abs(told)), None)
    if loss is None:
        return None
    needed, calls = {loss}, list[Call]()
    storages = {tape.storage(loss)} - {0}
    for call in reversed(tape.calls):
        is_meant = bool(needed & set(call.results))
        if not is_meant and (call.changed is None or tape.storage(call.changed) not in storages):
            continue
        calls.insert(0, call)
        given = set(call.given())
        needed |= given
        storages |= {tape.storage(n) for n in given} - {0}
    outputs = tuple(n for n in tape.outputs if n in needed)
    leaves = {n: t for n, t in tape.leaves.items() if n in needed}
    if not outputs or any(t.requires_grad for t in leaves.values()):
        return None
    calls, leaves = _chosen(calls, leaves)
    leaves, same = _once(leaves)
    places = tuple(tape.outputs[n] for n in outputs)
    changes = any(c.changed is not None for c in calls)
    return Program(tuple(calls), loss, places, outputs, tuple(leaves), same, changes), list(leaves.values())


def _chosen(calls: list[Call], leaves: dict[int, Tensor]) -> tuple[list[Call], dict[int, Tensor]]:
    """With what was chosen from all data by the numbers of a batch's rows in place of all data and the numbers."""
    for number, rows in list(leaves.items()):
        uses = [c for c in calls if number in c.given()]
        if rows.dtype not in NUMBERS or rows.ndim != 1 or not all(_chooses(c, number, leaves) for c in uses):
            continue
        calls = [c for c in calls if c not in uses]
        leaves |= {c.results[0]: c.function(*_filled(c.args, leaves)) for c in uses}
    left = {n for c in calls for n in c.given()}
    return calls, {n: t for n, t in leaves.items() if n in left}


def _chooses(call: Call, number: int, leaves: Mapping[int, Tensor]) -> bool:
    """Whether a call takes rows by their numbers, `x[numbers]`, from what was there before."""
    if call.function is not Tensor.__getitem__ or call.args[1] != Ref(number) or not isinstance(call.args[0], Ref):
        return False
    return call.args[0].number in leaves and call.args[0].number != number


def _once(leaves: dict[int, Tensor]) -> tuple[dict[int, Tensor], dict[int, int]]:
    """The leaves that differ, and which of them each other one is the same as."""
    kept, same = dict[int, Tensor](), dict[int, int]()
    for number, tensor in leaves.items():
        first = next((n for n, t in kept.items() if t.dtype == tensor.dtype and are_equal(t, tensor)), None)
        if first is None:
            kept[number] = tensor
        else:
            same[number] = first
    return kept, same


def do(call: Call, held: dict[int, Tensor]) -> None:
    """Does a call again, and holds what it makes."""
    with torch.set_grad_enabled(torch.is_grad_enabled() and call.learns):
        made = call.function(*_filled(call.args, held), **_filled(call.kwargs, held))
    held |= zip(call.results, tensors_among(made), strict=True)


def _filled(tree: Any, held: Mapping[int, Tensor]) -> Any:
    if isinstance(tree, Ref):
        return held[tree.number]
    if isinstance(tree, tuple | list):
        return type(tree)(_filled(value, held) for value in tree)
    if isinstance(tree, dict):
        return {name: _filled(value, held) for name, value in tree.items()}
    return tree
