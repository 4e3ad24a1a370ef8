"""How many trials of how many epochs fit into the time that is left; what is planned is told to the search as its budget."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from dressage.recipe import Recipe
from dressage.search.trial import Result

COARSE_EPOCHS = (5, 4, 3, 2, 1)  # L6, DR10: 1 to 5
ENOUGH = 12  # coarse trials that are worth more than longer ones
MOST, FINEST = 48, 24  # trials of the coarse stage, and of a fine one
FEWEST = 4
LEAST_ROWS = 1000  # of a subset for coarse trials
COARSE, FINE, FINAL, LAST = 0.3, 0.7, 0.4, 0.35
"""Shares of the time: of a coarse stage and of a fine one in what is left then, of the comparison at most, and the
largest that the training in the end may take of the whole budget."""
CARRY = 1.2  # times the steps alone: validation, records
EXAMINED, OPENED, LOOKED = 25.0, 2.0, 2000
"""The training in the end is examined and judged for as long as so many of its steps take, beside so many seconds; at most
the first of these."""
MOST_OWN = 10.0  # seconds that a trial takes beside its epochs at most, whatever was measured
STARTING = 5.0  # seconds until the processes of a search stand ready


@dataclass(frozen=True, slots=True)
class Pace:
    """What an epoch takes, and how many are trained side by side."""

    epoch: float
    """Seconds of an epoch on all training rows."""
    epochs: int
    """Of a whole training."""
    rows: int
    """Training rows."""
    side_by_side: int
    refits: bool
    trial: float = 0.3
    """Seconds of a trial beside its epochs: its folder, its records, its evaluation."""
    examined: float = EXAMINED
    """Seconds of the training in the end beside its epochs."""

    def cost(self, epochs: int) -> float:
        """Seconds of a trial of so many epochs on all rows."""
        return self.trial + self.epoch * epochs

    def after(self, results: Sequence[Result], share: float) -> Pace:
        """As trials on `share` of the rows have shown it: a trial's own seconds, and an epoch's if they are fewer."""
        known = [(r.seconds, r.epoch * share) for r in results if r.counts and r.seconds > 0 and r.epoch]
        if not known:
            return self
        epoch = min(self.epoch, median(seconds / epochs for seconds, epochs in known))
        own = median(seconds - epochs * epoch for seconds, epochs in known)
        return replace(self, epoch=epoch, trial=min(max(own, 0.0), MOST_OWN))

    @property
    def last(self) -> float:
        """Seconds of the training in the end."""
        again = 1.2 if self.refits else 0.0
        return self.epoch * self.epochs * (1 + again) + self.examined


@dataclass(frozen=True, slots=True)
class Size:
    """So many trials of so many epochs on so many rows (0: all), in so many seconds."""

    trials: int
    epochs: int
    rows: int
    seconds: float

    @property
    def stage(self) -> str:
        """As a search takes it."""
        return f"{self.trials}x{self.epochs}" + f"@{self.rows}" * bool(self.rows)


def pace_of(whole: Recipe, rows: int, facts: Mapping[str, Any], jobs: int) -> Pace:
    """From the time of a step, as step 3 has measured it."""
    step_seconds, steps_an_epoch = float(facts["step_seconds"]), int(facts["steps_an_epoch"])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    side = 1 if whole.train.device.startswith(("cuda", "mps")) else jobs or max(1, cores // max(1, whole.train.threads))
    epoch, examined = CARRY * step_seconds * steps_an_epoch, min(EXAMINED, OPENED + LOOKED * step_seconds)
    return Pace(epoch, whole.train.epochs, rows, side, whole.train.refit, examined=examined)


def coarse(pace: Pace, left: float) -> Size:
    """As long as five epochs where a dozen trials of that fit, else shorter, else on fewer rows."""
    seconds = COARSE * left
    usable = max(0.5 * seconds, seconds - STARTING) * pace.side_by_side
    for epochs in COARSE_EPOCHS:
        trials = int(usable / pace.cost(epochs))
        if trials >= ENOUGH or (epochs == 1 and trials >= FEWEST):
            return Size(min(MOST, trials), min(epochs, pace.epochs), 0, seconds)
    rows = max(LEAST_ROWS, int(pace.rows * usable / (FEWEST * 2 * pace.epoch)))
    return Size(FEWEST * 2, 1, rows if rows < pace.rows else 0, seconds)


def fine(pace: Pace, left: float, before: int) -> Size | None:
    """Longer than before, up to whole trainings; None where not even four fit that are."""
    seconds = FINE * left
    usable = max(0.5 * seconds, seconds - STARTING) * pace.side_by_side
    for share in (1.0, 0.5, 1 / 3, 0.25, 0.1):
        epochs = max(1, round(share * pace.epochs))
        trials = int(usable / (pace.trial + pace.epoch * epochs / HALVED))
        wanted = 8 if epochs > before else FEWEST
        if trials >= wanted and epochs >= min(2 * before, pace.epochs):
            return Size(min(FINEST, trials), epochs, 0, seconds)
    return None


HALVED = 2.0  # by so much is a trial shorter on average, since most of them end at a rung


def final(pace: Pace, left: float) -> tuple[int, int, int]:
    """Of the comparison with the recipe as it was: (trainings side by side, it included; epochs; further seeds).

    Whole trainings where two of them fit, else shorter ones.
    """
    usable = max(0.5 * left, left - STARTING) * pace.side_by_side
    for candidates, repeats in ((3, 3), (3, 2), (3, 1), (2, 1), (2, 0)):
        if candidates * (1 + repeats) * pace.cost(pace.epochs) <= usable:
            return candidates, pace.epochs, repeats
    return 2, max(1, min(int((usable / 2 - pace.trial) / pace.epoch), pace.epochs)), 0


def reserved(pace: Pace, left: float) -> float:
    """Seconds that are kept for the comparison from the beginning: three trainings twice, in a share of the time at most."""
    return min(FINAL * left, 6 * pace.cost(pace.epochs) / pace.side_by_side + STARTING)
