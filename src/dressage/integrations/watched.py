"""What the callbacks share: a watch that begins late, the losses of one update, and what is said as findings come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.subject.subject import Loss
from dressage.watch import Watch, watch
from dressage.watch.shown import line_of


def tell(finding: Finding) -> None:
    """Prints a finding beside the progress of a training."""
    print(line_of(finding), file=sys.stderr, flush=True)


class Watched:
    """The watch of a training that a library runs. `train` and `val` as in `dressage.watch`."""

    def __init__(
        self,
        loss_fn: Loss | None,
        train: object,
        val: object,
        metric: object,
        names: Sequence[str],
        seconds: float,
        on_finding: Callable[[Finding], None],
    ) -> None:
        self.loss_fn, self.train, self.val, self.metric = loss_fn, train, val, metric
        self.names, self.seconds, self.on_finding = names, seconds, on_finding
        self.watch: Watch | None = None
        self.notes: list[str] = []
        self._losses: list[Tensor] = []

    def begin(self, network: nn.Module, optimizer: Optimizer) -> Watch:
        """Begins to watch."""
        self._losses = []
        self.watch = watch(
            network,
            optimizer,
            self.loss_fn,
            train=self.train,
            val=self.val,
            metric=self.metric,
            names=self.names,
            seconds=self.seconds,
            on_finding=self.on_finding,
        )
        return self.watch

    def lost(self, loss: Tensor) -> None:
        """The loss of one batch."""
        self._losses.append(loss.detach())

    def updated(self, *, summed: bool = False) -> None:
        """An update was made from the batches since the last: of the mean of their losses, or of the sum."""
        losses, self._losses = self._losses, []
        if self.watch is not None and losses:
            whole = losses[0] if len(losses) == 1 else torch.stack(losses).mean() * (len(losses) if summed else 1)
            self.watch.step(whole)

    def said(self) -> list[str]:
        """What could not be checked, and why."""
        return [*self.notes, *(self.watch.notes if self.watch is not None else ())]


class Shown:
    """What both callbacks show of their watch."""

    _watched: Watched

    @property
    def watch(self) -> Watch | None:
        """The watch, once the training was seen to begin."""
        return self._watched.watch

    @property
    def findings(self) -> list[Finding]:
        """What was found, the best supported first."""
        return self.watch.findings if self.watch is not None else []

    @property
    def notes(self) -> list[str]:
        """What could not be checked, and why."""
        return self._watched.said()
