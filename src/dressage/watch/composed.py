"""A loss that is none of torch's and was not given, as a function of rows: of outputs, and of all that they are compared with."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dressage.subject import generators_kept
from dressage.subject.inputs import EXACT, Inputs, are_equal, bytes_of
from dressage.subject.outputs import Join
from dressage.watch.asked import Asked
from dressage.watch.gathered import LIMIT_BYTES
from dressage.watch.likeness import Likeness
from dressage.watch.program import Program, program_of
from dressage.watch.tape import Tape

CLOSE = 1e-3
"""Relative difference of two computations of one loss."""
LOOKED_AT, ROWS = 3, 64
"""Passes of which pairs are kept, and rows of each."""
TRIED = 6
"""Passes after which a loss that could not be done again is not tried any more."""


@dataclass(frozen=True, slots=True)
class Column:
    """One of the tensors that outputs are compared with: rows of a shape, or the same for each batch."""

    shape: torch.Size
    """Of a row."""
    given: torch.Size
    """Of a batch, as the loop has it."""
    dtype: torch.dtype
    fixed: Tensor | None = None


@dataclass(frozen=True)
class Composed:
    """ℓ(z, y) as the loop computes it, of batches of the size that it was seen with; the mean over the batches of more rows.

    `z`: `(N, …)`, of several outputs `(N, D)`; `y`: `(N, …)`, of several tensors that they are compared with `(N, K)`.
    """

    program: Program
    size: int
    join: Join | None
    columns: tuple[Column, ...]

    @property
    def is_plain(self) -> bool:
        """Whether one output is compared with one target."""
        return self.join is None and sum(c.fixed is None for c in self.columns) == 1

    def __call__(self, z: Tensor, y: Tensor) -> Tensor:
        costs = [self._batch(z[rows], y[rows]) for rows in self._batches(len(z), z.device)]
        return costs[0] if len(costs) == 1 else torch.stack(costs).mean()

    def _batches(self, count: int, device: torch.device) -> list[Tensor | slice]:
        if count == self.size:
            return [slice(None)]
        if count < self.size:
            return [torch.arange(self.size, device=device) % count]
        starts = range(0, count - self.size + 1, self.size)
        rest = [slice(count - self.size, count)] if count % self.size else []
        return [*(slice(at, at + self.size) for at in starts), *rest]

    def _batch(self, z: Tensor, y: Tensor) -> Tensor:
        outputs = [z] if self.join is None else self.join.parted(z)
        return self.program.run(outputs, self.parted(y)).reshape(())

    @property
    def compares(self) -> bool:
        """Whether there is anything that belongs to the rows besides the outputs."""
        return any(c.fixed is None for c in self.columns)

    def pair(self, taken: Taken) -> tuple[Tensor, Tensor]:
        """Outputs of a pass, and what they are compared with."""
        z = taken.outputs[0] if self.join is None else self.join.joined(taken.outputs)
        return z, self.joined(taken.leaves)

    def rows_of(self, y: Tensor) -> list[Tensor]:
        """The tensors of which `y` was made."""
        return [t for t, c in zip(self.parted(y), self.columns, strict=True) if c.fixed is None]

    def joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """What the rows of a batch are compared with, as one tensor; their numbers where it is nothing."""
        rows = [t.reshape(self.size, *c.shape) for t, c in zip(leaves, self.columns, strict=True) if c.fixed is None]
        if len(rows) == 1:
            return rows[0]
        if not rows:
            return torch.arange(self.size)
        kind = _common(rows)
        return torch.cat([t.reshape(self.size, -1).to(kind) for t in rows], 1)

    def parted(self, y: Tensor) -> list[Tensor]:
        """The tensors of which `y` was made, and those that are always the same."""
        rows = [c for c in self.columns if c.fixed is None]
        parts = iter([y] if len(rows) == 1 else torch.split(y, [c.shape.numel() for c in rows], 1) if rows else [])
        return [
            next(parts).to(c.dtype).reshape(c.given) if c.fixed is None else c.fixed.to(y.device) for c in self.columns
        ]


@dataclass(frozen=True, slots=True)
class Taken:
    """One pass: its program, and what went into it."""

    program: Program
    outputs: list[Tensor]
    leaves: list[Tensor]
    told: float
    inputs: list[Inputs]
    """Of the pass that gave each of the outputs."""
    is_of_last: bool
    """Whether the last pass of the network gave all of them."""

    @property
    def size(self) -> int:
        """Rows of the batch."""
        return len(self.outputs[0]) if self.outputs[0].ndim else 0


@dataclass
class Own:
    """What was seen of a loop's own loss so far."""

    last: Taken | None = None
    loss: Composed | None = None
    below: tuple[Composed, Tensor, Tensor] | None = None
    """One that was told to be below 0, with outputs and what they are compared with in the last pass: it is no cost to go by."""
    compared: deque[tuple[Tensor, Tensor]] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    """Outputs and values of one shape that they were compared with in the last passes."""
    likeness: Likeness = field(default_factory=Likeness)
    """What is known of it where it compares outputs with one another."""
    is_beside: bool = False
    """Whether it is one of torch's, to which the loop adds what it makes of parameters."""
    tried: int = 0

    @property
    def is_wanted(self) -> bool:
        """Whether a pass more may tell what the loss is, or give rows."""
        return self.loss is not None or self.tried < TRIED or self.likeness.is_wanted

    def take(self, taken: Taken | None) -> Asked | None:
        """Outputs and what they are compared with of a pass, once the loss of two was done again from one program."""
        if taken is None or not self.is_wanted:
            self.tried += taken is None
            return None
        self.compared.extend(_compared(taken)[:1])
        self.likeness.take(taken.program, taken.outputs, taken.leaves, taken.inputs, taken.told)
        if self.loss is None and self.last is not None and self.last.size == taken.size:
            self.tried += 1
            with generators_kept():  # what is done again may draw numbers
                found = composed_of(self.last, taken)
            if found is not None and min(self.last.told, taken.told) > 0:
                self.loss = found
            elif found is not None:  # of a game it says how good a move was beside others
                self.below = found, *found.pair(taken)
        self.last = taken
        if self.loss is None or not self.loss.program.is_like(taken.program) or taken.size != self.loss.size:
            return None
        return Asked(*self.loss.pair(taken), self.loss, self.loss)


def _compared(taken: Taken) -> list[tuple[Tensor, Tensor]]:
    """Outputs and values of one shape; none where what was done cannot be done again."""
    with torch.no_grad(), generators_kept(), suppress(Exception):
        pairs = taken.program.compared(taken.outputs, taken.leaves)
        return [(z[:ROWS].clone(), y[:ROWS].clone()) for z, y in pairs if z.shape == y.shape and z.ndim]
    return []


def taken_of(tape: Tape, told: float) -> Taken | None:
    """What the passes of a step tell of the loss; None where it was not followed, or would take much memory."""
    found = program_of(tape, told)
    if found is None:
        return None
    program, leaves = found
    inputs = [tape.inputs[number] for number, _ in program.places]
    if sum(map(bytes_of, (*leaves, *(t for i in inputs for t in i.tensors)))) > LIMIT_BYTES:
        return None
    kept = [t.clone() for t in leaves]
    given = [replace(i, tensors=[t.clone() for t in i.tensors]) for i in inputs]
    is_of_last = all(number == len(tape.inputs) - 1 for number, _ in program.places)
    return Taken(program, [tape.given[n] for n in program.outputs], kept, told, given, is_of_last)


def composed_of(first: Taken, second: Taken) -> Composed | None:
    """The loss of two passes as one function; None where it is no mean of what each row costs, or differs between them."""
    size, program = second.size, second.program
    if size < 2 or not program.is_like(first.program) or not second.is_of_last:
        return None
    if not all(_are_rows(z, size) for taken in (first, second) for z in taken.outputs):
        return None
    again = _are_equal(first.inputs[0], second.inputs[0])
    columns = [_column(a, b, size, again) for a, b in zip(first.leaves, second.leaves, strict=True)]
    if None in columns:
        return None
    shapes = tuple(z.shape[1:] for z in second.outputs)
    join = Join(tuple(place for _, place in program.places), shapes) if len(shapes) > 1 else None
    known = tuple(c for c in columns if c is not None)
    loss = Composed(program, size, join, known)
    return loss if _is_done_again(loss, (first, second)) else None


def _is_done_again(loss: Composed, passes: Sequence[Taken]) -> bool:
    """Whether the function gives what was told of both passes, in whichever order the rows come, and has a gradient."""
    turned = torch.randperm(loss.size, generator=torch.Generator().manual_seed(0))
    try:
        for taken in passes:
            z, y = loss.pair(taken)
            order = turned.to(z.device)
            for rows in (slice(None), order):
                if not math.isclose(float(loss(z[rows], y[rows])), taken.told, rel_tol=CLOSE):
                    return False
            if not _is_of_rows(loss, z, y, order):
                return False
        with torch.enable_grad():
            return loss(z.detach().float().requires_grad_(), y).requires_grad
    except Exception:  # of torch's functions, given what they were not given before
        return False


def _is_of_rows(loss: Composed, z: Tensor, y: Tensor, order: Tensor) -> bool:
    """Whether the order of rows is nothing to it where outputs lie apart: of a network that gives all rows the same it never is."""
    apart = z + torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z)
    one, other = float(loss(apart, y)), float(loss(apart[order], y[order]))
    return not math.isfinite(one) or math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)


def _are_equal(first: Inputs, second: Inputs) -> bool:
    return first.around == second.around and all(map(are_equal, first.tensors, second.tensors))


def _are_rows(outputs: Tensor, size: int) -> bool:
    return outputs.ndim > 0 and len(outputs) == size and outputs.is_floating_point()


def _column(a: Tensor, b: Tensor, size: int, again: bool) -> Column | None:
    """What a tensor is by two passes; `again` where both were given the same rows."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return None
    are_rows, is_same = a.ndim > 0 and a.numel() > 0 and len(a) % size == 0, are_equal(a, b)
    if are_rows and (again or not is_same):
        places = () if len(a) == size else (len(a) // size,)
        return Column(torch.Size((*places, *a.shape[1:])), a.shape, a.dtype)
    return Column(a.shape, a.shape, a.dtype, a) if is_same else None


def _common(rows: Sequence[Tensor]) -> torch.dtype:
    """A type in which all are exact."""
    kinds = {t.dtype for t in rows}
    if not any(k.is_floating_point for k in kinds):
        return torch.int64
    whole = [t for t in rows if not t.is_floating_point() and t.dtype != torch.bool and t.numel()]
    wide = torch.float64 in kinds or any(int(t.abs().max()) >= EXACT for t in whole)
    return torch.float64 if wide else torch.float32
