"""Which trials of a rung are carried out as one computation, and how many at once: as many as was measured to be fastest here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dressage.errors import DataError, RecipeError
from dressage.files import to_json
from dressage.fit.population import Pace, kin, misfit
from dressage.fit.population.epoch import LOOK
from dressage.measured import pace_of
from dressage.prepare import threads_kept
from dressage.search.events import ToldEvent
from dressage.search.together import member_of
from dressage.search.work import Bench, Task

Group = list[Task]
MEMBERS = 64
"""At most: more are hardly faster, and lose more together when a process dies."""
OWN = frozenset(
    {
        "optim.lr",
        "optim.momentum",
        "optim.clip_norm",
        "optim.clip_value",
        "regularize.weight_decay",
        "regularize.dropout",
        "loss.label_smoothing",
        "schedule.name",
        "schedule.warmup",
    }
)
"""What each member of a population may have its own of."""
SHORT = 2.0
"""Seconds, roughly, of all trials of a kind; where they take less, measuring costs more than it can save."""
CALLS, RATE = 1e-4, 3e10
"""Seconds of a step that does nothing, and multiplications a second: rough, to see what is short."""
WAIT = 1.0
"""Seconds between two looks at the losses: somebody who asks for the end waits so long."""
SHARE = 0.05
"""Of the budget that a group may take: none is begun after it."""


def grouped(bench: Bench, tasks: Sequence[Task], workers: int = 1) -> list[Group]:
    """The tasks in groups, each for one worker; the rest one by one. What was measured is told."""
    kinds: dict[str, list[Task]] = {}
    for task in tasks:
        kinds.setdefault(_kind(bench, task), []).append(task)
    groups: list[Group] = []
    for kind in kinds.values():
        groups += _cut(kind, _size(bench, kind, workers), workers)
    return sorted(groups, key=lambda group: tasks.index(group[0]))


def _kind(bench: Bench, task: Task) -> str:
    """The same for trials that differ only in what members of a population may differ in."""
    trial, known = task.trial, bench.place.result(task.trial)
    edit = {path: value for path, value in trial.edit.items() if path not in OWN}
    rows = bench.asked.plan[trial.stage].rows
    return to_json([rows, trial.epochs, task.epoch, 0 if known is None else known.epoch, edit])


def _size(bench: Bench, tasks: Sequence[Task], workers: int) -> int:
    """How many at once; 1: each alone."""
    if len(tasks) < 2:
        return 1
    try:
        others = [task for task in tasks[1:] if task.trial.seed != tasks[0].trial.seed]
        members = [member_of(bench, task) for task in (tasks[0], *others[: MEMBERS - 1])]
    except (RecipeError, DataError):  # which is told where it is carried out
        return 1
    steps = members[0].batches.steps_per_epoch
    size = sum(weights.numel() for weights in members[0].state.weights)
    step = CALLS + 3 * size * members[0].batches.bounds[1] / RATE
    if step * steps * sum(task.epoch for task in tasks) < SHORT:
        return 1
    if reason := misfit(members[0]):
        bench.tell(ToldEvent([f"each training alone: {reason}"]))
        return 1
    own = kin(members[0])
    members = [member for member in members if not misfit(member) and kin(member) == own]
    try:
        with threads_kept(int(bench.asked.form["train.threads"])):
            pace = pace_of(members, min(MEMBERS, len(tasks)))
    except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:  # each alone tells whose fault it is
        bench.tell(ToldEvent([f"each training alone: {(str(error).splitlines() or [repr(error)])[0]}"]))
        return 1
    most = _most(pace, steps, tasks[0].epoch, bench.asked.budget)
    pace = replace(pace, together={k: s for k, s in pace.together.items() if k <= most})
    size = pace.best(len(tasks), workers)
    bench.tell(ToldEvent([pace.told(size)]))
    return size


def _most(pace: Pace, steps: int, epochs: int, budget: float) -> int:
    """As many as end in their share of a budget, and a few of their steps in time."""
    sizes = [1]
    for size, seconds in pace.together.items():
        whole = size * seconds * steps * epochs
        if size * seconds * LOOK <= WAIT and (not budget or whole <= SHARE * budget):
            sizes.append(size)
    return max(sizes)


def _cut(tasks: Sequence[Task], size: int, workers: int) -> list[Group]:
    """In pieces of nearly the same size and at least that, so that none is left to train alone and workers end together."""
    pieces = max(1, len(tasks) // size)
    if size > 1:
        pieces = min(len(tasks), math.ceil(pieces / workers) * workers)
    ends = [len(tasks) * i // pieces for i in range(pieces + 1)]
    return [list(tasks[a:b]) for a, b in pairwise(ends)]
