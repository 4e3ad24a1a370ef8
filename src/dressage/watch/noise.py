"""The noise scale of the gradient: at which batch size its noise is as large as the gradient itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dressage.subject import Lab
from dressage.subject.subject import first_output
from dressage.subject.untouched import copy_of, evaluated, generators_kept

BATCHES = 8
"""Batches whose gradients are compared."""


def noise_scale(lab: Lab) -> float:
    """B = tr Σ / |G|², in rows: far below it a larger batch saves steps, far above it only costs (McCandlish et al. 2018).

    From K batches of b rows at the same weights, without bias: tr Σ = b·(Σ|gᵢ|² − K|ḡ|²)/(K − 1), |G|² = |ḡ|² − tr Σ/(K·b).
    The gradients are added up as they come: two of the size of the model are held, however many batches there are.
    NaN for fewer than two batches; infinite where the gradient cannot be told from its noise.
    """
    size = max(1, min(lab.batch_size, len(lab.x) // 2))
    model = copy_of(lab.model) if lab.model.training else evaluated(lab.model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    with generators_kept(), torch.enable_grad():
        torch.default_generator.manual_seed(0)
        order = torch.split(torch.randperm(len(lab.x)), size)
        sums = [torch.zeros_like(p) for p in parameters]
        squares, count = 0.0, 0
        for rows in order[:BATCHES]:
            if len(rows) == size:
                squares += _added(lab, model, parameters, rows, sums)
                count += 1
    if count < 2 or not parameters:
        return math.nan
    mean = _square(sums) / count**2
    noise = size * max(0.0, squares - count * mean) / (count - 1)
    signal = mean - noise / (count * size)
    return noise / signal if signal > 0 else math.inf


def _added(lab: Lab, model: nn.Module, parameters: list[nn.Parameter], rows: Tensor, sums: list[Tensor]) -> float:
    """Adds the gradient on these rows to `sums`; its square."""
    device = parameters[0].device if parameters else torch.device("cpu")
    loss = lab.loss_fn(first_output(model(lab.x[rows].to(device))), lab.y[rows].to(device)).mean()
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    pairs = [(total, g) for total, g in zip(sums, found, strict=True) if g is not None]
    for total, g in pairs:
        total += g
    return _square([g for _, g in pairs])


def _square(tensors: list[Tensor]) -> float:
    """Σ|t|²."""
    dense = (t.coalesce().values() if t.is_sparse else t for t in tensors)
    return float(sum(torch.linalg.vector_norm(t).double() ** 2 for t in dense))
