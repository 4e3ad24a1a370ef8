"""One run of a case: bare or watched, timed, with a limit; what was named and when."""

from __future__ import annotations

import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from .case import Case
from .data import Missing

LIMIT = 60  # seconds of work that a run may take: of others on the machine none


class OverLimitError(BaseException):
    """Passes through what the watch catches."""


@dataclass
class Run:
    """What one run gave."""

    case: str
    fault: bool
    watched: bool
    score: float = float("nan")
    steps: int = 0
    seconds: float = 0.0
    """From the making of the watch to the last step."""
    own_seconds: float = 0.0
    """Of these, inside the watch's own calls."""
    diagnose_seconds: float = 0.0
    named: list[dict[str, Any]] = field(default_factory=list)
    """Findings of the final verdict in its order: id, severity, step, harmful, symptom, evidence."""
    first_seen: dict[str, int] = field(default_factory=dict)
    """The step after which each harmful id was first among the watch's findings."""
    error: str = ""

    def harmful(self) -> list[str]:
        """Ids of harmful findings, symptoms too, in their order."""
        return list(dict.fromkeys(f["id"] for f in self.named if f["harmful"]))

    def causes(self) -> list[str]:
        """Ids of harmful findings that are causes."""
        return [i for i in self.harmful() if not i.startswith("sym.")]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Observed:
    """Stands before a watch, or before none: counts its steps, times its calls, notes when an id was first named."""

    def __init__(self, run: Run) -> None:
        self.run, self.watch, self.spare = run, None, 0.0
        self.started = self.ended = 0.0

    def make(self, *args: Any, **named: Any) -> Observed:
        """In the place of `dressage.watch`."""
        self.started = self.ended = time.perf_counter()
        if self.run.watched:
            import dressage

            self.watch = self._timed(dressage.watch, *args, **named)
        return self

    def step(self, loss: Any) -> None:
        """As a watch's."""
        if self.watch is not None:
            self._timed(self.watch.step, loss)
        self.run.steps += 1
        self._look()
        self.ended = time.perf_counter()

    def validated(self, **named: Any) -> None:
        """As a watch's."""
        if self.watch is not None:
            self._timed(self.watch.validated, **named)
        self._look()
        self.ended = time.perf_counter()

    def finish(self) -> None:
        """Closes the times and asks for the verdict."""
        self.run.seconds = self.ended - self.started - self.spare
        if self.watch is None:
            return
        before = time.perf_counter()
        verdict = self.watch.diagnose()
        self.run.diagnose_seconds = time.perf_counter() - before
        self.run.named = [
            {"id": f.id, "severity": f.severity, "step": f.step, "harmful": f.is_harmful, "symptom": f.is_symptom,
             "where": f.where, "evidence": f.evidence}
            for f in verdict
        ]  # fmt: skip
        for finding in verdict:
            if finding.is_harmful:
                self.run.first_seen.setdefault(finding.id, self.run.steps)

    def _timed(self, call: Any, *args: Any, **named: Any) -> Any:
        before = time.perf_counter()
        try:
            return call(*args, **named)
        finally:
            self.run.own_seconds += time.perf_counter() - before

    def _look(self) -> None:
        """Reading what is named so far is the benchmark's work, not the watch's: its time is taken off."""
        if self.watch is None:
            return
        before = time.perf_counter()
        for finding in self.watch.findings:
            if finding.is_harmful:
                self.run.first_seen.setdefault(finding.id, self.run.steps)
        self.spare += time.perf_counter() - before


def measure(case: Case, fault: bool, watched: bool, seed: int = 0) -> Run:
    """Runs a case once, seeded; an error becomes part of the result."""
    run = Run(case.id, fault, watched)
    observed = Observed(run)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        with limited(LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run.score = float(case.run(observed.make, fault))
            observed.finish()
    except Missing as missing:
        run.error = f"missing: {missing}"
    except OverLimitError as over:
        run.error = str(over)
    except Exception:
        run.error = traceback.format_exc(limit=-6)
    return run


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises OverLimitError inside the block when the process works longer."""

    def over(*_: object) -> None:
        raise OverLimitError(f"more than {seconds:g} s of work")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
