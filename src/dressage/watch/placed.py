"""Which of a network's outputs its loss takes, and in which form."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dressage.subject.outputs import Cut, Output, Pick
from dressage.watch.asked import Asked
from dressage.watch.faithful import ON_THE_WAY, Form, form_seen
from dressage.watch.nodes import nodes_among


def _whole(z: Tensor) -> Tensor:
    return z


def _without_last(z: Tensor) -> Tensor:
    return z[:, :-1]


def _last(z: Tensor) -> Tensor:
    return z[:, -1]


CUTS: tuple[Cut, ...] = (_whole, _without_last, _last)
"""Of places in a sequence: all, all but the last, whose next one is not known, or the last."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the loss finds what it is given."""

    pick: Pick | None
    """Which output, if it has to be picked."""
    form: Form
    nodes: Tensor | None = None
    """`(n,)` int64: of which of the output's rows, where the loss takes only some."""


def placed(outputs: list[Output], asked: Asked) -> Placed | None:
    """The output that the loss was seen to be given, and its form; None where it is none of them."""
    if not outputs:
        form = form_seen(None, asked.outputs, asked.targets)
        return None if form is None else Placed(None, form)
    for cut in CUTS:
        for place, output in outputs:
            if cut is not _whole and output.ndim < 3:
                continue
            given = cut(output)
            if given.numel() == asked.outputs.numel() and (form := form_seen(given, asked.outputs, asked.targets)):
                return Placed(Pick(place, cut) if place or cut is not _whole else None, form)
    return _of_some(outputs, asked)


def _of_some(outputs: list[Output], asked: Asked) -> Placed | None:
    """The output of which the loss was given some rows, as those of the nodes of a graph whose class is known."""
    given = asked.outputs
    for place, output in outputs:
        if not output.ndim or output.shape[1:] != given.shape[1:] or len(output) <= len(given):
            continue
        for change in ON_THE_WAY:
            nodes = nodes_among(change(output), given)
            if nodes is not None and (form := form_seen(output[nodes], asked.outputs, asked.targets)):
                return Placed(Pick(place, _whole) if place else None, form, nodes)
    return None
