"""Labels among the inputs of a network that gives its loss itself: no rows of theirs belong to what is predicted from."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from dressage.subject import copy_of, first_output, generators_kept
from dressage.subject.inputs import Inputs, Unfold

TRIED = 32
"""Rows on which it is tried whether labels change the outputs."""
LEFT_OUT = -100
"""The target that torch's losses leave out unless they are told otherwise."""


def without_labels(model: nn.Module, unfold: Unfold, batches: list[tuple[Inputs, Tensor]]) -> Unfold:
    """Marks inputs that are the targets; zeros stand for those that do not change the outputs: the copy predicts without."""
    for place, part in enumerate(unfold.parts):
        if not part.is_folded or not all(_holds(inputs.tensors[place], y) for inputs, y in batches):
            continue
        parts = [replace(p, is_blank=True) if p is part else p for p in unfold.parts]
        blank = Unfold(unfold.make, parts)
        if any(p.is_folded for p in parts) and _are_the_same(model, (unfold, blank), batches[0][0]):
            unfold = blank
        elif all(
            y.ndim == 1 and not y.is_floating_point() and len(inputs.tensors[place]) == len(y) for inputs, y in batches
        ):
            unfold = Unfold(unfold.make, [replace(p, is_target=True) if p is part else p for p in unfold.parts])
    return unfold


def _holds(given: Tensor, y: Tensor) -> bool:
    """Whether an input is the targets: as they are, or a place further on."""
    forms = [given]
    if given.ndim > 1:
        forms += [given[:, 1:], pad(given[:, 1:], (0, 1), value=LEFT_OUT)]
    return any(f.numel() == y.numel() and torch.equal(f.flatten().to(y.dtype), y.flatten()) for f in forms)


def _are_the_same(model: nn.Module, unfolds: tuple[Unfold, Unfold], inputs: Inputs) -> bool:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    found = []
    for unfold in unfolds:
        copied = copy_of(model).eval()
        unfold.stand(copied)
        try:
            with torch.no_grad(), generators_kept():
                found.append(first_output(copied(unfold.fold(inputs.tensors)[:TRIED].to(device))))
        except Exception:  # of the user's network, which looks at its labels
            return False
    return found[0].shape == found[1].shape and torch.allclose(found[0].float(), found[1].float(), 1e-4, 1e-6)
