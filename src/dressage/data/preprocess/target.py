"""The target of a regression: standardised for training, inverted for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.data.preprocess.moments import moments
from dressage.data.source import Head, Source


@dataclass(frozen=True, slots=True)
class TargetScale:
    """`mean` and `scale` (sd, float64, `()` or `(T,)`) of the training targets; None in a classification: identity."""

    mean: Tensor | None = None
    scale: Tensor | None = None

    def standardize(self, y: Tensor) -> Tensor:
        """(y − mean) / sd, in the dtype of y `(N,)` or `(N, T)`; class numbers as they are."""
        if self.mean is None or self.scale is None:
            return y
        return (y - self.mean.to(y)) / self.scale.to(y)

    def invert(self, y: Tensor) -> Tensor:
        """y·sd + mean: from the network's scale to the data's."""
        if self.mean is None or self.scale is None:
            return y
        return y * self.scale.to(y) + self.mean.to(y)


def target_of(source: Source, rows_train: Tensor) -> TargetScale:
    """The scale of a source's targets; identity where they are no numbers to be met."""
    numbers = source.task in ("regression", "multi")
    return fit_target(source.y[rows_train], source.heads) if numbers else TargetScale()


def fit_target(y: Tensor, heads: Sequence[Head] = ()) -> TargetScale:
    """From the training targets; a constant one has sd 1. Of several targets, class numbers stay as they are."""
    m = moments([y.double()])
    sd = m.var.sqrt()
    scale = TargetScale(m.mean, sd.where(sd > 0, 1.0))
    if not heads:
        return scale
    number = torch.tensor([not head.classes for head in heads])
    return TargetScale(m.mean.where(number, 0.0), sd.where(number & (sd > 0), 1.0))
