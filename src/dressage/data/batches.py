"""From a part that lies in memory to its batches: an index and a view, no loop over samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise

import torch
from torch import Tensor

from dressage.augment.batch import Batch, in_views
from dressage.augment.draw import key
from dressage.data.dataset_batches import loader
from dressage.data.source import Part, StreamedDataset

GATHER_BYTES = 512 << 10  # one gather serves many small batches: dispatch costs more than copying there


class Batches:
    """The batches of one part, in an order keyed by (seed, epoch).

    Rows are shared out evenly: `ceil(n / batch_size)` batches whose sizes differ by one at most, so that no ragged last
    batch weighs its samples more or upsets batch norm. With several `views` each sample has as many rows in its batch.
    """

    def __init__(
        self, part: Part, batch_size: int, seed: int, device: torch.device | str = "cpu", views: int = 1
    ) -> None:
        self.part, self.seed, self.device, self.views = part, seed, torch.device(device), views
        rows = len(part)
        self.steps_per_epoch = max(1, -(-rows // batch_size))
        self.bounds = [rows * i // self.steps_per_epoch for i in range(self.steps_per_epoch + 1)]
        batch_bytes = part.x[:1].nbytes * min(batch_size, rows)
        self.gathered = max(1, min(64, GATHER_BYTES // max(1, batch_bytes)))

    def order(self, epoch: int) -> Tensor:
        """`(n,)` int64: the order of the samples in an epoch."""
        generator = torch.Generator().manual_seed(key(self.seed, "order", epoch))
        return torch.randperm(len(self.part), generator=generator)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, on the device."""
        order = self.order(epoch)
        # From the same gathers whatever `start` is: products may differ in their last bits with a batch's place in memory.
        for first in range(start - start % self.gathered, self.steps_per_epoch, self.gathered):
            bounds = self.bounds[first : first + self.gathered + 1]
            chosen = self.part.rows[order[bounds[0] : bounds[-1]]]
            sizes = [b - a for a, b in pairwise(bounds)]
            taken = (self.part.x.index_select(0, chosen), self.part.y.index_select(0, chosen), chosen)
            pieces = zip(*(torch.split(t.to(self.device), sizes) for t in taken), strict=True)
            for x, y, rows in islice(pieces, max(0, start - first), None):
                yield in_views(Batch(x, y, rows), self.views)


class StreamedBatches(Batches):
    """The batches of a dataset whose samples are random: read anew each epoch, keyed by (seed, epoch, row)."""

    def __init__(
        self,
        part: Part,
        batch_size: int,
        seed: int,
        stream: StreamedDataset,
        workers: int,
        device: torch.device | str = "cpu",
        views: int = 1,
    ) -> None:
        super().__init__(part, batch_size, seed, device, views)
        self.stream, self.workers = stream, workers

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, on the device; the same for any number of workers."""
        order = self.part.rows[self.order(epoch)]
        chosen = [order[a:b] for a, b in pairwise(self.bounds[start:])]
        samples = loader(self.stream, [rows.tolist() for rows in chosen], self.seed, epoch, self.workers)
        for rows, (x, y) in zip(chosen, samples, strict=True):
            yield in_views(Batch(x.to(self.device), y.to(self.device), rows.to(self.device)), self.views)


def in_order(part: Part, batch_size: int, device: torch.device | str = "cpu") -> Iterator[Batch]:
    """The batches of a part in its own order, for evaluation."""
    for rows in torch.split(part.rows, batch_size):
        yield Batch(part.x.index_select(0, rows).to(device), part.y.index_select(0, rows).to(device), rows.to(device))
