"""K states whose numbers lie side by side: each flat buffer of a state is a row of one tensor `(K, P)`.

A state stays whole in it: what is done to the tensor is done to every member, and a member is saved, judged and trained
alone as if it were by itself. Members that leave keep their rows; the others move to a new, smaller stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.fit.population.member import Member
from dressage.fit.state import State


@dataclass(frozen=True, slots=True)
class Saved:
    """The numbers of a stack as they were at step `step`."""

    step: int
    moved: list[Tensor]
    """Weights and averages."""
    kept: list[Tensor]
    """What the optimisers keep; nothing before the first step."""


class Stack:
    """The members that are left, their weights, gradients, averages, and what their optimisers keep."""

    def __init__(self, members: Sequence[tuple[int, Member]]) -> None:
        """`members` with their numbers; their tensors move here."""
        self.members = list(members)
        states = [member.state for _, member in members]
        self.states = states
        self.step = states[0].step
        """Steps that are done; those of the states themselves are brought up to it by `settle`."""
        pieces = range(len(states[0].weights))
        self.weights = [torch.stack([state.weights[i].detach() for state in states]) for i in pieces]
        self.grads = [torch.zeros_like(weights) for weights in self.weights]
        self.averages = [
            torch.stack([state.averaged_weights[i] for state in states]) for i in pieces if states[0].averaged
        ]
        for k, state in enumerate(states):
            _move_averages(state, [averages[k] for averages in self.averages])
            _move_weights(state, [weights[k] for weights in self.weights], [grads[k] for grads in self.grads])
        kept = [_kept(states[0], i) for i in pieces]
        self.slots = [{name: self._moved(i, name) for name in names} for i, names in enumerate(kept)]
        """For each flat buffer what the optimiser keeps of it: `(K, P)`, or `(K,)` of its counters."""

    def __len__(self) -> int:
        return len(self.members)

    @property
    def numbers(self) -> list[int]:
        """The members' numbers, in the order of the rows."""
        return [number for number, _ in self.members]

    def settle(self) -> None:
        """Tells the states how far they are."""
        for state in self.states:
            state.step = self.step

    def views(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """`(K, *shape)` of each parameter by its name, in `weights`, `grads` or `averages`."""
        first = self.states[0]
        pairs = [(name, p, _place(p, first.weights)) for name, p in first.model.named_parameters()]
        return {name: _rows(tensors[i], p, offset) for name, p, (i, offset) in pairs}

    def without(self, numbers: Sequence[int]) -> Stack:
        """A stack of the others."""
        return Stack([(number, member) for number, member in self.members if number not in numbers])

    def save(self) -> Saved:
        """A copy, to put back single members from."""
        return Saved(self.step, [t.clone() for t in self._moved_ones()], [t.clone() for t in self._kept_ones()])

    def put_back(self, k: int, saved: Saved) -> None:
        """Gives the k-th row the numbers that it had."""
        for tensor, before in zip(self._moved_ones(), saved.moved, strict=True):
            tensor[k].copy_(before[k])
        if not saved.kept:  # from before the first step
            self.states[k].optimizer.state.clear()
            self.states[k].moved()
            return
        for tensor, before in zip(self._kept_ones(), saved.kept, strict=True):
            tensor[k].copy_(before[k])

    def finite(self) -> Tensor:
        """`(K,)`: whether all weights of each member are finite."""
        return torch.stack([weights.isfinite().all(1) for weights in self.weights]).all(0)

    def _moved_ones(self) -> list[Tensor]:
        return [*self.weights, *self.averages]

    def _kept_ones(self) -> list[Tensor]:
        return [tensor for slots in self.slots for tensor in slots.values()]

    def _moved(self, i: int, name: str) -> Tensor:
        held = [state.optimizer.state[state.weights[i]] for state in self.states]
        stacked = torch.stack([slots[name] for slots in held])
        for k, slots in enumerate(held):
            slots[name] = stacked[k]
        return stacked


def _kept(state: State, i: int) -> list[str]:
    return [
        name for name, value in state.optimizer.state.get(state.weights[i], {}).items() if isinstance(value, Tensor)
    ]


def _move_weights(state: State, rows: Sequence[Tensor], grads: Sequence[Tensor]) -> None:
    moved = [(p, *_place(p, state.weights)) for p in state.model.parameters() if p.requires_grad]
    for p, i, offset in moved:
        p.data = rows[i].as_strided(p.shape, p.stride(), rows[i].storage_offset() + offset)
        p.grad = grads[i].as_strided(p.shape, p.stride(), grads[i].storage_offset() + offset)
    for flat, row, grad in zip(state.weights, rows, grads, strict=True):
        flat.data, flat.grad = row, grad
    state.moved()


def _move_averages(state: State, rows: Sequence[Tensor]) -> None:
    if state.averaged is None:
        return
    moved = [(p, *_place(p, state.averaged_weights)) for p in state.averaged.parameters()]
    for p, i, offset in moved:
        p.data = rows[i].as_strided(p.shape, p.stride(), rows[i].storage_offset() + offset)
    state.averaged_weights = list(rows)


def _place(p: Tensor, flats: Sequence[Tensor]) -> tuple[int, int]:
    """In which flat buffer a parameter lies, and from which number on."""
    for i, flat in enumerate(flats):
        offset = int(p.storage_offset()) - int(flat.storage_offset())
        same = p.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()
        if same and offset >= 0 and offset + p.numel() <= flat.numel():
            return i, offset
    raise ValueError("a parameter that is in no flat buffer")


def _rows(stacked: Tensor, p: Tensor, offset: int) -> Tensor:
    at = stacked.storage_offset() + offset
    return stacked.as_strided((len(stacked), *p.shape), (stacked.stride(0), *p.stride()), at)
