"""Short trainings of a recipe with something changed, held against each other row by row on the validation part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dressage.assess import load_best
from dressage.clock import work_seconds
from dressage.errors import DressageError
from dressage.examine import subject_of_job
from dressage.fit import EndEvent, fit
from dressage.fit.validate import outputs_of
from dressage.ground import Ground
from dressage.objective.several import Several
from dressage.preflight.known import baselines_of
from dressage.prepare import Job, threads_kept
from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.repair.suspects import Remedy
from dressage.stopping import Overdue, Stop
from dressage.store.checkpoint import newest, read_checkpoint
from dressage.subject import outputs_of as answers_of

POINTS = 0.02
"""Of the score, by which simple models have to be better before a training counts as behind them."""
BASELINE_SECONDS = 8.0
SPARED = 0.02
"""Of the worth of a row: what a remedy has to gain on one that changes only a part of it."""
SUPPORTED = 0.05
"""The same on the remedy of a cause that was found: short trials favour whatever learns fast."""
OVER = 1.5
"""Times its steps, after which a trial is broken off in the middle of an epoch."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a short training."""

    remedy: Remedy | None
    """None: the recipe as it was."""
    steps: int
    worth: Tensor | None
    """`(N,)` of each validation row, 1 at best; None where it diverged or could not be tried."""

    @property
    def mean(self) -> float:
        """Of the rows; −∞ where there is none."""
        return -math.inf if self.worth is None else float(self.worth.mean())


def try_out(ground: Ground, written: Recipe, remedy: Remedy | None, steps: int, stop: Stop) -> Trial:
    """Trains for about so many steps, its schedule and all, and judges the best weights. Raises Overdue when asked to stop."""
    changed = written if remedy is None else edited(written, remedy.edit)
    try:
        whole = ground.whole(changed)
        epochs = max(1, min(whole.train.epochs, round(steps / ground.steps_an_epoch(whole))))
        job = ground.job(edited(changed, {"train.epochs": epochs}))
    except DressageError:
        return Trial(remedy, 0, None)
    with threads_kept(int(job.recipe.train.threads)):
        end = _trained(job, int(OVER * steps), stop)
    sound = end != "nonfinite" and job.state.is_finite()
    worth = worth_of_rows(job) if sound else None
    return Trial(remedy, job.state.step, worth if worth is not None and bool(worth.isfinite().all()) else None)


def better(trials: Sequence[Trial], *, surely: bool) -> Trial | None:
    """Of the trials that beat the first, the recipe as it was, the earliest than which no other is clearly better.

    `surely`: it has to be better than the first beyond noise.
    """
    control, tried = trials[0], trials[1:]
    for trial in tried:
        helps = trial.mean > control.mean + (_noise(trial, control) if surely else 0.0)
        if helps and all(other.mean - trial.mean <= _allowed(trial, other) for other in tried):
            return trial
    return None


def worth_of_rows(job: Job) -> Tensor:
    """`(N,)` float64: of each validation row, 1 − ½‖p − t‖² (Brier), or 1 − (z − y)² / var(y) in a regression.

    Of several targets the mean of theirs.
    """
    load_best(job.state)
    part, objective = job.parts["validation"], job.plan.objective
    outputs, y = outputs_of(job.state.judged, part, job.plan).double().cpu(), part.targets.cpu()
    if isinstance(objective, Several):
        each = [_worth(*one.of(outputs, y), one.goal.classes > 0) for one in objective.parts]
        return torch.stack(each).mean(0)
    return _worth(outputs, y, job.source.task == "classification")


def _worth(outputs: Tensor, y: Tensor, has_classes: bool) -> Tensor:
    if has_classes:
        wanted = torch.nn.functional.one_hot(y, outputs.shape[1]).double()
        return 1 - 0.5 * (outputs.softmax(1) - wanted).square().sum(1)
    wrong = (outputs - y.double().reshape(outputs.shape)).square().mean(1)
    return 1 - wrong / y.double().var(0).mean().clamp_min(1e-12)


def behind(ground: Ground, written: Recipe, folder: Path) -> str:
    """By how much simple models, fitted on the same rows, do better on validation rows; empty where they do not."""
    job = ground.job(written)
    step, _ = newest(folder)
    if step is None:
        return ""
    saved = read_checkpoint(folder, step)
    job.state.load(saved.tensors, saved.state)
    load_best(job.state)
    subject = subject_of_job(job)
    known = baselines_of(subject, work_seconds() + BASELINE_SECONDS)
    rows = subject.validation
    if known is None or rows is None or not known.tells or known.best.name not in known.validation_outputs:
        return ""
    theirs = torch.from_numpy(known.validation_outputs[known.best.name])
    y = torch.from_numpy(known.validation_targets)
    ours = answers_of(job.state.judged, rows.x[torch.from_numpy(known.validation_rows)]).double().cpu()
    if job.source.task == "classification":
        labels = torch.from_numpy(known.classes)[theirs.argmax(1)]
        truth = rows.y[torch.from_numpy(known.validation_rows)]
        gains = (labels == truth).double() - (ours.argmax(1) == truth).double()
    else:
        spread = y.var(0).mean().clamp_min(1e-12)
        gains = ((ours.reshape(y.shape) - y).square() - (theirs - y).square()).mean(1) / spread
    lag, error = float(gains.mean()), float(gains.std()) / math.sqrt(len(gains))
    if not lag > max(POINTS, 2 * error):
        return ""
    return f"{known.best.name}, fitted on the same rows, is {lag:.3f} better on {len(gains)} validation rows"


def _trained(job: Job, most: int, stop: Stop) -> str:
    """How it ended."""
    torch.set_num_threads(job.recipe.train.threads)
    with closing(fit(job.state, job.batches, job.plan, job.parts["validation"])) as events:
        while (event := stop.next(events)) is not None:
            if stop.asked:
                raise Overdue
            if isinstance(event, EndEvent):
                return event.reason
            if job.state.step >= most:
                return "steps"
    return "steps"


def _allowed(trial: Trial, other: Trial) -> float:
    """By how much another may be better without being preferred: one that changes more, by more."""
    noise = _noise(trial, other)
    if trial.remedy is None or other.remedy is None or not set(trial.remedy.edit) < set(other.remedy.edit):
        return noise
    return max(noise, SUPPORTED if trial.remedy.finding else SPARED)


def _noise(a: Trial, b: Trial) -> float:
    """Standard error of the difference of two trials, row by row."""
    if a.worth is None or b.worth is None:
        return 0.0
    difference = a.worth - b.worth
    return float(difference.std()) / math.sqrt(len(difference))
