"""Whether a loss weighs its classes: then what it asks for is not the share of right answers."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage.preflight.loss_form import close, value
from dressage.subject import Lab
from dressage.subject.subject import first_output
from dressage.subject.untouched import copy_of
from dressage.watch.case import Case

SURER = 3.0
"""By how much one of two outputs is made surer of its class."""


def is_weighted(case: Case, lab: Lab) -> bool:
    """By its options, or because being right costs less in one class than in another."""
    if any(getattr(case.kind, name, None) is not None for name in ("weight", "pos_weight")):
        return True
    y = lab.y.reshape(len(lab.y), -1)[:, 0]
    if case.subject.task not in ("classification", "binary") or lab.y.numel() != len(y):
        return False
    with torch.no_grad():
        shape = first_output(copy_of(lab.model).eval()(lab.x[:2])).shape
    kinds = [lab.y[(y == kind).nonzero()[:1, 0]] for kind in torch.unique(y)]
    if shape[1:].numel() == 1:
        return len(kinds) == 2 and all(_differ([_cost(lab, k, shape, at) for k in kinds]) for at in (0.0, 0.5))
    if len(shape) != 2 or y.is_floating_point() or int(y.max()) >= shape[1]:
        return False
    pairs = [(kinds[0], other) for other in kinds[1:]]
    return any(_differ([_sure(lab, one, other, shape, who) for who in (0, 1)]) for one, other in pairs)


def _cost(lab: Lab, y: Tensor, shape: torch.Size, at: float) -> float:
    """Of the same output for a row of one class."""
    return value(lab.loss_fn, torch.full((1, *shape[1:]), at), y)


def _sure(lab: Lab, one: Tensor, other: Tensor, shape: torch.Size, who: int) -> float:
    """Of two rows of two classes, when only one of them is answered."""
    z, y = torch.zeros(2, *shape[1:]), torch.cat([one, other])
    z[who, int(y[who])] = SURER
    return value(lab.loss_fn, z, y)


def _differ(costs: list[float]) -> bool:
    return all(c == c for c in costs) and not close(costs[0], costs[1], 1e-2)
