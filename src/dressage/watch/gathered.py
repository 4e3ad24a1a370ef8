"""Rows of a loop that gave no data, or whose data could not be followed: those of the batches that were probed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dressage.preflight.data_rows import codes_of
from dressage.subject import Rows

LIMIT_ROWS, LIMIT_BYTES = 4096, 64 << 20
ENOUGH = 40
"""Rows from which a few checks say something."""


@dataclass
class Gathered:
    """The pairs of inputs and targets that the loss of probed steps was seen to be given."""

    pairs: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    used: int = 0
    """Rows that were made use of last."""

    @property
    def count(self) -> int:
        """Rows so far."""
        return sum(len(x) for x, _ in self.pairs)

    def add(self, x: Tensor, y: Tensor) -> None:
        """One batch; what is beyond the limits, or of another shape than the first, is left out."""
        if len(x) != len(y) or not len(x) or self.count >= LIMIT_ROWS:
            return
        if self.pairs and (self.pairs[0][0].shape[1:] != x.shape[1:] or self.pairs[0][1].shape[1:] != y.shape[1:]):
            return
        if sum(p[0].nbytes for p in self.pairs) + x.nbytes <= LIMIT_BYTES:
            self.pairs.append((x.detach().cpu().clone(), y.detach().cpu().clone()))

    def rows(self) -> Rows | None:
        """Each row once; None while they are too few, or not twice as many as were used before.

        Nor where one target belongs to all, as to what a judge is shown in one of its passes: that is not what is learned.
        """
        if self.count < max(ENOUGH, 2 * self.used):
            return None
        self.used = self.count
        x, y = torch.cat([p[0] for p in self.pairs]), torch.cat([p[1] for p in self.pairs])
        return None if bool((y == y[:1]).all()) else each_once(x, y, max(len(p[0]) for p in self.pairs))


def each_once(x: Tensor, y: Tensor, batch_size: int) -> Rows:
    """Rows of batches, without those that were seen before."""
    _, first = np.unique(codes_of(Rows(x, y, len(x), torch.arange(len(x)))), return_index=True)
    kept = torch.from_numpy(np.sort(first))
    return Rows(x[kept], y[kept], len(kept), torch.arange(len(kept)), "unknown", batch_size)
