"""What a Gaussian process of the trials so far promises, against scikit-learn's and an independent statement in NumPy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

import dressage
from dressage.search import choice, go_on, load_search, log, sample, uniform
from dressage.search.account import Stage
from dressage.search.by_gp import OF, Seen, _evidence, _fitted, _mean, _normal_scores, promising
from dressage.search.edits import Point
from dressage.search.events import TrialEvent
from dressage.search.page import stage_words
from dressage.search.space import Space

SPACE: Space = {"optim.lr": log(1e-5, 1.0), "regularize.weight_decay": log(1e-6, 1.0)}
LR, DECAY = SPACE


def ridge(point: Point) -> float:
    """Best along a slanted line, which no box is narrowed to."""
    a, b = (SPACE[path].unit(point[path]) for path in (LR, DECAY))
    return -abs(a + b - 1) - 0.2 * abs(a - 0.6)


def seen_of(points: list[Point]) -> list[Seen]:
    return [Seen(point, 0, ridge(point)) for point in points]


def test_mean_and_evidence_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    x, at, z = random.random((25, 3)), random.random((40, 3)), random.normal(size=25)
    lengths, noise = np.array([0.2, 0.8, 1.6]), 0.1
    kernel = ConstantKernel(1 - noise) * Matern(lengths, nu=2.5) + WhiteKernel(noise)
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(x, z)
    np.testing.assert_allclose(_mean(x, z, at, lengths, noise), theirs.predict(at), atol=1e-8)
    constant = 25 / 2 * math.log(2 * math.pi)
    assert _evidence(x, z, lengths, noise) - constant == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-7)


def test_the_lengths_are_found_again() -> None:
    """Of a function of one column alone the others have the longest ones."""
    random = np.random.default_rng(1)
    x = random.random((60, 3))
    lengths, noise = _fitted(x, _normal_scores(list(np.sin(6 * x[:, 1]))))
    assert lengths[1] < 1 <= min(lengths[0], lengths[2]) and noise <= 0.03
    flat = np.column_stack([x[:, :1], np.zeros(60)])  # a column without spread tells nothing: all is near along it
    assert _fitted(flat, _normal_scores(list(x[:, 0])))[0][1] == 3.2


def test_normal_scores_are_quantiles_of_places() -> None:
    from scipy.stats import norm, rankdata

    scores = [0.3, None, 0.9, 0.3, -math.inf, 0.5]
    ranks = rankdata([-math.inf if s is None else s for s in scores], method="ordinal")
    z = norm.ppf((ranks - 0.5) / 6)
    for same in ((0, 3), (1, 4)):  # equals have their mean
        z[list(same)] = z[list(same)].mean()
    np.testing.assert_allclose(_normal_scores(scores), (z - z.mean()) / z.std(), atol=1e-9)


def test_what_is_promised_is_better_than_even_points() -> None:
    gains = []
    for seed in range(8):
        seen = seen_of(sample(SPACE, "sobol", 24, seed))
        candidates = sample(SPACE, "sobol", 8 * OF, seed, 1)
        chosen = promising([SPACE, SPACE], seen, candidates, 8)
        assert all(point in candidates for point in chosen) and len({tuple(p.values()) for p in chosen}) == 8
        gains.append(np.mean([ridge(p) for p in chosen]) - np.mean([ridge(p) for p in candidates[:8]]))
        first = [ridge(point) for point in chosen]
        assert np.mean(first[:4]) >= np.mean(first[4:]) - 0.1  # the most promising first
    assert min(gains) > 0.1


def test_it_depends_neither_on_the_order_of_trials_nor_on_what_is_worse_than_bad() -> None:
    seen, candidates = seen_of(sample(SPACE, "sobol", 24, 3)), sample(SPACE, "sobol", 32, 3, 1)
    chosen = promising([SPACE, SPACE], seen, candidates, 8)
    assert promising([SPACE, SPACE], seen[::-1], candidates, 8) == chosen
    scaled = [
        Seen(s.point, 0, None if s.score == min(t.score or 0 for t in seen) else 7 * (s.score or 0) - 3) for s in seen
    ]
    assert promising([SPACE, SPACE], scaled, candidates, 8) == chosen  # the order of scores is all that counts


def test_too_little_to_learn_from_leaves_even_points() -> None:
    candidates = sample(SPACE, "sobol", 32, 0, 1)
    few = seen_of(sample(SPACE, "sobol", 5, 0))
    alike = [Seen(s.point, 0, 0.1) for s in seen_of(sample(SPACE, "sobol", 24, 0))]
    for seen in (few, alike, []):
        assert promising([SPACE, SPACE], seen, candidates, 8) == candidates[:8]


def test_choices_conditions_and_ranges_that_moved() -> None:
    first: Space = {
        LR: log(1e-4, 1e-1),
        "optim.name": choice("adamw", "momentum", "sgd"),
        "optim.momentum": uniform(0.5, 0.99, when=("optim.name", "momentum")),
    }
    later = {**first, LR: log(1e-2, 1.0), "optim.name": choice("adamw", "momentum")}
    points = sample(first, "sobol", 24, 0)
    seen = [Seen(p, 0, (p["optim.name"] == "momentum") + 0.1 * math.log10(float(p[LR]))) for p in points]
    candidates = sample(later, "sobol", 32, 0, 1)
    chosen = promising([first, later], seen, candidates, 8)
    assert [p["optim.name"] for p in chosen] == ["momentum"] * 8
    assert np.mean([math.log(float(p[LR])) for p in chosen]) > np.mean([math.log(float(p[LR])) for p in candidates])


class Stopped(Exception):
    """By a consumer of events."""


def test_stopped_anywhere_a_search_takes_the_same_course(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "space": {LR: "log:1e-4:1", DECAY: "log:1e-6:1"},
        "recipe": {"train": {"batch_size": 32}},
        "stages": "8x1,6x2,3x3",
        "halving": "none",
        "finalists": 2,
        "repeats": 2,
        "jobs": 1,
    }
    whole = dressage.search("iris", **asked, out=tmp_path / "whole")
    assert whole.asked.sampler == "gp"
    drawn = [dict(r.trial.edit) for r in whole.results]
    even = dressage.search("iris", **asked, sampler="sobol", out=tmp_path / "even")
    assert drawn[:8] == [dict(r.trial.edit) for r in even.results][:8] and drawn != [
        dict(r.trial.edit) for r in even.results
    ]
    for count in (3, 6, 4):
        heard: list[object] = []

        def look(event: object, heard: list[object] = heard, count: int = count) -> None:
            heard.append(event) if isinstance(event, TrialEvent) else None
            if len(heard) == count:
                raise Stopped

        with pytest.raises(Stopped):
            dressage.search("iris", **asked, out=tmp_path / "again", on_event=look)
    found = go_on(tmp_path / "again", jobs=1)
    for other in (found, load_search(tmp_path / "again")):
        assert [dict(r.trial.edit) for r in other.results] == drawn
        assert [r.score for r in other.results] == [r.score for r in whole.results] and other.verdict == whole.verdict


def test_the_page_says_how_points_were_drawn() -> None:
    """The first points are Sobol's, since there is nothing to learn from yet."""
    first = Stage(0, SPACE, "gp", 24, 3)
    assert stage_words(first) == "24 trials by sobol sampling, 3 epochs each"
    assert stage_words(replace(first, number=1, trials=8, epochs=1)) == "8 trials by gp sampling, 1 epoch each"
