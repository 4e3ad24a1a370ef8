"""From which state of the first training the mended one goes on: where the fault struck in its middle, what came before is good."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from dressage.jobfile import write_job
from dressage.prepare import Job
from dressage.record import ORIGIN
from dressage.run import Run
from dressage.store.checkpoint import read_checkpoint, steps, write_checkpoint
from dressage.store.database import Recorder
from dressage.store.folder import RunFolder

KEEPING = ("optim.lr", "optim.clip_norm", "optim.momentum", "optim.beta", "schedule.", "train.epochs", "train.patience")
"""Values that can change while network, optimiser and its memory stay."""
GONE = 0.01
"""Share of the highest rate, below which a training stands still."""
GOOD = 0.8
"""Share of the first loss, and of the last, that a loss must have come to for its state to be worth going on from."""
EARLY = 0.05
"""Share of the steps before which a state is hardly worth more than a new start."""


@dataclass(frozen=True, slots=True)
class Good:
    """A checkpoint of the first training, and the step that it counts as in the one that goes on from it."""

    checkpoint: int
    step: int
    why: str


def last_good(run: Run, cause: str, changed: Collection[str], planned: int) -> Good | None:
    """The last state before the harm; None: the fault was there from the first step, or no such state was kept.

    Nor is one that a training of `planned` steps comes to so early that a new start costs hardly more.
    """
    if not all(path.startswith(KEEPING) for path in changed):
        return None
    good = _before_harm(run, cause)
    return None if good is None or good.step < EARLY * planned else good


def _before_harm(run: Run, cause: str) -> Good | None:
    there = [step for step in steps(run.folder) if step > 0]
    if not there:
        return None
    if cause == "optim.too_few_epochs":
        return Good(there[-1], there[-1], "it was still learning when it ended")
    history = run.history
    if not len(history.steps):
        return None
    if cause == "optim.schedule_collapsed":
        rates = history.columns["lr"]
        gone = np.flatnonzero((rates < GONE * rates.max()) & (history.steps > history.steps[rates.argmax()]))
        at = int(history.steps[gone[0]]) if len(gone) else there[-1]
        return Good(there[-1], min(at, there[-1]), f"its rate was gone by step {at}, and it stood still from then on")
    if not cause.startswith(("optim.lr_too_high", "optim.exploding", "optim.momentum", "sym.nonfinite")):
        return None
    lowest = _lowest(run)
    before = [step for step in there if step <= lowest]
    return Good(before[-1], before[-1], f"its loss was lowest at step {lowest}") if before else None


def lay_down(place: RunFolder, job: Job, data: object, first: Run, good: Good, *, own_model: bool) -> None:
    """A run folder as if its training had been stopped at that state: `resume` goes on with it."""
    saved = read_checkpoint(first.folder, good.checkpoint)
    state, tensors = {**saved.state, "stale": 0}, saved.tensors
    if good.step != good.checkpoint:  # counted as the beginning of the epoch in which it came to stand still
        epoch = good.step // job.batches.steps_per_epoch
        state |= {"step": epoch * job.batches.steps_per_epoch, "epoch": epoch, "batch": 0}
        tensors = {part: named for part, named in tensors.items() if part != "epoch"}
    state |= {name: 0 for name in ("plateau_stale", "cuts") if name in state}
    step = int(state["step"])
    shutil.copyfile(first.folder / "run.db", place.path / "run.db")
    with Recorder(place.path) as recorder:
        recorder.cut(step)
    for folder in (place.path / ORIGIN, place.path):
        folder.mkdir(exist_ok=True)
        write_checkpoint(folder, step, tensors, state, best=step)
    write_job(place.path, job, data, own_model=own_model)  # last: a folder without it is no run
    place.note(f"goes on from step {good.checkpoint} of {first.folder.name}: {good.why}", step=step)
    place.set_status("interrupted", step=step, epochs=int(state["epoch"]))


def _lowest(run: Run) -> int:
    """The step at which the loss, averaged over a fiftieth of the training, was lowest before it rose; 0 where it did not."""
    losses = run.history.columns["loss"].astype(np.float64)
    window = max(5, len(losses) // 50)
    if len(losses) < 3 * window:
        return 0
    smooth = np.convolve(np.nan_to_num(losses, nan=np.inf), np.ones(window) / window, "valid")
    at = int(np.argmin(smooth))
    fell, rose = smooth[at] < GOOD * losses[0], smooth[at] < GOOD * smooth[-1] or run.status == "diverged"
    return int(run.history.steps[at + window - 1]) if fell and rose else 0
