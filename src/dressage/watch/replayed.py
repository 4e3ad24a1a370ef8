"""Passes of a network that takes several inputs, or gives its loss itself: kept so that a copy can be run on their rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dressage.subject import Rows, copy_of, first_output, generators_kept
from dressage.subject.inputs import Inputs, Unfold, are_equal, bytes_of, unfold_of
from dressage.watch.gathered import ENOUGH, LIMIT_BYTES, LIMIT_ROWS, each_once
from dressage.watch.labels import without_labels

CLOSE = 1e-3
"""Relative difference of a number that the network gave and the loss that was told, for them to be one."""
TRIED = 32
"""Rows on which a copy is tried."""


@dataclass
class Replayed:
    """What probed passes were given, with the targets of each."""

    batches: list[tuple[Inputs, Tensor]] = field(default_factory=list)
    unfold: Unfold | None = None
    own_loss: int | None = None
    used: int = 0
    said: str = ""
    """Why a copy cannot be run; empty while it can."""

    @property
    def count(self) -> int:
        """Rows so far."""
        return sum(len(y) for _, y in self.batches)

    def take(
        self, inputs: Inputs, targets: Tensor | None, numbers: list[Tensor], loss: float, start: nn.Module
    ) -> Rows | None:
        """Adds a pass; the rows of all, as soon as they are enough. From then on `start` understands them.

        Without targets, one of the `numbers` that the network gave has to be its loss.
        """
        own_loss = told_among(numbers, loss) if targets is None else None
        if targets is None and own_loss is None:
            return None
        self.add(inputs, targets, own_loss)
        stands = self.unfold is not None
        rows = self.rows(start)
        if self.unfold is not None and not stands:
            self.unfold.stand(start)
        if self.said:
            self.batches = []
        return rows

    def add(self, inputs: Inputs, targets: Tensor | None, own_loss: int | None) -> None:
        """One pass; what is beyond the limits, or of another form than the first, is left out."""
        y = _targets_of(inputs, targets)
        if self.said or y is None or not len(y) or self.count >= LIMIT_ROWS:
            return
        if self.batches:
            first, known = self.batches[0]
            if (
                first.around != inputs.around
                or known.shape[1:] != y.shape[1:]
                or (own_loss is None) != (self.own_loss is None)
            ):
                return
        if self.unfold is not None and not fits_in(self.unfold, inputs, len(y)):
            return
        held = sum(bytes_of(t) for b, _ in self.batches for t in b.tensors)
        if held + sum(bytes_of(t) for t in inputs.tensors) > LIMIT_BYTES:
            return
        self.own_loss = own_loss
        kept = [t.cpu().clone() for t in inputs.tensors]
        self.batches.append((Inputs(kept, inputs.make, inputs.around), y.detach().cpu().clone()))

    def rows(self, model: nn.Module) -> Rows | None:
        """The rows as one matrix, which `model` understands with `unfold` standing; None while they are too few."""
        if self.said or len(self.batches) < 2 or self.count < max(ENOUGH, 2 * self.used):
            return None
        if self.unfold is None:
            self.unfold = unfold_of([b for b, _ in self.batches], [len(y) for _, y in self.batches])
            if self.unfold is None:
                self.said = "an input is neither one row for each row of the batch nor the same in each batch"
                return None
            self.unfold.own_loss = self.own_loss
            kept = [(b, y) for b, y in self.batches if self.unfold.takes(b.tensors)]
            self.batches = kept
            if kept and self.own_loss is None:
                self.unfold = without_labels(model, self.unfold, kept)
            self.said = _refused(model, self.unfold, self._folded()) if kept else "no pass is exact"
            if self.said:
                self.unfold = None
                return None
        self.used = self.count
        y = torch.cat([y for _, y in self.batches])
        return each_once(self._folded(), y, max(len(y) for _, y in self.batches))

    def _folded(self) -> Tensor:
        """The inputs of all passes, as one matrix."""
        assert self.unfold is not None
        return torch.cat([self.unfold.fold(b.tensors) for b, _ in self.batches])


def told_among(given: list[Tensor], told: float) -> int | None:
    """Which of the numbers that a network gave is the loss that was told."""
    return next((i for i, loss in enumerate(given) if abs(float(loss) - told) <= CLOSE * abs(told)), None)


def _targets_of(inputs: Inputs, targets: Tensor | None) -> Tensor | None:
    """A target a row; those of flattened places are put back to the rows that they are of."""
    size = len(inputs)
    if targets is None:
        return torch.zeros(size)
    if not targets.ndim or not size or len(targets) % size:
        return None
    return targets if len(targets) == size else targets.reshape(size, -1, *targets.shape[1:])


def fits_in(unfold: Unfold, inputs: Inputs, size: int) -> bool:
    """Whether a pass of so many rows can be folded as those before it were."""
    pairs = zip(inputs.tensors, unfold.parts, strict=True)
    if any(p.fixed is None and len(t) != size for t, p in pairs if t.ndim):
        return False
    fixed = [(t, p.fixed) for t, p in zip(inputs.tensors, unfold.parts, strict=True) if p.fixed is not None]
    return unfold.takes(inputs.tensors) and all(are_equal(t.cpu(), f) for t, f in fixed)


def _refused(model: nn.Module, unfold: Unfold, x: Tensor) -> str:
    """What a copy raises when it is given these rows, or that it does not answer each row alone; empty: nothing."""
    copied = copy_of(model).eval()
    unfold.stand(copied)
    device = next((p.device for p in copied.parameters()), torch.device("cpu"))
    some = x[:TRIED].to(device)
    try:
        with torch.no_grad(), generators_kept():
            whole, half = (first_output(copied(rows)) for rows in (some, some[1 : len(some) // 2]))
    except Exception as error:  # of the user's network
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    if unfold.own_loss is not None:
        return ""
    if whole.ndim == 0 or len(whole) % len(some) or len(half) % (len(some) // 2 - 1):
        return "its outputs are not one for each row"
    per = len(whole) // len(some)
    same = whole[per : per * (len(some) // 2)]
    if same.shape != half.shape or not torch.allclose(
        same.float(), half.float(), 1e-2, 1e-4 + 1e-3 * float(whole.abs().max())
    ):
        return "what it answers to a row depends on the other rows of the batch"
    return ""
