"""The consumer of a training that keeps it: curves and checkpoints. What it is given by `fit` it writes down."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from dressage.errors import RunError
from dressage.files import writing
from dressage.fit import EndEvent, EpochEvent, Event, State, StepEvent, fit
from dressage.prepare import Job
from dressage.stopping import Overdue, Stop
from dressage.store.checkpoint import cut_checkpoints, newest, read_checkpoint, require_same, write_checkpoint
from dressage.store.database import Recorder
from dressage.store.folder import RunFolder
from dressage.store.writer import CheckpointWriter


class Watching(Protocol):
    """What judges a training by its events, and may write what it finds."""

    def kept_in(self, recorder: Recorder) -> None: ...

    def __call__(self, event: Event) -> None: ...


COLUMNS = ("loss", "lr")
ORIGIN = "origin"
"""Where a run that went on from another's state keeps that state, so that it can be repeated."""
SNAPSHOTS = "snapshots"
"""Where the snapshots of an ensemble lie, a checkpoint each of the weights alone."""
SHARE = 0.01  # of the time that checkpoints at the end of an epoch may take


def record(
    job: Job,
    folder: RunFolder,
    stop: Stop,
    on_event: Callable[[Event], None] | None = None,
    seconds: float = 0.0,
    watch: Watching | None = None,
    training: Generator[Event] | None = None,
) -> EndEvent | None:
    """Trains to the end and writes the curves and checkpoints on the way; None when a signal ended it, with its state saved.

    `seconds` were trained already, in a run that is resumed. `watch` judges it on the way. `training`: the events of `fit`, of
    which somebody may stop pulling before the end; None then too.
    """
    state = job.state
    with (
        Recorder(folder.path, columns=COLUMNS) as recorder,
        Saver(folder, job.recipe.train.checkpoint_seconds) as saver,
        closing(training or fit(state, job.batches, job.plan, job.parts.get("validation"))) as events,
    ):
        recorder.cut(state.step)
        if watch is not None:
            watch.kept_in(recorder)
        saver.before_save = recorder.flush  # a curve never ends before the checkpoint that goes on with it
        if state.step == 0 and training is None:  # first weights that follow from a seed need not be kept
            saver.save(state)
        began = time.perf_counter() - seconds
        end, before_validation = None, _epoch_done(job)
        try:
            while not stop.asked and (event := stop.next(events)) is not None:
                before_validation = _epoch_done(job)
                if isinstance(event, StepEvent):
                    recorder.step(event.step, (event.loss, event.lr))
                elif isinstance(event, EpochEvent):
                    passed = {"seconds": time.perf_counter() - began}
                    recorder.epoch(event.epoch, event.step, {**event.metrics, "improved": event.improved, **passed})
                    _keep_snapshot(job, folder.path / SNAPSHOTS)
                elif isinstance(event, EndEvent):
                    end = event
                if on_event is not None:
                    on_event(event)
                if watch is not None:
                    watch(event)
                if end is None:
                    saver.after(event, state)
        except Overdue:
            # Inside a step the state is not whole, and the last checkpoint stands; a validation only reads the weights.
            if before_validation is None or state.losses is not before_validation.losses:
                return None
            before_validation.put_back(state)
        if end is not None and end.reason == "nonfinite":
            recorder.cut(state.step)
        saver.save(state)
        return end


def put_back(job: Job, folder: Path) -> list[str]:
    """Loads the newest checkpoint that verifies into the job and removes later ones; says which were damaged."""
    step, damaged = newest(folder)
    if step is None and damaged:
        found = f"no checkpoint can be used ({damaged[0]})"
        raise RunError.of(folder, found, "expected one that verifies", "restore it from a copy, or train anew")
    if step is not None:
        saved = read_checkpoint(folder, step)
        require_same(saved.tensors["model"], job.state.model.state_dict(), folder)
        job.state.load(saved.tensors, saved.state)
        cut_checkpoints(folder, step)
    return [f"passed over a damaged checkpoint: {reason}" for reason in damaged]


def snapshot_epochs(epochs: int, count: int) -> list[int]:
    """The epochs after which one of `count` snapshots is taken: the ends of as many equal stretches, the last at the end."""
    return [-(-epochs * i // count) for i in range(1, count + 1)]


def _keep_snapshot(job: Job, place: Path) -> None:
    """Keeps the weights that are judged now, if they are to be kept."""
    count, state = job.recipe.train.snapshots, job.state
    if state.epoch not in snapshot_epochs(job.recipe.train.epochs, count):
        return
    with writing(place, 0):
        place.mkdir(exist_ok=True)
    write_checkpoint(place, state.step, {"model": state.judged.state_dict()}, {"epoch": state.epoch}, keep=count)


@dataclass(frozen=True, slots=True)
class EpochDone:
    """What a validation may change of the state, as it was before."""

    numbers: dict[str, int | float]
    best: dict[str, Tensor]
    losses: list[Tensor]
    """The very list: whoever moves the weights, puts another in its place or adds to it."""

    def put_back(self, state: State) -> None:
        """Takes back what a validation that was broken off has noted."""
        for name, value in self.numbers.items():
            setattr(state, name, value)
        state.best = self.best


def _epoch_done(job: Job) -> EpochDone | None:
    """The state between the last step of an epoch and its validation; None at every other moment."""
    state = job.state
    return EpochDone(state.numbers(), state.best, state.losses) if state.batch == job.batches.steps_per_epoch else None


def _is_sound(state: State) -> bool:
    """Whether nothing that is not finite was met: what the guard would take back must not be gone on from."""
    return state.is_finite() and (not state.losses or bool(torch.stack(state.losses).isfinite().all()))


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
        if (state.step, state.epoch) == self.saved_at_position or not _is_sound(state):
            return
        began = time.monotonic()
        self.before_save()
        self.spent += self.writer.cost + time.monotonic() - began
        self.writer.write(
            state.step, state.tensors(), state.numbers(), best=state.step if state.stale == 0 and state.best else None
        )
        self.saved_at, self.saved_at_position = time.monotonic(), (state.step, state.epoch)
