"""A batch, as it goes from the data through the augmentation to the network."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Samples that are trained on in one step."""

    x: Tensor
    """`(N, H, W, C)` images, uint8 or float on the scale 0..255; `(N, ...)` other arrays."""
    y: Tensor
    """`(N,)` int64 class numbers or float targets; `(N, C)` probabilities or `(N, T)` targets."""
    rows: Tensor
    """`(N,)` int64: the row of the source that each sample is; the key of its draws."""
