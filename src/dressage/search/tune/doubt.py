"""How far a validation score may be off: by the rows that it was taken on, and by the seed of its training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dressage.data.several import heads_of
from dressage.evaluate.per_row import losses, scores
from dressage.remedies import edited
from dressage.run import Run, answers_of
from dressage.search.trial import Result
from dressage.search.tune.course import Course


def row_scores(c: Course, result: Result) -> Tensor:
    """`(N,)` float64: what each validation row adds to a trial's score, which is their mean. Raises RunError."""
    source, rows = c.ground.source, c.ground.rows["validation"]
    run = Run(Path(result.folder), c.ground.made)
    heads, y = heads_of(source), source.y[rows].reshape(len(rows), -1)
    # What judges a trial while it trains are plain outputs, whatever views the recipe answers new rows by.
    job = replace(run.job, recipe=edited(run.job.recipe, {"evaluate.views": "none"}))
    answers = answers_of(job, run.model, source.x, rows).mean.reshape(len(rows), -1)
    if not source.heads:
        each = scores(answers, y, heads)
        return each + (result.score - each.mean())
    each = -losses(answers, y, heads)  # several targets are judged by their loss, which has units of its own
    return each * (result.score / float(each.mean())) if each.any() else each


def error_of_rows(each: Tensor) -> float:
    """Standard error of a mean over rows, s/√n, and one row's worth at least: all right is not beyond doubt."""
    spread = float(each.std()) if len(each) > 1 else math.inf
    return max(spread / math.sqrt(len(each)), 1 / len(each))


def difference(mine: Sequence[Tensor], other: Sequence[Tensor], noise: float) -> tuple[float, float]:
    """By how much trainings score above others on the same rows, and its standard error.

    √(s_d²/n + s²(1/m + 1/m′)): s_d over the n rows of the difference of the means over the m and the m′ seeds, s the standard
    deviation of one training over seeds (NaN: not known, left out).
    """
    each = torch.stack(list(mine)).mean(0) - torch.stack(list(other)).mean(0)
    seeds = 0.0 if math.isnan(noise) else noise * math.sqrt(1 / len(mine) + 1 / len(other))
    return float(each.mean()), math.hypot(error_of_rows(each), seeds)
