"""Which of a network's outputs its loss takes, and in which form."""

from __future__ import annotations

from torch import Tensor

from dressage.subject.outputs import Cut, Output, Pick
from dressage.watch.asked import Asked
from dressage.watch.faithful import Form, form_seen


def _whole(z: Tensor) -> Tensor:
    return z


def _without_last(z: Tensor) -> Tensor:
    return z[:, :-1]


def _last(z: Tensor) -> Tensor:
    return z[:, -1]


CUTS: tuple[Cut, ...] = (_whole, _without_last, _last)
"""Of places in a sequence: all, all but the last, whose next one is not known, or the last."""


def placed(outputs: list[Output], asked: Asked) -> tuple[Pick | None, Form] | None:
    """The output that the loss was seen to be given, if it has to be picked, and its form; None where it is none of them."""
    if not outputs:
        form = form_seen(None, asked.outputs, asked.targets)
        return None if form is None else (None, form)
    for cut in CUTS:
        for place, output in outputs:
            if cut is not _whole and output.ndim < 3:
                continue
            given = cut(output)
            if given.numel() == asked.outputs.numel() and (form := form_seen(given, asked.outputs, asked.targets)):
                return Pick(place, cut) if place or cut is not _whole else None, form
    return None
