"""A bent way between two networks on which the loss stays low: the middle of a quadratic Bézier curve is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from dressage.augment.draw import key
from dressage.ensemble.members import Member
from dressage.ensemble.soup import Bowl, Line, Weights, mixed, way_between
from dressage.subject import generators_kept

RATE = 3e-3
"""Of Adam, falling to 0 on a straight line."""
POINTS = 21
Told = Callable[[int, int], None]


def shares_at(t: float) -> tuple[float, float, float]:
    """(1−t)², 2t(1−t), t²: what start, middle and end of a quadratic Bézier curve count at t."""
    return (1 - t) ** 2, 2 * t * (1 - t), t**2


def bend_between(a: Member, b: Member, bowl: Bowl, epochs: int, seed: int, told: Told) -> dict[str, Tensor]:
    """The weights w that make E_t L(φ(t)) low, φ(t) = (1−t)²θ_a + 2t(1−t)w + t²θ_b, t even over [0, 1]. Garipov et al. 2018.

    Trained on the training rows, from the middle of the straight line, a t for each batch; ∂L/∂w = 2t(1−t)·∇L(φ(t)).
    """
    network = copy.deepcopy(a.kept.network).train()
    ends = a.kept.network.state_dict(), b.kept.network.state_dict()
    bend = mixed(ends, [0.5, 0.5])
    weights = {name: p for name, p in network.named_parameters() if p.requires_grad}
    moved = {name: bend[name].clone().requires_grad_() for name in weights}
    optimizer = torch.optim.Adam(moved.values(), lr=RATE)
    total = epochs * bowl.batches.steps_per_epoch
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, max(1, total))
    draws = torch.Generator().manual_seed(key(seed, "landscape", "curve"))
    with generators_kept():
        torch.default_generator.manual_seed(key(seed, "landscape", "noise"))
        for epoch in range(epochs):
            told(epoch * bowl.batches.steps_per_epoch, total)
            for batch in bowl.batches.epoch(epoch):
                shares = shares_at(float(torch.rand((), generator=draws)))
                with torch.no_grad():
                    for name, p in weights.items():
                        p.copy_(shares[0] * ends[0][name] + shares[1] * moved[name] + shares[2] * ends[1][name])
                loss = bowl.plan.objective.plain_loss(network(bowl.plan.cast(batch.x)), batch.y)
                slopes = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
                for middle, slope in zip(moved.values(), slopes, strict=True):
                    middle.grad = shares[1] * slope
                optimizer.step()
                schedule.step()
    told(total, total)
    return {**bend, **{name: w.detach() for name, w in moved.items()}}


def curve_through(a: Member, bend: Weights, b: Member, bowl: Bowl) -> Line:
    """What the networks on the curve lose; batch-norm statistics are measured anew at every place."""
    three = a.kept.network.state_dict(), bend, b.kept.network.state_dict()
    return way_between(a, b, bowl, lambda t: mixed(three, shares_at(t)), POINTS)
