"""K states whose numbers lie side by side: all that a state has of one kind is a row of one tensor `(K, P)`.

A state stays whole in it: what is done to the tensor is done to every member, and a member is saved, judged and trained
alone as if it were by itself. Members that leave keep their rows; the others move to a new, smaller stack.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from dressage.fit.population.member import Member
from dressage.fit.state import State

LARGE = 32_768
"""Numbers of a member from which on a product takes longer than a call, and memory longer than arithmetic."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The numbers of a stack as they were before some steps."""

    moved: list[Tensor]
    """Weights and averages."""
    kept: list[Tensor]
    """What the optimisers keep; nothing before the first step."""


class Stack:
    """The members that are left, their weights, gradients, averages, and what their optimisers keep."""

    def __init__(self, members: Sequence[tuple[int, Member]]) -> None:
        """`members` with their numbers; their tensors move here."""
        self.members = list(members)
        self.states = states = [member.state for _, member in members]
        self.step = states[0].step
        """Steps that are done; those of the states themselves are brought up to it by `settle`."""
        sizes = [flat.numel() for flat in states[0].weights]
        self.spans = [slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0))]
        """Where each flat buffer of a state lies in its row."""
        self.weights = self._side_by_side([[flat.detach() for flat in state.weights] for state in states])
        self.grads = torch.zeros_like(self.weights)
        self.averages = self._averages()
        for k, state in enumerate(states):
            self._move(state, self.weights[k], self.grads[k])
        self.slots: dict[str, Tensor] = {}
        """What the optimisers keep of the weights, `(K, P)`, by its name."""
        self.counters: dict[str, Tensor] = {}
        """Single numbers that they keep of each flat buffer, `(K, buffers)`."""
        for name, kept in states[0].optimizer.state.get(states[0].weights[0], {}).items():
            if isinstance(kept, Tensor):
                (self.slots if kept.dim() else self.counters)[name] = self._taken(name, kept.dim() == 0)
        self._saved: Saved | None = None

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

    def parameters(self, tensor: Tensor) -> dict[str, Tensor]:
        """`(K, *shape)` of each parameter by its name, of the weights, their gradients or averages."""
        first, found = self.states[0], {}
        for name, p in first.model.named_parameters():
            at = int(p.storage_offset()) - int(self.weights.storage_offset())  # the first row
            found[name] = tensor.as_strided((len(self), *p.shape), (tensor.stride(0), *p.stride()), at)
        return found

    def without(self, numbers: Collection[int]) -> Stack:
        """A stack of the others."""
        return Stack([(number, member) for number, member in self.members if number not in numbers])

    def save(self) -> Saved:
        """A copy, to put back single members from; the one before is written over, as new memory takes longer than the copy."""
        moved, kept = self._moved(), self._kept()
        if self._saved is None or len(self._saved.kept) != len(kept):
            self._saved = Saved([t.clone() for t in moved], [t.clone() for t in kept])
        else:
            torch._foreach_copy_([*self._saved.moved, *self._saved.kept], [*moved, *kept])
        return self._saved

    def are_finite(self) -> Tensor:
        """`(K,)`: whether all weights of each are finite numbers.

        A sum is finite only where all are, and takes a tenth of the time; one that is not may only be large.
        """
        fine = self.weights.sum(1).isfinite()
        return fine if bool(fine.all()) else self.weights.isfinite().all(1)

    def put_back(self, k: int, saved: Saved) -> None:
        """Gives the k-th row the numbers that it had."""
        for tensor, before in zip(self._moved(), saved.moved, strict=True):
            tensor[k].copy_(before[k])
        if not saved.kept:  # from before the first step
            self.states[k].optimizer.state.clear()
            self.states[k].moved()
            return
        for tensor, before in zip(self._kept(), saved.kept, strict=True):
            tensor[k].copy_(before[k])

    def _moved(self) -> list[Tensor]:
        return [self.weights] if self.averages is None else [self.weights, self.averages]

    def _kept(self) -> list[Tensor]:
        return [*self.slots.values(), *self.counters.values()]

    def _side_by_side(self, flats: Sequence[Sequence[Tensor]]) -> Tensor:
        """`(K, P)` of the members' flat buffers.

        Of large ones the rows are spaced by a multiple of the first weights' inputs D: from there on all members are one
        matrix `(K·R, D)`, which a single product takes.
        """
        numbers = [torch.cat(list(own)) for own in flats]
        size, first = len(numbers[0]), next(self.states[0].model.parameters())
        inputs = first.shape[-1] if first.dim() else 1
        space = -(-size // inputs) * inputs if size >= LARGE else size
        rows = numbers[0].new_zeros(len(flats), space)[:, :size]
        for row, own in zip(rows, numbers, strict=True):
            row.copy_(own)
        return rows

    def _averages(self) -> Tensor | None:
        if self.states[0].averaged is None:
            return None
        averages = self._side_by_side([state.averaged_weights for state in self.states])
        for state, row in zip(self.states, averages, strict=True):
            assert state.averaged is not None
            _home(state.averaged, state.averaged_weights, [row[span] for span in self.spans])
            state.averaged_weights = [row[span] for span in self.spans]
        return averages

    def _move(self, state: State, weights: Tensor, grads: Tensor) -> None:
        rows, own_grads = [weights[span] for span in self.spans], [grads[span] for span in self.spans]
        _home(state.model, state.weights, rows, own_grads)
        for flat, row, grad in zip(state.weights, rows, own_grads, strict=True):
            flat.data, flat.grad = row, grad
        state.moved()

    def _taken(self, name: str, single: bool) -> Tensor:
        """What the optimisers keep under a name, moved here."""
        held = [[state.optimizer.state[flat] for flat in state.weights] for state in self.states]
        join = torch.stack if single else torch.cat
        taken = torch.stack([join([kept[name] for kept in each]) for each in held])
        for row, each in zip(taken, held, strict=True):
            for i, (span, kept) in enumerate(zip(self.spans, each, strict=True)):
                kept[name] = row[i] if single else row[span]
        return taken


def _home(model: nn.Module, flats: Sequence[Tensor], rows: Sequence[Tensor], grads: Sequence[Tensor] = ()) -> None:
    """Makes the parameters views of `rows` in place of `flats`, which are left as they are."""
    for p in model.parameters():
        i, offset = _place(p, flats)
        shape, strides = p.shape, p.stride()
        p.data = rows[i].as_strided(shape, strides, rows[i].storage_offset() + offset)
        if grads:
            p.grad = grads[i].as_strided(shape, strides, grads[i].storage_offset() + offset)


def _place(p: Tensor, flats: Sequence[Tensor]) -> tuple[int, int]:
    """In which flat buffer a parameter lies, and from which number on."""
    for i, flat in enumerate(flats):
        offset = int(p.storage_offset()) - int(flat.storage_offset())
        same = p.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()
        if same and offset >= 0 and offset + p.numel() <= flat.numel():
            return i, offset
    raise ValueError("a parameter that is in no flat buffer")
