"""Validation rows that nobody gave: those of a validation of the loop's own, as the network was given them and answered them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dressage.preflight.data_rows import codes_of
from dressage.subject import Rows, generators_kept
from dressage.subject.inputs import Inputs, Unfold, bytes_of
from dressage.subject.outputs import Output
from dressage.watch.calls import TORCHS, LossCalls
from dressage.watch.gathered import LIMIT_BYTES, LIMIT_ROWS
from dressage.watch.program import DISTANCES, do
from dressage.watch.replayed import fits_in
from dressage.watch.tape import Call, Ref, Tape

LOSSES = tuple(f.__name__ for f, _ in TORCHS)
EQUALITIES = ("eq", "__eq__", "ne", "__ne__")
KINDS = (LOSSES, EQUALITIES, DISTANCES)
"""By what outputs are compared with targets, what says most of them first."""
MOST_PASSES = 512
ENOUGH = 50
"""Rows from which they stand for validation rows."""
SHARED = 0.05
"""Share of them that may be training rows: of more the loop did not only judge what it was not trained on."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Outputs of some passes, and the values that they were compared with one by one."""

    function: str
    passes: tuple[int, ...]
    nodes: Tensor | None
    """Which rows of the output, where only some were compared."""
    y: Tensor


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the network was given in a validation, and the targets of it."""

    passes: list[tuple[list[Inputs], Tensor | None, Tensor]]
    """Inputs of passes whose rows follow one another, which of the outputs' rows were compared if not all, and targets."""

    def rows(self, train: Rows, unfold: Unfold | None) -> Rows | None:
        """In the form of the training rows; None where they have another, are too few, or are training rows too."""
        found = [
            (x, y)
            for given in self.passes
            if (x := _x_of(given, unfold)) is not None and (y := _y_of(given, x)) is not None
        ]
        if not found or any(x.shape[1:] != train.x.shape[1:] or x.dtype != train.x.dtype for x, _ in found):
            return None
        x, y = torch.cat([x for x, _ in found]), _like(torch.cat([y for _, y in found]), train.y)
        if y is None or len(x) < ENOUGH:
            return None
        rows = Rows(x, y, len(x), torch.arange(len(x)), "unknown", train.batch_size)
        return None if float(np.isin(codes_of(rows), codes_of(train)).mean()) > SHARED else rows


class Overheard:
    """Stands in the passes of one validation, and between them."""

    def __init__(self) -> None:
        self._tape = Tape(MOST_PASSES)
        self._calls = LossCalls(None, self._tape)
        self._full = False
        self._rows = self._bytes = 0

    def entered(self, inputs: Inputs) -> None:
        """A pass without gradients begins."""
        if self._full:
            return
        self._tape.entered(inputs)
        self._rows += len(inputs)
        self._bytes += sum(map(bytes_of, inputs.tensors))
        is_much = self._rows > LIMIT_ROWS or self._bytes > LIMIT_BYTES
        self._full = is_much or len(self._tape.inputs) == MOST_PASSES
        if self._full:
            self._calls.end()

    def left(self, outputs: Sequence[Output]) -> None:
        """It has ended."""
        if not self._full:
            self._calls.begin(outputs)

    def end(self) -> HeldOut | None:
        """The rows, once the validation is over; None where none were seen to be compared with targets."""
        self._calls.end()
        tape = self._tape
        if tape.refused or not tape.outputs:
            return None
        with torch.no_grad(), generators_kept(), suppress(Exception):  # of torch's functions, done once more
            found = compared(tape)
            for kind in KINDS:
                chosen = _each_once([c for c in found if c.function in kind])
                if chosen:
                    return HeldOut([([tape.inputs[k] for k in c.passes], c.nodes, c.y.cpu().clone()) for c in chosen])
        return None


def compared(tape: Tape) -> list[Compared]:
    """What outputs were compared with, in order: what is done in place is left out, for it would be done twice."""
    held, passes = {**tape.leaves, **tape.given}, {n: frozenset([k]) for n, (k, _) in tape.outputs.items()}
    nodes, found = dict[int, Tensor](), list[Compared]()
    for call in tape.calls:
        given, name = list(call.given()), getattr(call.function, "__name__", "")
        if call.changed is not None or any(n not in held for n in given):
            continue
        made_of = frozenset[int]().union(*(passes.get(n, ()) for n in given))
        if name in (*LOSSES, *EQUALITIES, *DISTANCES) and len(given) >= 2:
            z, y = given[:2] if given[0] in passes else given[1::-1]
            if z in passes and y not in passes:
                found.append(Compared(name, tuple(sorted(passes[z])), nodes.get(z), held[y]))
        do(call, held)
        if made_of:
            passes |= dict.fromkeys(call.results, made_of)
            taken = _taken_from(call, passes, held)
            of_before = next((nodes[n] for n in given if n in nodes), None)
            chosen = taken if taken is not None else of_before
            nodes |= {} if chosen is None else dict.fromkeys(call.results, chosen)
    return found


def _taken_from(call: Call, passes: Mapping[int, frozenset[int]], held: Mapping[int, Tensor]) -> Tensor | None:
    """The rows of an output that are taken from it by their numbers, or by a mask."""
    if (
        call.function is not Tensor.__getitem__
        or not isinstance(call.args[0], Ref)
        or not isinstance(call.args[1], Ref)
    ):
        return None
    rows = held[call.args[1].number]
    if call.args[0].number not in passes or call.args[1].number in passes or rows.ndim != 1:
        return None
    return torch.nonzero(rows).flatten() if rows.dtype == torch.bool else rows


def _each_once(found: Sequence[Compared]) -> list[Compared]:
    kept, seen = list[Compared](), set[int]()
    for one in found:
        if one.y.ndim and not seen & set(one.passes):
            kept.append(one)
            seen |= set(one.passes)
    return kept


def _x_of(given: tuple[list[Inputs], Tensor | None, Tensor], unfold: Unfold | None) -> Tensor | None:
    inputs, nodes, _ = given
    if unfold is not None and unfold.names_outputs:
        return None if nodes is None or len(inputs) != 1 else nodes.cpu()[:, None]
    if nodes is not None:
        return None
    if unfold is not None:
        if not all(fits_in(unfold, i, len(i)) for i in inputs):
            return None
        return torch.cat([unfold.fold([t.cpu() for t in i.tensors]) for i in inputs])
    if any(len(i.tensors) != 1 for i in inputs) or len({i.tensors[0].shape[1:] for i in inputs}) > 1:
        return None
    return torch.cat([i.tensors[0].cpu() for i in inputs])


def _y_of(given: tuple[list[Inputs], Tensor | None, Tensor], x: Tensor) -> Tensor | None:
    """A target a row; those of flattened places are put back to the rows that they are of."""
    y = given[2]
    if len(y) == len(x):
        return y
    return y.reshape(len(x), -1, *y.shape[1:]) if len(x) and len(y) % len(x) == 0 else None


def _like(y: Tensor, known: Tensor) -> Tensor | None:
    """Targets as the loss of the training is given them; None of what cannot be the same."""
    if y[0].numel() != known[0].numel() or y.is_complex() or known.is_complex():
        return None
    if y.is_floating_point() and not known.is_floating_point():
        return None
    return y.reshape(-1, *known.shape[1:]).to(known.dtype)
