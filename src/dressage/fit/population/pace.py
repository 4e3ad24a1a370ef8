"""How many trainings of a kind this machine is fastest with at once: a few steps of each number are timed, never assumed."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from dressage.fit.loop import generators_kept
from dressage.fit.population.member import Member
from dressage.fit.population.network import stands_for
from dressage.fit.population.stack import Stack
from dressage.fit.population.stepper import Stepper
from dressage.fit.state import new_state
from dressage.fit.step import take_step

SIZES = (2, 4, 8, 16, 32, 64)
ROUNDS = 2  # over all numbers, after two of each
ENOUGH = 0.02  # seconds of steps that are timed in a round, and two steps at least
MARGIN = 0.85  # what together has to save of the time: less is not worth that a training fares with others
FEW = 8  # so many are tried whatever comes of it; more while each doubling is worth it
WORTH = 0.93  # of the best pace before
BYTES = 1 << 30  # that the largest stack tried may take


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a step of one training: alone, and by the number of those that take it together."""

    alone: float
    together: Mapping[int, float]

    def best(self, trainings: int, workers: int = 1) -> int:
        """How many are best taken together where so many are to be shared out to workers; 1: each alone."""

        def time(size: int, pace: float) -> float:
            groups = max(1, trainings // size)
            return math.ceil(groups / workers) * math.ceil(trainings / groups) * pace

        fitting = {size: pace for size, pace in self.together.items() if size <= trainings}
        if not fitting:
            return 1
        best = min(fitting, key=lambda size: (time(size, fitting[size]), size))
        return best if time(best, fitting[best]) <= MARGIN * time(1, self.alone) else 1

    def told(self, size: int) -> str:
        """What was measured, as a sentence."""
        if not self.together:
            return "each training alone: several would take too long before they can be stopped"
        ratios = ", ".join(f"{k} {self.alone / pace:.1f}" for k, pace in self.together.items())
        measured = f"times as fast a training, measured here: {ratios}"
        return f"{size} trainings as one computation ({measured})" if size > 1 else f"each training alone ({measured})"


def measure(members: Sequence[Member], most: int) -> Pace:
    """Times steps of copies of trainings of one kin, up to `most` at once; they themselves and the generators stay as they are."""
    size = sum(weights.nbytes for weights in members[0].state.weights)
    with generators_kept(members[0].state.device):
        alone = _alone(_twin(members[0]))
        ways: dict[int, Callable[[int], None]] = {1: alone}
        times: dict[int, list[float]] = {1: []}
        counts: dict[int, int] = {}
        for count in (1, *(s for s in SIZES if s <= most and 8 * s * size <= BYTES)):
            if count > 1:
                ways[count], times[count] = _together([_twin(members[k % len(members)]) for k in range(count)]), []
            ways[count](2)  # a warm-up, in which optimisers make what they keep
            counts[count] = max(2, math.ceil(ENOUGH / max(_timed(ways[count], 1), 1e-6)))
            for n in (1, count, 1, count):
                times[n].append(_timed(ways[n], counts[n]) / counts[n] / n)
            best = min(min(spent) for n, spent in times.items() if n != count) if count > 1 else math.inf
            if count >= FEW and min(times[count]) > WORTH * best:
                break
        for _ in range(ROUNDS):
            for n, way in ways.items():
                times[n].append(_timed(way, counts[n]) / counts[n] / n)
    pace = {n: statistics.median(spent) for n, spent in times.items()}
    return Pace(pace.pop(1), pace)


def _twin(member: Member) -> Member:
    """The same training before its first step, with weights of its own."""
    recipe, old = member.recipe, member.state
    model = copy.deepcopy(old.model)
    stands_for(model, old.model)
    return replace(member, state=new_state(model, recipe, flat=True), validation=None)


def _alone(member: Member) -> Callable[[int], None]:
    def advance(steps: int) -> None:
        while steps:
            for batch in islice(member.batches.epoch(0), steps):
                take_step(member.state, batch, member.plan)
                steps -= 1
            member.state.losses.clear()

    return advance


def _together(members: Sequence[Member]) -> Callable[[int], None]:
    stepper = Stepper(Stack(list(enumerate(members))))
    rates = stepper.rates(0)

    def advance(steps: int) -> None:
        while steps:
            for _ in islice(stepper.steps(0, rates), steps):
                steps -= 1

    return advance


def _timed(way: Callable[[int], None], steps: int) -> float:
    """Seconds of so many steps; of one thread those that it computed, whatever else the machine was doing."""
    on_gpu = torch.cuda.is_available()
    clock = time.perf_counter if on_gpu or torch.get_num_threads() > 1 else time.thread_time
    if on_gpu:
        torch.cuda.synchronize()
    start = clock()
    way(steps)
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start
