"""A search of which the truth is known, as it would be told: for tests of its pictures, its page and its table."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dressage.recipe import Recipe
from dressage.search import Moment, Result, Trial, as_space, judge, narrow, sample
from dressage.search.account import Account, Stage
from dressage.search.edits import as_edit
from dressage.search.trial import ranked

SPACE = [
    "optim.lr=log:1e-6:1e-1",
    "regularize.weight_decay=log:1e-5:10",
    "model.width=integer:16:256:log",
    "model.activation=choice:relu:tanh:elu",
    "optim.name=choice:adamw:momentum",
    "optim.momentum=uniform:0.5:0.99 if optim.name=momentum",
]


def told_search(trials: int = 30, stages: int = 2, seed: int = 0, space: list[str] | None = None) -> Account:
    """Accuracy falls with the square of the rate's distance from 0.01; above 0.04 a trial is stopped."""
    ranges = as_space(space or SPACE)
    draw = np.random.default_rng(seed)
    results: list[Result] = []
    told: list[Stage] = []
    for stage in range(stages):
        own = []
        for point in sample(ranges, "random", trials, seed, stage):
            trial = Trial(len(results) + len(own), stage, as_edit(Recipe(), point), seed, 5)
            own.append(_came(trial, math.log10(float(point.get("optim.lr", 0.01))), draw))
        results += own
        before = Stage(stage, ranges, "random", trials, 5, rows=10_000)
        ranges, lines = narrow(ranges, own)
        told.append(replace(before, told=tuple(lines) if stage + 1 < stages else ()))
    last = [r for r in results if r.trial.stage == stages - 1]
    repeats = {r.trial.number: draw.normal(r.score - 0.01, 0.01, 3).tolist() for r in ranked(last)[:4]}
    return Account(
        "digits-1",
        "digits",
        "accuracy",
        told,
        results,
        judge(last, repeats),
        512.0,
        "finished",
        "dressage train digits",
    )


def _came(trial: Trial, rate: float, draw: np.random.Generator) -> Result:
    if rate > -1.4:
        curve = tuple(Moment(e, 2.3 * 3**e, 2.3 * 3**e, 0.1) for e in range(3))
        return Result(trial, "stopped", 2, 0.1, 20.7, curve, 1.0, "its cost, 20.7, is more than 3 times its first, 2.3")
    score = float(max(0.9 - 0.06 * (rate + 2) ** 2 + 0.01 * draw.normal(), 0.1 + 0.01 * draw.normal()))
    cost = 2.3 * (1 - score)
    curve = tuple(Moment(e, cost + math.exp(-e), cost + math.exp(-e), score * e / 5) for e in range(6))
    return Result(trial, "done", 5, score, curve[-1].cost, curve, 3.2)
