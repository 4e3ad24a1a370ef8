"""Gradients that are a multiple of those of the loss that was told: of a loss that was scaled up, and never brought back."""

from __future__ import annotations

import math
from statistics import median

import torch

from dressage.findings import Finding
from dressage.subject import copy_of, first_output, generators_kept
from dressage.watch.case import Case

TIMES = 8.0
"""Times a copy's gradient, from which a loop's is no accident of dropout or of a lower precision."""
ALIKE = 2.0
"""Between the largest and the smallest of these ratios over the matrices: all are scaled by one number."""
LEAST = 1e-12


def scaled_gradients(case: Case) -> list[Finding]:
    """The first step's gradients are many times those of the same loss of the same batch: asked where a training does badly."""
    times = case.proven("scaled", lambda: _times(case))
    if not isinstance(times, float) or not times > TIMES:
        return []
    return [
        Finding(
            "optim.exploding_gradients",
            "warning",
            "gradients",
            f"the gradients of the first step are {times:.4g} times those of the loss that was told, of the same batch and weights",
            "the loss was scaled up before backward, and the gradients were not brought back before the optimiser's step",
            "step by the scaler, which divides them; to clip before, call scaler.unscale_(optimizer)",
            step=1,
            code="scaler.step(optimizer); scaler.update()",
            confidence=0.9,
            numbers={"times": times},
        )
    ]


def _times(case: Case) -> float:
    """The median ratio over the matrices; NaN where it cannot be told, or is not the same for all."""
    if case.first is None or case.start is None or case.loss_fn is None or not case.is_faithful:
        return math.nan
    (x, y), model = case.first, copy_of(case.start[0]).train()
    with generators_kept():
        torch.autograd.backward(case.loss_fn(first_output(model(x)), y).mean())
    dense = [(n, p.grad.float()) for n, p in model.named_parameters() if p.grad is not None and not p.grad.is_sparse]
    own = {name: gradient.square().mean().sqrt().item() for name, gradient in dense}
    seen = {w.name: w.gradient for w in case.telemetry.probes[0].weights}
    matrices = [n for n, p in model.named_parameters() if p.ndim > 1 and own.get(n, 0.0) > LEAST]
    ratios = [seen[n] / own[n] for n in matrices if seen.get(n, -1.0) > LEAST]
    return median(ratios) if ratios and max(ratios) < ALIKE * min(ratios) else math.nan
