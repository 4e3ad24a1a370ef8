"""What sees a training that it does not run: probes at its pace, losses read rarely, and judgements in between."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from dressage.findings import Finding, ranked
from dressage.subject import generators_kept
from dressage.watch.asked import asked
from dressage.watch.case import Case
from dressage.watch.followed import batches_missing, follow, hold_out, pass_of
from dressage.watch.pace import Pace
from dressage.watch.passes import Passes
from dressage.watch.probe import StepProbe
from dressage.watch.shown import line_of, said_once
from dressage.watch.telemetry import Telemetry, Validation
from dressage.watch.told import number_of, numbers_of
from dressage.watch.uncompiled import uncompiled
from dressage.watch.verdict import consider

T = TypeVar("T")
CONSIDERED = (1, 10, 30, 100, 300)
"""Steps after which the training is judged; after the last, each time that the steps have doubled."""
FLUSHED = 64  # losses that are read from the device at once
GATHERING = 0.5
"""Seconds that may go into steps that are looked at for their rows alone: of batches of two or three many are needed."""
DEAR = 250
"""Times what the last judgement took that have to pass before a validation is an occasion for another."""


class Watch:
    """Sees a training that it does not run. It changes nothing: between two looks not even a hook stands."""

    def __init__(
        self,
        case: Case,
        *,
        on_finding: Callable[[Finding], None] | None = None,
        probe: Callable[[], StepProbe] | None = None,
        rate: Callable[[], object] | None = None,
        during: Callable[[], AbstractContextManager[None]] = nullcontext,
        step: int = 0,
        quiet: int = 0,
        passes: bool = True,
    ) -> None:
        """`probe` makes what stands in a probed step, `rate` gives the last step's, `during` is entered for each judgement,
        `step` steps are done already; before step `quiet` nothing but numbers that are not finite is judged; without
        `passes` the mode and the inputs of validations are not looked at."""
        self.case = case
        self.telemetry: Telemetry = case.telemetry
        self._findings: list[Finding] = []
        self._asked_at = step
        self._on_finding = on_finding
        self._pace = Pace()
        self._passes = Passes(case.model)
        self._passes.listens = case.subject.validation is None
        self._losses: deque[Tensor | float] = deque()
        self._is_finite = True
        self._during, self._quiet, self._looks_at_passes = during, quiet, passes
        self._judged_at, self._price = -math.inf, 0.0
        self._count = step
        self._since: deque[float] = deque(maxlen=4096)
        self._left_at, self._left_step = time.perf_counter(), step
        self._ended = self._considering = False
        self._rate = rate or (lambda: next(iter(case.optimizer.param_groups), {}).get("lr"))
        self._new_probe = probe or (
            lambda: StepProbe(case.model, case.optimizer, case.loss_given, follows_loss=case.follows_loss)
        )
        self._probe: StepProbe | None = None if _is_unmade(case.model) else self._new_probe()
        self._next = self._planned = step + 1

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, the best supported first."""
        return self._findings

    @findings.setter
    def findings(self, found: list[Finding]) -> None:
        self._findings = found

    @property
    def notes(self) -> list[str]:
        """What could not be checked, and why."""
        return self.case.notes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.diagnose()
        else:
            self.close()

    def step(self, loss: Tensor | float) -> None:
        """Tells the watch that an update was made with this loss. Of a processor it is read at once, of a device now and then."""
        if not self._count and isinstance(loss, Tensor):
            self._safely(partial(self.case.trace, loss))
        if type(loss) is Tensor and loss.is_cpu and not loss.ndim:
            loss = loss.item()  # cheaper than to keep the tensor
            if loss - loss != 0.0 and self._is_finite:
                self._next = self._count
        self._losses.append(loss.detach() if isinstance(loss, Tensor) else loss)
        self._count += 1
        if self._count >= self._next:
            self._safely(self._look)

    def entered(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Tells the watch of a forward pass that had begun just before it stood."""
        if self._probe is not None:
            self._probe.entered(self.case.model, args, kwargs)

    def validating(self) -> None:
        """Tells the watch that a validation begins, so that its passes are seen."""
        self._passes.stand()

    def validated(self, loss: Tensor | float | None = None, metric: Tensor | float | None = None) -> None:
        """Tells the watch what a validation said: its loss and its metric, whichever there is."""
        self._safely(partial(self._validated, number_of(loss), number_of(metric)))

    def _validated(self, loss: float | None, metric: float | None) -> None:
        self._flush()
        training = self._passes.validated(self._count, self.case.model.training)
        if self._passes.input is not None:
            self.case.validation_input = self._passes.input
        self.case.validation_inputs = self._passes.inputs or self.case.validation_inputs
        self.case.held, self._passes.held = self._passes.held or self.case.held, None
        self._passes.listens = self.case.held is None and self.case.subject.validation is None
        mean = sum(self._since) / len(self._since) if self._since else math.nan
        self._since.clear()
        self.telemetry.validations.append(Validation(self._count, loss, metric, training, mean))
        if time.perf_counter() - self._judged_at >= DEAR * self._price:
            self._consider(end=False)
        self._plan()

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """The loader's batches, with the time that each is waited for taken."""
        iterator = iter(loader)
        while True:
            began = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self.case.waited.append(time.perf_counter() - began)
            yield batch

    def diagnose(self) -> list[Finding]:
        """Judges the whole training, now that it is over; the findings, the best supported first."""
        if not self._ended:
            self._ended = True
            self._safely(self._flush)
            self.close()
            self._safely(partial(self._consider, end=True))
        return self.findings

    def stopped(self, step: int, at: int, where: str) -> None:
        """Tells the watch that the training ends after `step` by a number at step `at` that is not finite; steps since are void."""
        self._flush()
        void = (self.telemetry.step - step) // self.telemetry.stride
        if void > 0:
            del self.telemetry.losses[-void:]
        self._count = self.telemetry.step = step
        self.telemetry.nonfinite = (at, where)

    def close(self) -> None:
        """Takes every hook away."""
        if self._probe is not None:
            self._probe.remove()
            self._probe = None
        self._passes.leave()

    def __str__(self) -> str:
        told = [line_of(f) for f in self.findings] or ["nothing found"]
        return "\n".join([*told, *(f"not checked: {note}" for note in said_once(self.notes))])

    def _safely(self, look: Callable[[], None]) -> None:
        """What goes wrong in watching never reaches the loop: it is noted, and the loop is watched no longer."""
        try:
            look()
        except Exception as error:
            self.close()
            self._losses, self._next, self._is_finite = deque(maxlen=0), sys.maxsize, False
            self.case.notes.append(
                f"watched no longer from step {self._count} on ({type(error).__name__}: {str(error)[:160]})"
            )

    def _look(self) -> None:
        """A probed step, the step before one, one to be judged or before a validation, or a full list of losses."""
        now = time.perf_counter()
        self._flush()
        if self._looks_at_passes and self._passes.due_after(self._count - 1) == self._count:
            self._passes.stand()
        if self._probe is None:
            self._pace.ran(self._count - self._left_step, now - self._left_at)
            self.case.step_seconds = self._pace.plain_step
        elif self._probe.is_accumulating():
            self._next = self._count + 1  # the update comes in a later call
            return
        else:
            self._read(self._probe)
        self._consider_when_due()
        if self._count + 1 >= self._planned:
            self._probe = self._new_probe()
        self._plan()
        self._left_at, self._left_step = time.perf_counter(), self._count

    def _plan(self) -> None:
        """Sets the next step after which there is something to do: until then a step costs its loss and a comparison."""
        if self._next == sys.maxsize:
            return  # watched no longer
        if self._probe is not None:
            self._next = self._count + 1
            return
        validation = self._passes.due_after(self._count) if self._looks_at_passes else sys.maxsize
        self._next = min(self._planned - 1, self._count + FLUSHED, judged_after(self.case.considered), validation)

    def _read(self, probe: StepProbe) -> None:
        self._probe = None
        self.telemetry.add_probe(probe.read(self._count))
        if probe.input is not None:
            loss = self.telemetry.losses[-1] if self.telemetry.losses else math.nan
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the user's loss, tried in other forms than their loop's
                found = asked(probe.losses_seen, loss, self.case.loss_given)
                follow(self.case, pass_of(probe, probe.input, found, loss), loss)
        self._pace.probed(time.perf_counter() - probe.began)
        missing = batches_missing(self.case)
        is_cheap = self._pace.price * missing < GATHERING
        self._planned = self._count + 1 if missing and is_cheap else self._pace.next_after(self._count)

    def _consider_when_due(self) -> None:
        due = self._count >= judged_after(self.case.considered)
        if due or (self.telemetry.nonfinite is not None and not self.case.told_nonfinite):
            self._consider(end=False)

    def _consider(self, *, end: bool) -> None:
        self.case.considered = max(1, self._count)
        if not end and self._count < self._quiet and self.telemetry.nonfinite is None:
            return
        began, stands = time.perf_counter(), self._probe is not None
        if self._probe is not None:
            self._probe.remove()  # a copy of the model would carry its hooks
        self._considering = True
        try:
            with self._during(), self.case.standing(), generators_kept(), uncompiled(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the user's loss and metric: their own loop gives them
                hold_out(self.case)
                self._settle(consider(self.case, end=end))
        finally:
            self._considering = False
        if stands:
            self._probe = self._new_probe()
        self._judged_at = time.perf_counter()
        self._price = self._judged_at - began

    def _settle(self, found: list[Finding]) -> None:
        known = {f.id: f.step for f in self._findings if f.is_harmful}
        since = [replace(f, step=min(f.step, known[f.id])) if f.id in known and f.is_harmful else f for f in found]
        self._findings = ranked(since)
        for finding in self._findings:
            if finding.id not in known and finding.is_harmful and self._on_finding is not None:
                self._on_finding(finding)

    def _flush(self) -> None:
        if not self._losses:
            return
        values = numbers_of(self._losses)
        first = self._count - len(values) + 1
        self._losses.clear()
        self.telemetry.step = self._count
        self.telemetry.add_losses(values)
        rate = self._rate()
        if isinstance(rate, int | float):  # one that lies on a device would have to be waited for
            self.telemetry.add_rate(float(rate))
        self._since.extend(values)
        if self.telemetry.nonfinite is None and not math.isfinite(sum(values)):
            bad = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
            if bad is not None:
                self.telemetry.nonfinite, self._is_finite = (first + bad, "loss"), False


def _is_unmade(model: nn.Module) -> bool:
    """Whether there are parameters that get their shape in the first pass."""
    return any(isinstance(p, UninitializedParameter) for p in model.parameters())


def judged_after(step: int) -> int:
    """The step of the next judgement after one at `step`."""
    return next((s for s in CONSIDERED if s > step), 2 * step)
