"""Two lines for a loop that somebody has: `watch = dressage.watch(...)` before it, `watch.step(loss)` after each update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor, nn
from torch.jit._script import RecursiveScriptModule
from torch.optim import Optimizer

from dressage.errors import UsageError
from dressage.findings import Finding
from dressage.subject import generators_kept, subject_of
from dressage.subject.subject import Loss
from dressage.subject.task import comparable
from dressage.watch.case import Case
from dressage.watch.watcher import Watch
from dressage.watch.wrapped import network_in, optimizer_in

SELDOM = 10
"""Steps, besides a fifth of all, that lie between two questions at least for the second to be given a verdict."""


class LoopWatch(Watch):
    """The watch of a loop that never says when it ends: its findings are those of a training that ends where it stands."""

    @property
    def findings(self) -> list[Finding]:
        """What was found, the best supported first. Asked for seldom, it is the verdict as if the training ended here.

        Who asks after every few steps is told what is known: a verdict takes seconds.
        """
        since, self._asked_at = self._count - self._asked_at, self._count
        if not self._ended and not self._considering and since >= max(SELDOM, self._count // 5):
            self._safely(self._flush)
            self._safely(partial(self._consider, end=True))
        return self._findings

    @findings.setter
    def findings(self, found: list[Finding]) -> None:
        self._findings = found


def watch(
    model: nn.Module,
    optimizer: Optimizer,
    loss_fn: Loss | None = None,
    *,
    train: object = None,
    val: object = None,
    metric: object = None,
    names: Sequence[str] = (),
    penalty: Callable[[nn.Module], Tensor] | None = None,
    seconds: float = 20.0,
    on_finding: Callable[[Finding], None] | None = None,
) -> LoopWatch:
    """Watches a training loop: call `step(loss)` after each update and `validated(loss=…, metric=…)` after each validation.

    `train`, `val`: a DataLoader, a Dataset of pairs or `(x, y)`; `metric(outputs, targets) -> number`; `names` of the
    columns; `penalty(model)` what the loop adds to the loss. Examinations take at most `seconds`, or 5 % of the run if
    that is more; they run on copies. Weights and generators are left bit for bit as they would be without it.
    Raises UsageError for a network that torch.jit.script has made: nothing can be seen of its passes.
    """
    if isinstance(network_in(model), RecursiveScriptModule):
        expected = "expected a module as it was written, whose passes hooks can see"
        raise UsageError.of(
            "model", "made by torch.jit.script", expected, "train it as it is, and script it afterwards"
        )
    with generators_kept():
        subject = subject_of(
            network_in(model),
            optimizer_in(optimizer),
            loss_fn,
            train=train,
            val=val,
            metric=metric,
            names=names,
            penalty=penalty,
        )
        higher = None if subject.metric is None or not callable(metric) else subject.metric.higher_is_better
        if subject.metric is not None and subject.task is not None and subject.train is not None:
            subject = replace(subject, metric=comparable(subject.metric, subject.task, subject.train.y))
        case = Case.of(subject, seconds)
        case.higher_is_better = higher
        return LoopWatch(case, on_finding=on_finding)
