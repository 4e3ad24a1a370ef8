"""What each setting mattered: the shares against NumPy and against a function whose shares are known; when nothing is told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dressage.recipe import Recipe
from dressage.search import Moment, Result, Space, Trial, as_space, sample
from dressage.search.edits import as_edit
from dressage.search.importance import SHUFFLES, importance, inputs, order, permuted_shares

SPACE = [
    "optim.lr=log:1e-5:1e-1",
    "regularize.weight_decay=log:1e-6:1",
    "model.activation=choice:relu:tanh:elu",
    "optim.name=choice:adamw:momentum",
    "optim.momentum=uniform:0.5:0.99 if optim.name=momentum",
]


def result(number: int, score: float, edit: dict[str, object], state: str = "done", epoch: int = 5) -> Result:
    return Result(Trial(number, 0, edit, 0, 5), state, epoch, score, 1.0, (Moment(1, 1.0, 1.0, score),))  # type: ignore[arg-type]


def trials(space: Space, n: int, noise: float, seed: int = 0) -> list[Result]:
    """Score u + ½·[elu], u the place of the rate on its logarithmic scale."""
    draw = np.random.default_rng(seed)
    results = []
    for i, point in enumerate(sample(space, "random", n, seed)):
        score = (
            space["optim.lr"].unit(point["optim.lr"])
            + 0.5 * (point["model.activation"] == "elu")
            + noise * draw.normal()
        )
        results.append(result(i, score, as_edit(Recipe(), point)))
    return results


def test_shares_of_a_known_function() -> None:
    space = as_space(SPACE)
    found = importance(space, trials(space, 100, 0.02))
    assert found.paths[:2] == ["optim.lr", "model.activation"] and found.tells and found.explained > 0.9
    shares = {weight.path: weight for weight in found.weights}
    spread = 1 / 12, 0.25 * 2 / 9  # variances of u and of ½·[elu]
    for path, part in zip(("optim.lr", "model.activation"), spread, strict=True):
        assert shares[path].share == pytest.approx(part / sum(spread), abs=0.15)
        assert 0 < shares[path].low < shares[path].share < shares[path].high
    for path in ("regularize.weight_decay", "optim.name", "optim.momentum"):
        assert abs(shares[path].share) < 0.03 and shares[path].low <= 0
    assert "What mattered: optim.lr, model.activation" in found.said
    assert importance(space, trials(space, 100, 0.02)) == found


def test_no_share_is_above_the_whole() -> None:
    """Of few trials that one setting orders, a shuffle may cost more than twice the variance of those left out."""
    space = as_space(["optim.lr=log:1e-5:1e-1"])
    for seed in range(3):
        (weight,) = importance(space, trials_of_one(space, seed)).weights
        assert weight.low <= weight.share <= weight.high <= 1


def trials_of_one(space: Space, seed: int) -> list[Result]:
    points = sample(space, "random", 12, seed)
    return [result(i, space["optim.lr"].unit(p["optim.lr"]), as_edit(Recipe(), p)) for i, p in enumerate(points)]


def test_shares_by_hand() -> None:
    draw = np.random.default_rng(0)
    x, z = draw.random((30, 4)), draw.random(30)
    columns = {"a": [0], "b": [1, 2], "c": [3]}
    got = permuted_shares(lambda t: t[:, 0] + t[:, 1] * t[:, 2], x, z, columns, np.random.default_rng(5))
    again, wanted = np.random.default_rng(5), []
    for own in columns.values():
        worse = []
        for _ in range(SHUFFLES):
            moved = x.copy()
            moved[:, own] = x[again.permutation(30)][:, own]
            worse.append(np.mean((z - moved[:, 0] - moved[:, 1] * moved[:, 2]) ** 2))
        wanted.append((np.mean(worse) - np.mean((z - x[:, 0] - x[:, 1] * x[:, 2]) ** 2)) / (2 * np.var(z)))
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert got[2] == pytest.approx(0, abs=1e-12)


def test_inputs_are_on_their_own_scale() -> None:
    space = as_space(SPACE)
    x, columns = inputs(
        space, [{"optim.lr": 1e-3, "regularize.weight_decay": 1e-6, "model.activation": "tanh", "optim.name": "adamw"}]
    )
    np.testing.assert_allclose(x, [[0.5, 0, 0, 1, 0, 1, 0, -1]], atol=1e-12)
    assert columns == {
        "optim.lr": [0],
        "regularize.weight_decay": [1],
        "model.activation": [2, 3, 4],
        "optim.name": [5, 6],
        "optim.momentum": [7],
    }


def test_order_goes_by_halving_and_then_by_score() -> None:
    results = [
        result(0, 0.9, {}, "paused", 1),
        result(1, 0.1, {}, "stopped", 3),
        result(2, 0.5, {}, "done", 9),
        result(3, 0.5, {}, "done", 9),
        result(4, math.nan, {}),
    ]
    np.testing.assert_allclose(order(results), [0.5, 0.125, 0.875, 0.875, 0.125])


def test_too_few_trials_tell_nothing() -> None:
    space = as_space(SPACE)
    found = importance(space, trials(space, 19, 0.02))
    assert not found.weights and not found.tells and "20 are needed" in found.said
    failed = [result(i, math.nan, {}, "failed") for i in range(50)]
    assert not importance(space, failed).weights
    alike = [result(i, 0.5, as_edit(Recipe(), p)) for i, p in enumerate(sample(space, "random", 30, 0))]
    assert "all trials came out alike" in importance(space, alike).said


def test_noise_is_not_taken_for_importance() -> None:
    space = as_space(SPACE)
    told = [importance(space, noisy, seed) for seed, noisy in enumerate(only_noise(space))]
    assert sum("What mattered" in found.said for found in told) <= 1


def only_noise(space: Space) -> list[list[Result]]:
    draw = np.random.default_rng(3)
    points = [sample(space, "random", 40, seed) for seed in range(3)]
    return [[result(i, draw.normal(), as_edit(Recipe(), p)) for i, p in enumerate(some)] for some in points]
