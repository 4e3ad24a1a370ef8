"""Normalisation between a layer and its activation.

`catalogue[name].build(features, dims)`: `dims` is 0 for inputs `(N, F)` and 2 for images `(N, C, H, W)`.
"""

from __future__ import annotations

from torch import nn

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
