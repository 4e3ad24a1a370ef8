"""Who carries out the trials of a search: this process, as many as fit, or a cluster; and whether many are worth their start."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dressage.data.npz import available_memory
from dressage.errors import UsageError
from dressage.models.foreign import Made, spec_of
from dressage.search.conduct import Carry
from dressage.search.events import ToldEvent
from dressage.search.groups import Group
from dressage.search.on_ray import check_address, on_ray
from dressage.search.terms import require_counts
from dressage.search.time_left import TimeLeft
from dressage.search.together import carry_out
from dressage.search.trial import Result
from dressage.search.work import Bench
from dressage.search.workers import Processes, interrupted
from dressage.stopping import Stop, signals

BASE = 500 << 20
"""Bytes of a process with everything imported."""
CROWD = 2
"""Processes a core that are started where they are asked for: more would only wait for each other."""
START = 5.0
"""Seconds that a process takes to import, to open the data and to make its first network; 4.5 were measured."""
WORTH = 2.0
"""Times its start that a process has to save."""
WAITS = (
    "waiting for a step to end, so that nothing is lost; Ctrl-C once more gives up what came since the last checkpoint"
)
SOON = 1.0
"""Seconds of training from which its pace is known."""


def check_hands(jobs: int, on: str, data: str | None, model: Made | None) -> None:
    """Raises UsageError for fewer processes than none, for a cluster where nobody answers or that cannot open the data or make the
    network; MissingPackage.
    """
    require_counts({"jobs": jobs}, least=0)
    if on:
        _require_shared(on, data, model)
        check_address(on)


def _is_own(data: str | None, model: Made | None) -> bool:
    """Whether another process could not open the data or make the network by itself."""
    return data is None or (model is not None and spec_of(model) is None)


def _require_shared(on: str, data: str | None, model: Made | None) -> None:
    if _is_own(data, model):
        found = "the data or the network was given from Python"
        repair = "give a path, and a network as FILE.py:Name on the command line"
        raise UsageError.of(f"--on {on}", found, "expected what every node can open by itself", repair)


@contextmanager
def hands(bench: Bench, model: Made | None, jobs: int, on: str, left: TimeLeft) -> Iterator[tuple[Carry, int]]:
    """Who carries out the trials, processes or a cluster where they can open the data and make the network themselves.

    And for how many at once they are grouped: on one machine for those that fit it, however many there are. `left`: what
    knows how long the search takes yet.
    """
    spec, alone = spec_of(model), _is_own(bench.asked.data, model)
    with signals(bench.place.path, waits=lambda: bench.tell(ToldEvent([WAITS]))) as stop:
        if on:
            _require_shared(on, bench.asked.data, model)
            with on_ray(bench, stop, on, spec) as cluster:
                yield cluster
            return
        fitting = 1 if alone else how_many(bench)
        count = min(jobs, 1 if alone else most(bench)) or fitting
        if 1 < count < jobs:
            bench.tell(ToldEvent([f"{count} processes in place of {jobs:,}: more do not fit this machine"]))
        if count == 1:
            yield here(bench, stop), fitting
            return
        with Processes(bench, stop, count, spec, (lambda: True) if jobs else lambda: pay(left, count)) as processes:
            yield processes.carry, fitting


def pay(left: TimeLeft, count: int) -> bool:
    """Whether so many processes save more than they take to start, at the pace of the trials so far."""
    spent, seconds = left.spent(), left.seconds()
    if math.isnan(seconds):  # the first epoch of all is not over yet
        return spent > START
    return spent > SOON and seconds * (1 - 1 / count) > WORTH * START


def how_many(bench: Bench) -> int:
    """Processes that fit: by cores and by memory; one on a device that they would share."""
    if str(bench.asked.form.get("train.device", "cpu")) != "cpu":
        return 1
    return max(1, min(_cores() // max(1, int(bench.asked.form["train.threads"])), _room(bench)))


def most(bench: Bench) -> int:
    """Processes that are started where they are asked for, at most."""
    return max(1, min(CROWD * _cores(), _room(bench)))


def here(bench: Bench, stop: Stop) -> Carry:
    """Carries out trials in this process, one after the other."""

    def carry(groups: Sequence[Group], may_begin: Callable[[], bool]) -> Iterator[Result]:
        for group in groups:
            if not may_begin():
                return
            found = carry_out(bench, group, stop)
            yield from found
            if len(found) < len(group):
                raise interrupted(bench.place)

    return carry


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _room(bench: Bench) -> int:
    """Processes that the memory has room for."""
    return available_memory() // (BASE + 3 * int(bench.ground.source.x.nbytes))
