"""Carries trials to an epoch as one computation: each is a run in its folder, and comes to what it would come to alone.

What they show is kept in memory and written where all stand at the end of the same epoch: at the ends of their rungs, or when
`train.checkpoint_seconds` have passed, as a database and a checkpoint for each of them every second would take longer than the
training. First the checkpoints of all, then the results of those that left: whoever is killed in between finds a step at which all
stood, and goes on from there in the same company, in another of which the last bits of each would differ.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from dressage.errors import DataError, DressageError, Interrupted, RecipeError, RunError, UsageError
from dressage.fit import EndEvent, EpochEvent
from dressage.fit.population import Member, MemberEvent, StepsEvent, fit_together, kin, misfit
from dressage.jobfile import write_job
from dressage.prepare import Job, threads_kept
from dressage.record import COLUMNS, Saver, put_back
from dressage.search import work
from dressage.search.events import RunningEvent
from dressage.search.trial import Result
from dressage.search.work import TRAINED, Bench, Course, Task
from dressage.stopping import Overdue, Stop
from dressage.store.checkpoint import cut_checkpoints, newest, steps
from dressage.store.database import Recorder
from dressage.store.folder import RunFolder


@dataclass(slots=True)
class Carried:
    """A trial among others."""

    task: Task
    job: Job
    folder: RunFolder
    course: Course
    seconds: float
    """That it was carried for, up to where it was last heard of."""
    events: list[StepsEvent | EpochEvent] = field(default_factory=list)
    """What is not written yet."""
    heard: int = 0
    """Epochs that it has told of."""
    is_over: bool = False
    """Whether it is trained no further."""
    is_kept: bool = False
    """Whether its result is."""

    @property
    def member(self) -> Member:
        """As `fit_together` takes it."""
        job = self.job
        return Member(job.recipe, job.state, job.batches, job.plan, job.parts["validation"])


def carry_out(bench: Bench, tasks: Sequence[Task], stop: Stop) -> list[Result]:
    """What comes of tasks that one process carries out together; fewer where somebody asked for the end.

    Those that do not fit together are carried out one after the other. Raises UsageError, RunError: what is wrong with the place.
    """
    open_tasks = [task for task in tasks if not work.reached(bench.place.result(task.trial), task.epoch)]
    # Also the last of a group that is left: alone its last bits would be others.
    for family in _families(bench, open_tasks) if len(tasks) > 1 else []:
        with threads_kept(int(bench.asked.form["train.threads"])), ExitStack() as held:
            folders = [_held(bench, task, job, held) for task, job in family]
            _aligned([folder.path for folder in folders])
            carried = [_begun(bench, *each, folder) for each, folder in zip(family, folders, strict=True)]
            standing = [kin(c.member) for c in carried]  # some may have come further before somebody stopped
            for kind in dict.fromkeys(standing):
                alike = [c for c, own in zip(carried, standing, strict=True) if own == kind]
                if not stop.asked:
                    _train(bench, alike, stop)
    return work.carry_out(bench, tasks, stop)  # reads what has come of those, and does the rest


def member_of(bench: Bench, task: Task) -> Member:
    """The training of a trial, from its first weights. Raises RecipeError, DataError."""
    job = work.job_of(bench, task.trial)
    return Member(job.recipe, job.state, job.batches, job.plan, job.parts["validation"])


def _families(bench: Bench, tasks: Sequence[Task]) -> list[list[tuple[Task, Job]]]:
    """Trainings that fit together, before their first step."""
    found: dict[object, list[tuple[Task, Job]]] = {}
    for task in tasks:
        try:
            job = work.job_of(bench, task.trial)
        except (RecipeError, DataError):  # which is told where it is carried out alone
            continue
        member = Member(job.recipe, job.state, job.batches, job.plan, job.parts["validation"])
        if not misfit(member):
            found.setdefault(kin(member), []).append((task, job))
    return list(found.values())


def _held(bench: Bench, task: Task, job: Job, held: ExitStack) -> RunFolder:
    """The folder of a trial, which nobody else writes to while it is held."""
    folder = work.run_folder(bench, task.trial)
    held.enter_context(folder.writing())
    if not (folder.path / "recipe.toml").is_file():
        write_job(folder.path, job, bench.asked.data, own_model=bench.asked.own_model)
    return folder


def _aligned(folders: Sequence[Path]) -> None:
    """Takes those that were saved once more than others, by somebody who was killed then, back to where all stood."""
    stand = [newest(folder)[0] or 0 for folder in folders]
    # Where each stands now, or stood one checkpoint before.
    stood = [{step, *(0, *steps(folder))[-2:-1]} for step, folder in zip(stand, folders, strict=True)]
    common = set.intersection(*stood)
    if common and len(set(stand)) > 1:
        for folder in folders:
            cut_checkpoints(folder, max(common))


def _begun(bench: Bench, task: Task, job: Job, folder: RunFolder) -> Carried:
    """A trial as its folder has it."""
    put_back(job, folder.path)
    known, course = bench.place.result(task.trial), Course.of(job, folder)
    bench.tell(RunningEvent(task.trial, job.state.epoch))
    before = max(course.seconds, 0.0 if known is None else known.seconds)
    return Carried(task, job, folder, course, before, heard=job.state.epoch, is_over=bool(course.reason))


def _train(bench: Bench, carried: Sequence[Carried], stop: Stop) -> None:
    """All of them to the ends of their rungs, or until somebody asks for the end; their results are kept."""
    dropped = {number for number, c in enumerate(carried) if c.is_over}
    heard = saved = time.perf_counter()
    try:

        def hear(number: int, losses: Sequence[float]) -> None:
            course = carried[number].course
            course.take_all(losses)
            if course.reason:
                dropped.add(number)
            if stop.asked:
                dropped.update(range(len(carried)))  # all leave where they stand, between two steps

        with closing(fit_together([c.member for c in carried], dropped, hear)) as events:
            while (told := stop.next(events)) is not None:
                number, event = told
                now, going = time.perf_counter(), [c for c in carried if not c.is_over]
                for c in going:
                    c.seconds += (now - heard) / len(going)
                heard = now
                _hear(bench, carried[number], event)
                if carried[number].is_over:
                    dropped.add(number)
                if _stand_alike(carried, event) and now - saved > carried[number].job.recipe.train.checkpoint_seconds:
                    _save(bench, carried)
                    saved = time.perf_counter()
        _save(bench, carried)
    except Overdue:
        pass  # within a step no state is whole: the last checkpoints stand
    except (UsageError, RunError, Interrupted):
        raise
    except (DressageError, RuntimeError, ValueError, ArithmeticError, MemoryError):
        pass  # each is tried alone, which tells whose fault it is
    for c in carried:
        if not c.is_kept:
            c.folder.mark("interrupted", step=c.job.state.step, epochs=c.job.state.epoch)


def _hear(bench: Bench, c: Carried, event: MemberEvent) -> None:
    if c.is_over:
        return
    if isinstance(event, StepsEvent):
        c.events.append(event)
        c.is_over = bool(c.course.reason)  # it was dropped within the epoch
        return
    c.course(event)
    if isinstance(event, EpochEvent):
        c.heard = event.epoch
        c.events.append(replace(event, metrics={**event.metrics, "seconds": c.seconds}))
        bench.tell(RunningEvent(c.task.trial, event.epoch, *c.course.curve[-1][2:]))
    c.is_over = bool(c.course.reason) or isinstance(event, EndEvent) or event.epoch >= c.task.epoch


def _save(bench: Bench, carried: Sequence[Carried]) -> None:
    """What has come of all: first the checkpoints of each, then the results of those that are over."""
    for c in carried:
        _write(c)
    for c in carried:
        if c.is_over and not c.is_kept:
            c.is_kept = True
            _keep(bench, c)


def _keep(bench: Bench, c: Carried) -> None:
    """The result of one whose curves and checkpoint are written."""
    result = c.course.result(c.task.trial, c.folder)
    if result.state == "done":
        work.evaluation(c.job, result, c.folder)
    c.folder.mark(TRAINED[result.state], step=c.job.state.step, epochs=c.job.state.epoch)
    bench.place.keep(replace(result, seconds=c.seconds))


def _write(c: Carried) -> None:
    """Curves and checkpoint, as far as the trial has come."""
    if not c.events:
        return
    with Recorder(c.folder.path, columns=COLUMNS) as recorder:
        first = next((event.first for event in c.events if isinstance(event, StepsEvent)), 1)
        recorder.cut(first - 1)
        for event in c.events:
            if isinstance(event, StepsEvent):
                for step, pair in enumerate(zip(event.losses, event.rates, strict=True), start=event.first):
                    recorder.step(step, pair)
            else:
                recorder.epoch(event.epoch, event.step, {**event.metrics, "improved": event.improved})
        recorder.cut(c.job.state.step)
    c.events.clear()
    with Saver(c.folder, c.job.recipe.train.checkpoint_seconds) as saver:
        saver.save(c.job.state)


def _stand_alike(carried: Sequence[Carried], event: MemberEvent) -> bool:
    """Whether all that go on stand at the end of an epoch, of which the last of them has just told."""
    return isinstance(event, EpochEvent) and all(c.is_over or c.heard == event.epoch for c in carried)
