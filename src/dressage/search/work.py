"""Carries trials to an epoch: each a run in its folder, gone on with from its checkpoint, its result written last."""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor

from dressage.errors import DataError, DressageError, Interrupted, RecipeError, RunError, UsageError, printable
from dressage.evaluate.intervals import estimate, wilson
from dressage.evaluate.words import headline_of
from dressage.files import write_json
from dressage.fit import EndEvent, EpochEvent, Event, StepEvent, fit
from dressage.ground import Ground
from dressage.jobfile import write_job
from dressage.prepare import Job, threads_kept
from dressage.record import put_back, record
from dressage.search.asked import Asked, trial_recipe
from dressage.search.events import RunningEvent, ToldEvent
from dressage.search.folder import SearchFolder
from dressage.search.trial import GROWN, Moment, Result, State, Trial, stop_reason
from dressage.stopping import Stop
from dressage.store.folder import RunFolder
from dressage.store.folder import State as RunState
from dressage.store.reader import read_history

SMOOTH = 8
"""Steps over which a cost is taken: a batch by itself may be odd."""
LOOK = 16
"""Steps between two looks at the cost on a device that has to be waited for."""
TRAINED: dict[State, RunState] = {
    "done": "finished",
    "paused": "interrupted",
    "stopped": "diverged",
    "failed": "failed",
}


class Task(NamedTuple):
    """A trial, and the epoch of its schedule to whose end it is to be carried."""

    trial: Trial
    epoch: int


@dataclass(frozen=True, slots=True)
class Bench:
    """All that trials are carried out with: what was asked, where they are kept, and the data."""

    asked: Asked
    place: SearchFolder
    ground: Ground
    tell: Callable[[RunningEvent | ToldEvent], None] = lambda event: None
    """Hears how the trials that run come along."""


def carry_out(bench: Bench, tasks: Sequence[Task], stop: Stop) -> list[Result]:
    """What comes of tasks that one process carries out together; fewer where somebody asked for the end.

    One after the other. Raises UsageError, RunError: what is wrong with the place and not with a trial.
    """
    found = []
    for task in tasks:
        result = carry_on(bench, task.trial, task.epoch, stop)
        if result is None:
            break
        found.append(result)
    return found


def reached(result: Result | None, epoch: int) -> bool:
    """Whether nothing is left to do for a trial that is to be carried to an epoch."""
    return result is not None and (result.state != "paused" or result.epoch >= epoch)


def carry_on(bench: Bench, trial: Trial, epoch: int, stop: Stop) -> Result | None:
    """One trial, from where it stands; None where somebody asked for the end before."""
    known = bench.place.result(trial)
    if reached(known, epoch):
        return known
    if stop.asked:
        return None
    began, before = time.perf_counter(), 0.0 if known is None else known.seconds
    try:
        job = job_of(bench, trial)
    except (RecipeError, DataError) as error:
        return fail(bench, trial, str(error))
    try:
        with threads_kept(int(job.recipe.train.threads)):
            result = _recorded(bench, trial, job, epoch, stop)
    except (UsageError, RunError, Interrupted):  # the disk, a folder that was changed, a second Ctrl-C
        raise
    except (DressageError, RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
        return fail(bench, trial, f"{type(error).__name__}: {error}")
    if result is None:
        return None
    result = replace(result, seconds=before + time.perf_counter() - began)
    bench.place.keep(result)
    return result


def job_of(bench: Bench, trial: Trial) -> Job:
    """The training of a trial, before its first step. Raises RecipeError, DataError."""
    return bench.ground.job(trial_recipe(bench.asked, trial, bench.asked.plan[trial.stage].rows))


def _recorded(bench: Bench, trial: Trial, job: Job, epoch: int, stop: Stop) -> Result | None:
    """The training of a trial to an epoch; None where somebody asked for the end before."""
    folder = run_folder(bench, trial)
    with folder.writing():
        if not (folder.path / "recipe.toml").is_file():
            write_job(folder.path, job, bench.asked.data, own_model=bench.asked.own_model)
        put_back(job, folder.path)
        course = Course.of(job, folder)
        bench.tell(RunningEvent(trial, job.state.epoch))

        def heard(event: Event) -> None:
            course(event)
            if isinstance(event, EpochEvent):
                bench.tell(RunningEvent(trial, event.epoch, *course.curve[-1][2:]))

        record(job, folder, stop, heard, course.seconds, training=course.until(epoch))
        if not (course.reason or course.is_over or job.state.epoch >= epoch):
            return None
        result = course.result(trial, folder)
        if result.state == "done":
            evaluation(job, result, folder)
        folder.mark(TRAINED[result.state], step=job.state.step, epochs=job.state.epoch)
    return result


@dataclass(slots=True)
class Course:
    """What a trial's training has shown so far; it stops pulling where the rung ends or the cost has grown too much."""

    job: Job
    spread: float
    """Variance of the validation targets in the network's units, which R² is held against."""
    curve: list[Moment] = field(default_factory=list)
    seconds: float = 0.0
    """That were trained before."""
    first: float = math.nan
    """Cost of the first step."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=SMOOTH))
    reason: str = ""
    is_over: bool = False
    """Whether the training itself has come to its end."""

    @classmethod
    def of(cls, job: Job, folder: RunFolder) -> Course:
        """Of a training that stands where its checkpoint left it, with all that it has shown up to there."""
        y = job.parts["validation"].targets.double()
        course = cls(job, float(y.reshape(len(y), -1).var(0, unbiased=False).mean()))
        if job.state.step:
            history = read_history(folder.path)
            for cost in history.columns["loss"][history.steps <= job.state.step].tolist():
                course.take(cost)
            for epoch in history.epochs:
                # By number: a checkpoint between an epoch's last step and its validation is at the step of that epoch's end.
                if epoch["epoch"] <= job.state.epoch:
                    course.curve.append(course.moment(epoch["epoch"], epoch))
                    course.seconds = float(epoch.get("seconds", 0.0))
        return course

    def until(self, epoch: int) -> Generator[Event]:
        """The events of the training to the end of `epoch`."""
        job, every, waiting = self.job, 1 if self.job.state.device.type == "cpu" else LOOK, list[Tensor]()
        with closing(fit(job.state, job.batches, job.plan, job.parts["validation"])) as events:
            while not self.reason and job.state.epoch < epoch:
                event = next(events)
                is_step = isinstance(event, StepEvent)
                if isinstance(event, StepEvent):
                    waiting.append(event.loss)
                if not is_step or job.state.step % every == 0:
                    for loss in waiting:
                        self.take(float(loss))
                    waiting.clear()
                yield event
                if isinstance(event, EndEvent):
                    return

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochEvent):
            self.curve.append(self.moment(event.epoch, event.metrics))
        elif isinstance(event, EndEvent):
            self.is_over = event.reason != "nonfinite"
            self.reason = self.reason or ("" if self.is_over else stop_reason(math.nan, self.first))

    def take(self, cost: float) -> None:
        """The cost of one step more."""
        self.first = (
            cost if math.isnan(self.first) or self.first == 0 else self.first
        )  # 0: of a queue that is empty yet
        self.recent.append(cost)
        if not math.isfinite(cost):
            self.reason = self.reason or stop_reason(cost, self.first)
        elif len(self.recent) == SMOOTH:
            self.reason = self.reason or stop_reason(sum(self.recent) / SMOOTH, self.first)

    def take_all(self, costs: Sequence[float]) -> None:
        """The costs of some steps more."""
        limit = GROWN * self.first
        if all(
            limit >= cost for cost in (*self.recent, *costs)
        ):  # so is each mean of them; not so where one is no number
            self.recent.extend(costs)
            return
        for cost in costs:
            self.take(cost)

    def moment(self, epoch: int, numbers: Mapping[str, Any]) -> Moment:
        """Where it stands after an epoch: accuracy, R² = 1 − mse / variance, or −loss of several targets."""
        objective, plan = self.job.plan.objective, self.job.plan
        value = float(numbers[f"val_{objective.metric}"])
        if objective.metric == "rmse":
            value = 1 - (value / plan.unit) ** 2 / self.spread if self.spread else math.nan
        elif not objective.higher_is_better:
            value = -value
        return Moment(epoch, float(numbers["train_loss"]), float(numbers["val_loss"]), value)

    def result(self, trial: Trial, folder: RunFolder) -> Result:
        """What has come of it."""
        is_done = self.is_over or len(self.curve) >= trial.epochs
        state: State = "stopped" if self.reason else "done" if is_done else "paused"
        score, cost = _kept(self.curve, self.job.plan.monitor)
        return Result(trial, state, len(self.curve), score, cost, tuple(self.curve), 0.0, self.reason, str(folder.path))


def at_epoch(result: Result, epoch: int, monitor: str) -> Result:
    """The result as it was at the end of a rung, of a trial that has gone on since."""
    if result.epoch <= epoch:
        return result
    curve = tuple(m for m in result.curve if m.epoch <= epoch)
    score, cost = _kept(curve, monitor)
    return replace(result, state="paused", epoch=epoch, score=score, cost=cost, curve=curve, reason="")


def _kept(curve: Sequence[Moment], monitor: str) -> tuple[float, float]:
    """Score and cost of the weights that are kept: of the lowest validation loss or the highest score, the earlier of equals."""
    sound = [m for m in curve if math.isfinite(m.cost) and math.isfinite(m.score)]
    if not sound:
        return math.nan, math.nan
    best = min(sound, key=(lambda m: m.cost) if monitor == "loss" else (lambda m: -m.score))
    return best.score, best.cost


def run_folder(bench: Bench, trial: Trial) -> RunFolder:
    """The folder of a trial's run; one that was killed while it was laid down is made anew."""
    path = bench.place.trial(trial.number)
    if (path / "recipe.toml").is_file():
        return RunFolder.open(path)
    shutil.rmtree(path, ignore_errors=True)
    return RunFolder.create(path)


def fail(bench: Bench, trial: Trial, reason: str) -> Result:
    """Keeps that a trial could not be trained, and why."""
    folder = str(bench.place.trial(trial.number))
    result = Result(trial, "failed", 0, math.nan, math.nan, reason=printable(reason), folder=folder)
    bench.place.keep(result)
    return result


def evaluation(job: Job, result: Result, folder: RunFolder) -> None:
    """What `dressage runs` and `show` read. Nothing is computed anew, and the test part is not looked at."""
    task, n = job.source.task, len(job.parts["validation"])
    if task == "multi":
        return
    name = headline_of({"task": task})
    ends = (math.nan, math.nan) if task == "regression" else wilson(round(result.score * n), n)
    judged = {"part": "validation", "task": task, "n": n, "nonfinite": 0, "headline": name}
    write_json(
        folder.path / "evaluation.json", {"validation": {**judged, "metrics": {name: estimate(result.score, *ends)}}}
    )
