"""Normalisation between a layer and its activation.

`catalogue[name].build(features, dims)`: `dims` is 0 for inputs `(N, F)` and 2 for images `(N, C, H, W)`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dressage.catalogue import Catalogue, Entry


def batch(features: int, dims: int) -> nn.Module:
    """Batch normalisation over the samples (and places) of a batch."""
    return nn.BatchNorm2d(features) if dims == 2 else nn.BatchNorm1d(features)


def layer(features: int, dims: int) -> nn.Module:
    """Layer normalisation over the features of one sample; on images over channels and places, scaled a channel."""
    return nn.GroupNorm(1, features) if dims == 2 else nn.LayerNorm(features)


def none(features: int, dims: int) -> nn.Module:
    """No normalisation."""
    return nn.Identity()


def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces the running statistics of every batch norm by the plain mean over `batches` of network inputs.

    Averaged weights need it: the running statistics belong to weights that are no longer there. Mean over batches of
    the batch mean, and of the batch variance with m/(m−1) (Ioffe & Szegedy 2015, algorithm 2). Draws nothing: dropout
    is off.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    modes = [(m, m.training) for m in model.modules()]
    momenta = [m.momentum for m in norms]
    try:
        model.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's spelling of a plain cumulative mean
            norm.training = True
        with torch.no_grad():
            for inputs in batches:
                model(inputs)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes:
            module.training = training


catalogue: Catalogue[nn.Module] = Catalogue(
    "norm",
    Entry(
        "batch",
        batch,
        "Each feature standardised over the batch, then scaled and shifted; running statistics at test time.",
        "γ (x − E_batch[x]) / √(Var_batch[x] + 1e-5) + β",
        "L6, C784, R5; Ioffe & Szegedy 2015",
    ),
    Entry(
        "layer",
        layer,
        "Each sample standardised over its own features, then scaled and shifted; the same in training and test.",
        "γ (x − E_sample[x]) / √(Var_sample[x] + 1e-5) + β",
        "L6; Ba, Kiros & Hinton 2016",
    ),
    Entry("none", none, "No normalisation.", "x", "L6"),
)
