"""The course of a search: propose, train by rungs, narrow or widen, repeat the best with other seeds, judge.

All of it follows from what was asked and from the results, in an order of their own: however often a search was interrupted, and
whoever carried out its trials, it takes the same course.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dressage.recipe import Recipe
from dressage.search.asked import Asked, Stage, brackets, joins, planned
from dressage.search.edits import as_edit
from dressage.search.events import KnownEvent, PlanEvent, SearchEvent, StageEvent, ToldEvent, TrialEvent
from dressage.search.folder import SearchFolder, Standing
from dressage.search.found import Search, StageFound
from dressage.search.judge import judge
from dressage.search.proposals import drawn, tried_again
from dressage.search.rungs import promoted
from dressage.search.space import Space, texts_of
from dressage.search.stages import at_edges, narrow
from dressage.search.trial import Result, Trial, ranked
from dressage.search.work import Task, at_epoch, reached

CHUNK = 10
"""Trials that a sampler which learns proposes at once."""
FEWEST = 4
"""Trials that a batch begins whatever the time."""


Group = list[Task]
"""Tasks that one process carries out together."""
Carry = Callable[[Sequence[Group], Callable[[], bool]], Iterator[Result]]
"""Carries out groups in any order, and gives what came of each task; asks before it begins a group whether it may."""


class Unfinished(Exception):
    """There are trials left that nobody carries out."""


@dataclass(slots=True)
class Conduct:
    """A search that is being carried out, or read."""

    asked: Asked
    place: SearchFolder
    whole: Recipe
    carry: Carry
    tell: Callable[[SearchEvent], None]
    standing: Standing
    group: Callable[[Sequence[Task]], list[Group]] = lambda tasks: [[task] for task in tasks]
    """Which tasks are carried out together."""
    stages: list[StageFound] = field(default_factory=list)
    repeats: dict[int, list[Result]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    rows: int = 0
    """Training rows, where the data is open."""

    @property
    def seconds(self) -> float:
        """Of this search so far, in all sittings."""
        return self.standing.seconds + time.monotonic() - self.began

    def found(self, status: str) -> Search:
        """As far as it has come."""
        results = self.stages[-1].results if len(self.stages) == len(self.asked.plan) else []
        scores = {number: [r.score for r in runs] for number, runs in self.repeats.items()}
        verdict = judge(results, scores, self.asked.metric)
        return Search(self.place.path, self.asked, status, self.stages, self.repeats, verdict)


def conduct(c: Conduct) -> Search:
    """Carries a search to its end. Raises Unfinished."""
    c.tell(PlanEvent(planned(c.asked, c.rows), c.rows, max(0.0, c.asked.budget - c.standing.seconds)))
    space, first = c.asked.ranges, 0
    for number, stage in enumerate(c.asked.plan):
        c.tell(StageEvent(number, stage, stage.trials, texts_of(space)))
        results = list(c.stages[-1].results) if joins(c.asked, number) else []
        try:
            _carry_stage(c, number, stage, space, first, results)
        except Unfinished:
            c.stages.append(StageFound(stage, space, results, []))
            raise
        is_last = number == len(c.asked.plan) - 1
        next_space, told = (space, list[str]()) if is_last else narrow(space, results)
        c.stages.append(StageFound(stage, space, results, told))
        c.tell(ToldEvent(told))
        space, first = next_space, first + stage.trials
    _repeat(c, first)
    if (best := c.found("finished").best) is not None:
        told = at_edges([stage.space for stage in c.stages], best)
        c.stages[-1] = replace(c.stages[-1], told=told)
        c.tell(ToldEvent(told))
    return c.found("finished")


def _carry_stage(c: Conduct, number: int, stage: Stage, space: Space, first: int, results: list[Result]) -> None:
    """The trials of a stage, all at once, or in pieces where the sampler learns from what came before; fills `results`.

    Those that are there already are trials of earlier stages, which go on.
    """
    left = stage.trials
    again = tried_again(c.asked, c.stages, stage)
    while left:
        size = min(left, CHUNK) if c.asked.sampler == "optuna" else left
        own = [r for r in results if r.trial.stage == number]
        edits = [again.pop(0) for _ in range(min(len(again), size))]
        if size > len(edits):
            points = drawn(c.asked, c.stages, space, size - len(edits), own)
            edits += [as_edit(c.whole, point) for point in points]
        begin = first + stage.trials - left
        trials = [Trial(begin + i, number, edit, c.asked.seed, stage.epochs) for i, edit in enumerate(edits)]
        _by_rungs(c, trials, results)
        left -= size


def _by_rungs(c: Conduct, trials: Sequence[Trial], results: list[Result]) -> None:
    """Carries trials from rung to rung; at each barrier the best of a bracket go on, of `results` too where they are joined."""
    stage, monitor = trials[0].stage, c.whole.train.monitor
    latest = {r.trial.number: r for r in results} if c.asked.is_joined and c.asked.halving != "hyperband" else {}
    rest = [*(result.trial for result in latest.values()), *trials]
    rungs, live = brackets(c.asked, stage, len(rest)), list[list[Trial]]()
    for bracket in rungs:
        live.append(rest[: bracket[0].trials])
        rest = rest[bracket[0].trials :]
    try:
        for level in range(max(map(len, rungs))):
            ends = [(group, b[level].epochs) for group, b in zip(live, rungs, strict=True) if level < len(b)]
            tasks = [Task(t, epoch) for group, epoch in ends for t in group if not reached(latest.get(t.number), epoch)]
            _batch(c, f"{trials[0].number}.{level}", tasks, latest, _share(c, stage))
            for i, bracket in enumerate(rungs):
                if level + 1 < len(bracket):
                    there = [latest[t.number] for t in live[i] if t.number in latest and latest[t.number].counts]
                    at_rung = [at_epoch(result, bracket[level].epochs, monitor) for result in there]
                    chosen = set(promoted(at_rung, bracket[level + 1].trials))
                    live[i] = [t for t in live[i] if t.number in chosen]
    finally:
        known = {result.trial.number: result for result in results} | latest
        results[:] = [known[number] for number in sorted(known)]


def _batch(c: Conduct, name: str, tasks: Sequence[Task], latest: dict[int, Result], limit: float) -> None:
    """Carries out the tasks between two barriers; `latest` gets what came of each. Raises Unfinished where some are left.

    After `limit` seconds of the search no more are begun.
    """
    if name in c.standing.cut:
        tasks = [task for task in tasks if task.trial.number in c.standing.cut[name]]
    known, left, monitor = list[Result](), list[Task](), c.whole.train.monitor
    for task in tasks:
        result = c.place.result(task.trial)
        if result is not None and reached(result, task.epoch):
            known.append(at_epoch(result, task.epoch, monitor))
        else:
            left.append(task)
    latest |= {result.trial.number: result for result in known}
    if known:
        c.tell(KnownEvent(known, len(tasks)))
    done = len(known)
    purse = _Purse(c, done, limit)
    ends = {task.trial.number: task.epoch for task in left}
    for result in c.carry(_groups(c, name, tasks, left), purse.may_begin) if left else ():
        number = result.trial.number
        latest[number], done = at_epoch(result, ends.pop(number), monitor), done + 1
        if c.asked.budget:
            _stand(c)
        c.tell(TrialEvent(latest[number], done, len(tasks)))
    if ends and not purse.is_empty:
        raise Unfinished
    if ends:
        there = [task.trial.number for task in tasks if task.trial.number not in ends]
        c.standing = replace(c.standing, cut={**c.standing.cut, name: there})
        _stand(c)
        c.tell(ToldEvent([f"the time for this stage is over: {len(ends)} of {len(tasks)} trials are left out"]))


@dataclass(slots=True)
class _Purse:
    """The time that a batch may take."""

    c: Conduct
    begun: int
    limit: float
    is_empty: bool = False

    def may_begin(self) -> bool:
        """Whether one trial more may be begun."""
        self.is_empty = self.is_empty or (self.begun >= FEWEST and self.c.seconds >= self.limit)
        self.begun += not self.is_empty
        return not self.is_empty


def _share(c: Conduct, stage: int) -> float:
    """Seconds after which a stage begins nothing more: the same for each, and for the repeats."""
    parts = len(c.asked.plan) + bool(c.asked.repeats)
    return c.asked.budget * (stage + 1) / parts if c.asked.budget else math.inf


def _repeat(c: Conduct, first: int) -> None:
    """Trains the best of the last stage with other seeds."""
    last = len(c.asked.plan) - 1
    results = c.stages[-1].results
    done = [
        r for r in results if r.epoch == max((r.epoch for r in results if r.counts), default=0) or r.state == "done"
    ]
    finalists = [r.trial for r in ranked(done)[: c.asked.finalists]]
    if not finalists or not c.asked.repeats:
        return
    c.tell(StageEvent(last + 1, None, len(finalists) * c.asked.repeats))
    runs: dict[int, list[Trial]] = {}
    for place, trial in enumerate(finalists):
        numbers = range(first + place * c.asked.repeats, first + (place + 1) * c.asked.repeats)
        seeds = [c.asked.seed + 1 + i for i in range(c.asked.repeats)]
        runs[trial.number] = [Trial(n, last, trial.edit, s, trial.epochs) for n, s in zip(numbers, seeds, strict=True)]
    tasks = [Task(trial, trial.epochs) for i in range(c.asked.repeats) for trial in (own[i] for own in runs.values())]
    latest: dict[int, Result] = {}
    try:
        _batch(c, f"{first}.repeats", tasks, latest, _share(c, last + 1))
    finally:
        for number, own in runs.items():
            c.repeats[number] = [latest[t.number] for t in own if t.number in latest]


def _groups(c: Conduct, name: str, tasks: Sequence[Task], left: Sequence[Task]) -> list[Group]:
    """What is left of the groups of a batch. They are formed once: in another company the last bits of a trial may differ."""
    if name not in c.standing.groups:
        formed = [[task.trial.number for task in group] for group in c.group(tasks)]
        c.standing = replace(c.standing, groups={**c.standing.groups, name: [g for g in formed if len(g) > 1]})
        _stand(c)
    open_tasks = {task.trial.number: task for task in left}
    groups = [[open_tasks.pop(n) for n in group if n in open_tasks] for group in c.standing.groups[name]]
    return [group for group in groups if group] + [[task] for task in open_tasks.values()]


def _stand(c: Conduct) -> None:
    """Keeps how it stands, so that it takes the same course again."""
    c.standing = replace(c.standing, status="running", seconds=c.seconds)
    c.began = time.monotonic()
    c.place.stand(c.standing)
