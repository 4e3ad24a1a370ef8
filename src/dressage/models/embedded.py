"""Learned vectors for the words of categories, before a network of rows (Bengio et al. 2003; Guo & Berkhahn 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Columns(Protocol):
    """Neighbouring 0/1 columns of a row, of which at most one is set, and the length of the vectors in their place."""

    @property
    def start(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def dim(self) -> int: ...


class Embedded(nn.Module):
    """`network` of rows whose 0/1 columns have been replaced: `(N, D)` to what the network gives.

    What is left of the row comes first, then for each block the row of its table that is set: E[word], zeros where none is.
    As a product with the 0/1 columns it needs no look-up, and every word has a gradient in every step.
    """

    def __init__(self, blocks: Sequence[Columns], features: int, network: nn.Module) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(block.width, block.dim) for block in blocks)
        self.places = [(block.start, block.start + block.width) for block in blocks]
        inside = {column for start, stop in self.places for column in range(start, stop)}
        self.register_buffer("left", torch.tensor([c for c in range(features) if c not in inside]), persistent=False)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        left: Tensor = self.left  # type: ignore[assignment]
        weights: list[Tensor] = [table.weight for table in self.tables]  # type: ignore[misc]
        vectors = [x[:, a:b] @ weight for (a, b), weight in zip(self.places, weights, strict=True)]
        out: Tensor = self.network(torch.cat([x.index_select(1, left), *vectors], 1))
        return out


def width_of(blocks: Sequence[Columns], features: int) -> int:
    """Numbers that a row has after its blocks have been replaced."""
    return features + sum(block.dim - block.width for block in blocks)
