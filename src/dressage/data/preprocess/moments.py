"""Means and variances in one pass over the training rows, in float64 or exact whole numbers, without a copy of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

EXACT = 256  # images a piece: 256 · 255² < 2²⁴, so that float32 sums of squares are exact
INT64_IMAGES = 10_000_000  # up to so many images n·Σx² fits into int64


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and variance (divided by n, not n − 1) of each feature over `rows` samples, float64, of a sample's shape."""

    mean: Tensor
    var: Tensor
    rows: int

    def moved(self, scale: Tensor, shift: Tensor) -> Moments:
        """Of x·scale + shift."""
        return Moments(self.mean * scale + shift, self.var * scale.square(), self.rows)

    def pooled(self) -> Moments:
        """Of all places of a channel (the last axis) together: variance within places plus variance between them."""
        axes = tuple(range(self.mean.dim() - 1))
        if not axes:
            return self
        mean = self.mean.mean(axes)
        var = self.var.mean(axes) + self.mean.var(axes, correction=0)
        return Moments(mean, var, self.rows * self.mean[..., 0].numel())


def moments(pieces: Iterable[Tensor]) -> Moments:
    """Of float64 pieces `(n, ...)`, merged pairwise (Chan, Golub, LeVeque 1979)."""
    rows, mean, square = 0, torch.zeros(()), torch.zeros(())
    for piece in pieces:
        count, own = len(piece), piece.mean(0)
        deviation = (piece - own).square_().sum(0)
        if rows == 0:
            rows, mean, square = count, own, deviation
            continue
        delta, total = own - mean, rows + count
        mean = mean + delta * (count / total)
        square = square + deviation + delta.square() * (rows * count / total)
        rows = total
    return Moments(mean, square / rows, rows)


def image_moments(x: Tensor, rows: Tensor) -> Moments:
    """Of the uint8 images `x (N, H, W, C)` in `rows`, per pixel, from exact sums of whole numbers."""
    shape = x.shape[1:]
    first = torch.zeros(shape.numel(), dtype=torch.int64)
    second = torch.zeros(shape.numel(), dtype=torch.int64)
    for start in range(0, len(rows), EXACT):
        part = rows[start : start + EXACT]
        piece = x[part].reshape(len(part), -1).to(torch.float32)
        first += piece.sum(0).to(torch.int64)
        second += piece.square_().sum(0).to(torch.int64)
    n = len(rows)
    if n <= INT64_IMAGES:
        var = (n * second - first.square()).to(torch.float64) / (float(n) * n)
    else:
        var = (second.to(torch.float64) / n - (first.to(torch.float64) / n).square()).clamp_(min=0)
    return Moments((first.to(torch.float64) / n).view(shape), var.view(shape), n)
