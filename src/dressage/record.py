"""The consumer of a training that keeps it: curves, checkpoints, signals. What it is given by `fit` it writes down."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from dressage.errors import Interrupted
from dressage.fit import EndEvent, EpochEvent, Event, State, StepEvent, fit
from dressage.prepare import Job
from dressage.store.database import Recorder
from dressage.store.folder import RunFolder
from dressage.store.writer import CheckpointWriter

COLUMNS = ("loss", "lr")
SHARE = 0.01  # of the time that checkpoints at the end of an epoch may take
GRACE = 3.0  # seconds from Ctrl-C to the end of what is being computed, so that all is saved within five


def record(job: Job, folder: RunFolder, on_event: Callable[[Event], None] | None = None) -> EndEvent | None:
    """Trains to the end and writes the curves and checkpoints on the way; None when a signal ended it, with its state saved."""
    state = job.state
    with (
        signals() as stop,
        Recorder(folder.path, columns=COLUMNS) as recorder,
        Saver(folder, job.recipe.train.checkpoint_seconds) as saver,
    ):
        recorder.cut(state.step)
        saver.before_save = recorder.flush  # a curve never ends before the checkpoint that goes on with it
        if state.step == 0:
            saver.save(state)
        began = time.perf_counter()
        end = None
        last = state.step
        try:
            for event in fit(state, job.batches, job.plan, job.parts.get("validation")):
                if isinstance(event, StepEvent):
                    last = event.step
                    recorder.step(event.step, (event.loss, event.lr))
                elif isinstance(event, EpochEvent):
                    seconds = time.perf_counter() - began
                    recorder.epoch(
                        event.epoch, event.step, {**event.metrics, "improved": event.improved, "seconds": seconds}
                    )
                elif isinstance(event, EndEvent):
                    end = event
                if on_event is not None:
                    on_event(event)
                if stop.asked:
                    break
                saver.after(event, state)
        except Overdue:
            in_validation = state.step == last and state.batch == job.batches.steps_per_epoch
            if not in_validation:  # inside a step the state is not whole; the last checkpoint is
                return None
        finally:
            stop.settle()
        if end is not None and end.reason == "nonfinite":
            recorder.cut(state.step)
        saver.save(state)
        return end


class Saver:
    """Writes checkpoints: at the end of an epoch while they take under 1 % of the time, and whenever `seconds` have passed."""

    def __init__(self, folder: RunFolder, seconds: float) -> None:
        self.writer = CheckpointWriter(folder.path)
        self.seconds = seconds
        self.began = self.saved_at = time.monotonic()
        self.spent = 0.0
        self.saved_at_position = (-1, -1)
        self.before_save: Callable[[], None] = lambda: None

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def after(self, event: Event, state: State) -> None:
        """Saves if it is time."""
        now = time.monotonic()
        overdue = now - self.saved_at >= self.seconds
        affordable = isinstance(event, EpochEvent) and self.spent + self.writer.cost <= SHARE * (now - self.began)
        if overdue or affordable:
            self.save(state)

    def save(self, state: State) -> None:
        """Writes a checkpoint of this moment, unless it stands already or holds a number that is not finite."""
        if (state.step, state.epoch) == self.saved_at_position or not state.is_finite():
            return
        self.spent += self.writer.cost
        self.before_save()
        self.writer.write(
            state.step, state.tensors(), state.numbers(), best=state.step if state.stale == 0 and state.best else None
        )
        self.saved_at, self.saved_at_position = time.monotonic(), (state.step, state.epoch)


class Overdue(BaseException):
    """Raised inside a computation that goes on for too long after Ctrl-C."""


@dataclass(slots=True)
class Stop:
    """Whether somebody asked for the end."""

    asked: bool = False

    def settle(self) -> None:
        """Nothing is computed any more: what is saved now may take its time."""
        if threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM ask for the end at the next event, or at most `GRACE` seconds later; a second one stops at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise Interrupted(
                "stopped at once: the run is as its last checkpoint left it; go on with `dressage resume`"
            )
        stop.asked = True
        signal.setitimer(signal.ITIMER_REAL, GRACE)

    def overdue(number: int, frame: FrameType | None) -> None:
        raise Overdue

    handled = {signal.SIGINT: ask, signal.SIGTERM: ask, signal.SIGALRM: overdue}
    found = {number: signal.signal(number, handler) for number, handler in handled.items()}
    try:
        yield stop
    finally:
        stop.settle()
        for number, handler in found.items():
            signal.signal(number, handler)
