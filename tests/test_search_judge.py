"""Stages, rungs and the verdict: against independent statements, and on searches whose truth is known."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dressage.errors import RecipeError
from dressage.recipe import Recipe
from dressage.search import Result, Space, Trial, as_space, judge, narrow
from dressage.search.edits import as_edit
from dressage.search.judge import largest_of, pooled, t_point, told
from dressage.search.rungs import Rung, halving, hyperband, promoted, shared
from dressage.search.samplers import sample
from dressage.search.stages import at_edges
from dressage.search.trial import State, best_of, ranked, ranked_by_rung, stop_reason

PLANE = ["optim.lr=log:1e-6:1e-1", "regularize.weight_decay=log:1e-5:10"]


def result(
    number: int, score: float, edit: dict[str, object] | None = None, state: State = "done", cost: float = 1.0
) -> Result:
    return Result(Trial(number, 0, edit or {}, 0, 5), state, 5, score, cost)


def tried(space: Space, n: int, peak: dict[str, float], seed: int = 0) -> list[Result]:
    """Trials whose score falls with the squared distance of the logarithms from a peak."""
    results = []
    for number, point in enumerate(sample(space, "sobol", n, seed)):
        far = sum((math.log10(float(point[path])) - math.log10(at)) ** 2 for path, at in peak.items())
        results.append(result(number, 1 - 0.1 * far, as_edit(Recipe(), point)))
    return results


def test_a_trial_stops_where_its_cost_grows() -> None:
    assert stop_reason(2.3, 2.3) == stop_reason(6.89, 2.3) == ""
    assert "more than 3 times its first, 2.3" in stop_reason(6.91, 2.3)
    assert "not finite" in stop_reason(math.nan, 2.3) and "not finite" in stop_reason(math.inf, 2.3)
    assert stop_reason(5.0, 0.0) == stop_reason(-0.1, -0.5) == ""  # of a cost that may be below 0 there are no 3 times


def test_ranking_leaves_out_what_was_not_trained() -> None:
    results = [
        result(0, 0.5),
        result(1, 0.7, cost=2),
        result(2, 0.9, state="failed"),
        result(3, math.nan),
        result(4, 0.7),
    ]
    assert [r.trial.number for r in ranked(results)] == [4, 1, 0]
    assert best_of(results) is results[4] and best_of([results[2]]) is None
    shuffled = random.Random(0).sample(results, len(results))
    assert promoted(shuffled, 2) == [4, 1]


def test_ranges_narrow_around_a_peak_inside() -> None:
    space = as_space(PLANE)
    narrowed, lines = narrow(space, tried(space, 32, {"optim.lr": 1e-3, "regularize.weight_decay": 1e-2}))
    for path, at in (("optim.lr", 1e-3), ("regularize.weight_decay", 1e-2)):
        range_, before = narrowed[path], space[path]
        assert range_.low < at < range_.high
        assert math.log(range_.high / range_.low) < 0.8 * math.log(before.high / before.low)
    assert all("narrowed from" in line for line in lines)


def test_ranges_narrow_to_the_stated_ends() -> None:
    space = as_space("optim.lr=log:1e-6:1")
    units = np.linspace(0.05, 0.95, 19)
    results = [result(i, 1 - abs(u - 0.5), {"optim.lr": space["optim.lr"].at(u)}) for i, u in enumerate(units)]
    narrowed, _ = narrow(space, results)  # good: the 5 nearest to 0.5, from 0.4 to 0.6
    room = max(0.2 / 4, 1 / 19)
    np.testing.assert_allclose(
        np.log10([narrowed["optim.lr"].low, narrowed["optim.lr"].high]),
        [-6 + 6 * (0.4 - room), -6 + 6 * (0.6 + room)],
        atol=2e-3,
    )


def test_an_edge_widens_and_says_so() -> None:
    space = as_space(PLANE)
    narrowed, lines = narrow(space, tried(space, 64, {"optim.lr": 30, "regularize.weight_decay": 1e-2}))
    assert narrowed["optim.lr"].high == pytest.approx(10**1.5, rel=0.01) and narrowed["optim.lr"].low > 1e-6
    assert lines[0].startswith("optim.lr: WIDENED to") and "high end of 1e-06 … 0.1" in lines[0]
    assert "WIDENED" not in lines[1]
    low, lines = narrow(space, tried(space, 64, {"optim.lr": 1e-9, "regularize.weight_decay": 1e-2}))
    assert low["optim.lr"].low < 1e-6 and "low end" in lines[0]


def test_at_the_end_a_best_value_at_the_edge_of_all_that_was_searched_is_told() -> None:
    wide, narrower = as_space("optim.lr=log:1e-4:1e-1"), as_space("optim.lr=log:1e-3:1e-1")

    def at(lr: float) -> list[str]:
        return at_edges([wide, narrower], replace(result(0, 0.9), trial=Trial(0, 1, {"optim.lr": lr}, 0, 10)))

    (high,) = at(0.08)
    assert "the best, 0.08, lies at the high end of all that was searched, 0.0001 … 0.1" in high
    assert high.endswith("--space optim.lr=log:0.0001:3.16")  # half of three decades more
    assert at(0.02) == [] and at(0.0011) == []  # lower rates were tried in the first stage
    (low,) = at(0.00012)
    assert "low end" in low and low.endswith("--space optim.lr=log:3.16e-06:0.1")
    none = replace(result(0, 0.9), trial=Trial(0, 1, {"regularize.dropout": 0.001}, 0, 10))
    assert at_edges([as_space("regularize.dropout=uniform:0:0.6")], none) == []  # less than none cannot be


def test_an_unimportant_setting_stays_wide() -> None:
    space, kept = as_space(PLANE), []
    for seed in range(20):
        narrowed, lines = narrow(space, tried(space, 32, {"optim.lr": 1e-3}, seed))
        kept.append(
            math.log(narrowed["regularize.weight_decay"].high / narrowed["regularize.weight_decay"].low) / math.log(1e6)
        )
        assert "optim.lr: narrowed" in lines[0]
    assert np.mean(kept) > 0.8


def test_limits_of_the_recipe_hold() -> None:
    space = as_space(
        ["regularize.dropout=uniform:0:0.8", "optim.name.sam.rho=log:0.01:0.1", "model.width=integer:8:64"]
    )
    sam = Recipe.model_validate({"optim": {"name": "sam"}})

    def stage(scores: list[float], points: list[dict[str, float | int]]) -> tuple[Space, list[str]]:
        return narrow(
            space, [result(i, s, as_edit(sam, p)) for i, (s, p) in enumerate(zip(scores, points, strict=True))]
        )  # type: ignore[arg-type]

    units = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98]
    points = [{path: range_.at(u) for path, range_ in space.items()} for u in units]
    high, lines = stage([0, 1, 2, 3, 4, 5], points)  # type: ignore[arg-type]
    assert high["regularize.dropout"].high == pytest.approx(0.9) and high["model.width"].high == 92
    assert high["optim.name.sam.rho"].high == 0.1 and "widen it by hand" in lines[1]
    low, lines = stage([5, 4, 3, 2, 1, 0], points)  # type: ignore[arg-type]
    assert low["regularize.dropout"].low == 0 and "the recipe allows no more" in lines[0]
    assert low["model.width"].low == 1


def test_choices_are_left_out_only_when_tried() -> None:
    space = as_space("model.activation=choice:relu:tanh:elu:selu")
    names = ["relu"] * 4 + ["tanh"] * 4 + ["elu"] * 2
    scores = [0.9, 0.8, 0.85, 0.8, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1]
    results = [result(i, s, {"model.activation": a}) for i, (s, a) in enumerate(zip(scores, names, strict=True))]
    narrowed, lines = narrow(space, results)
    assert narrowed["model.activation"].choices == ("relu", "elu", "selu") and "tanh left out" in lines[0]
    assert narrow(space, results[:3]) == (
        space,
        ["3 of 3 trials count, too few to narrow a range: all stay as they were"],
    )


def test_what_depends_on_a_choice_that_is_left_out_goes_with_it() -> None:
    given = ["optim.name=choice:adamw:momentum:sam", "optim.momentum=uniform:0.5:0.99 if optim.name=momentum"]
    space = as_space([*given, "optim.name.sam.rho=log:0.01:1", "optim.lr=log:1e-4:1"])
    results = []
    for i, point in enumerate(sample(space, "random", 40, 0)):
        score = 0.9 if point["optim.name"] == "sam" else 0.5 if point["optim.name"] == "adamw" else 0.1
        results.append(result(i, score + 1e-3 * i, as_edit(Recipe(), point)))
    narrowed, lines = narrow(space, results)
    assert narrowed["optim.name"].choices == ("sam",) and set(narrowed) == {
        "optim.name",
        "optim.name.sam.rho",
        "optim.lr",
    }
    assert lines[-1].startswith("optim.momentum: no longer searched")
    assert set(sample(narrowed, "sobol", 2, 0)[0]) == set(narrowed)


def test_ends_near_one_keep_their_digits() -> None:
    space = as_space("optim.beta2=uniform:0.99:0.9999")
    units = [0.05, 0.4, 0.5, 0.6, 0.95, 0.2, 0.3, 0.8]
    results = [result(i, 1 - abs(u - 0.5), {"optim.beta2": space["optim.beta2"].at(u)}) for i, u in enumerate(units)]
    range_ = narrow(space, results)[0]["optim.beta2"]
    room = 0.125  # the mean gap between eight trials
    np.testing.assert_allclose(
        [range_.low, range_.high], [0.99 + 0.0099 * (0.4 - room), 0.99 + 0.0099 * (0.6 + room)], atol=1e-5
    )
    top = [result(i, u, {"optim.beta2": space["optim.beta2"].at(u)}) for i, u in enumerate([*units[:4], 0.85])]
    assert narrow(space, top)[0]["optim.beta2"].high == 0.9999


def test_halving_and_hyperband_as_published() -> None:
    assert halving(27, 27) == [Rung(27, 1), Rung(9, 3), Rung(3, 9), Rung(1, 27)]
    assert halving(1, 50) == [Rung(1, 50)] and halving(10, 1) == [Rung(10, 1)]
    table = {  # Li et al. 2018, table 1: R = 81, eta = 3
        4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        3: [(34, 3), (11, 9), (3, 27), (1, 81)],
        2: [(15, 9), (5, 27), (1, 81)],
        1: [(8, 27), (2, 81)],
        0: [(5, 81)],
    }
    for bracket, s in zip(hyperband(81), (4, 3, 2, 1, 0), strict=True):
        assert [(rung.trials, rung.epochs) for rung in bracket] == table[s]


@pytest.mark.parametrize("trials", [1, 2, 7, 20, 100, 999])
@pytest.mark.parametrize("epochs", [1, 5, 30])
def test_brackets_share_all_trials(trials: int, epochs: int) -> None:
    brackets = shared(trials, epochs)
    assert sum(bracket[0].trials for bracket in brackets) == trials
    for bracket in [*brackets, halving(trials, epochs)]:
        assert bracket[-1].epochs == epochs
        assert all(a.trials >= b.trials >= 1 and a.epochs < b.epochs for a, b in pairwise(bracket))


@pytest.mark.parametrize(("trials", "epochs", "eta"), [(0, 5, 3), (5, 0, 3), (5, 5, 1)])
def test_no_trials_no_rungs(trials: int, epochs: int, eta: int) -> None:
    for make in (halving, shared):
        with pytest.raises(RecipeError, match="expected at least"):
            make(trials, epochs, eta)


def test_largest_of_n_normals() -> None:
    known = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi), 100: 2.507593637}
    for n, value in known.items():
        assert largest_of(n) == pytest.approx(value, abs=1e-7)
    drawn = np.random.default_rng(0).standard_normal((20_000, 30)).max(1)
    assert largest_of(30) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(20_000))


def test_noise_is_pooled() -> None:
    groups = [[0.5, 0.52, 0.49], [0.6, 0.61], [0.3]]
    deviations = np.concatenate([np.array(g) - np.mean(g) for g in groups])
    assert pooled(groups) == (pytest.approx(math.sqrt((deviations**2).sum() / 3)), 3)
    assert math.isnan(pooled([[0.1], []])[0])
    assert t_point(0.975, 10) == pytest.approx(2.228138852)


def test_verdict_by_hand() -> None:
    results = [result(0, 0.90), result(1, 0.92), result(2, 0.80), result(3, 0.899), result(4, 0.5)]
    repeats = {0: [0.90, 0.89, 0.91], 1: [0.885, 0.895, 0.89], 2: [0.80, 0.81, 0.79]}
    verdict = judge(results, repeats)
    assert verdict is not None
    noise = math.sqrt((2e-4 + 5e-5 + 2e-4) / 6)
    assert verdict.best.number == 0 and verdict.best.mean == pytest.approx(0.90)
    assert (verdict.noise, verdict.freedom) == (pytest.approx(noise), 6)
    error = noise / math.sqrt(3)  # t of 6 degrees of freedom at 1 - 0.025/3, since three were repeated, and at 97.5 %
    assert (verdict.low, verdict.high) == (pytest.approx(0.9 - 3.287456 * error), pytest.approx(0.9 + 2.446912 * error))
    margin = 2.446911851 * noise * math.sqrt(2 / 3)  # two others were repeated: one-sided 1 - 0.05/2
    assert [s.margin for s in verdict.others if s.number == 1] == [pytest.approx(margin)]
    assert verdict.alike == (3, 1)
    assert "was the mean of its repeats" in told(verdict)[-1]
    assert verdict.excess == pytest.approx(0.0) and verdict.optimism == pytest.approx(largest_of(5) * noise)
    lines = told(verdict)
    assert (
        "Trial 0 is best" in lines[0] and "trial 1 cannot be told" in lines[2] and "Of 2 that ran once, 1" in lines[3]
    )


def test_where_all_runs_score_the_same_neither_luck_nor_worse_is_spoken_of() -> None:
    results = [result(0, 0.9), result(1, 0.9), result(2, 0.8)]
    verdict = judge(results, {0: [0.9, 0.9], 1: [0.9, 0.9]})
    assert verdict is not None and verdict.noise < 1e-12
    assert told(verdict) == [
        "Trial 0 is best: 0.9, the mean of 2 further runs with other seeds.",
        "Runs of one trial with other seeds all scored the same: these rows are too few to show how much one varies.",
        "Trial 1 scored the same.",
        "Whether the one behind is worse is not known.",
        "Its first score, 0.9, was the mean of its repeats.",
    ]


def test_the_interval_of_an_accuracy_lies_within_its_scale() -> None:
    results, repeats = [result(0, 0.96), result(1, 0.95)], {0: [0.96, 0.70]}
    accuracy, r2 = judge(results, repeats, "accuracy"), judge(results, repeats, "r2")
    assert accuracy is not None and r2 is not None and r2.low < 0
    assert (accuracy.low, accuracy.high) == (0.0, 1.0)


def test_where_none_comes_near_the_best_it_is_said_without_two_negatives() -> None:
    far = {0: [0.90, 0.91], 1: [0.5, 0.51]}
    verdict = judge([result(0, 0.90), result(1, 0.5), result(2, 0.4)], far)
    assert verdict is not None and verdict.alike == ()
    assert told(verdict)[2:4] == [
        "The one repeated beside it was worse by more than noise explains.",
        "The one that ran once was worse by more than the noise of one run explains.",
    ]
    several = judge(
        [*(result(i, 0.5 - i / 10) for i in range(3)), result(3, 0.9)], {**far, 3: [0.9, 0.9], 0: [0.1, 0.1]}
    )
    assert several is not None and told(several)[2].startswith("The 2 repeated beside it were worse")


def test_one_repeat_is_told_and_promises_nothing() -> None:
    verdict = judge([result(0, 0.98), result(1, 0.97)], {0: [0.975]})
    assert verdict is not None and math.isnan(verdict.low)
    assert told(verdict) == [
        "Trial 0 is best: 0.975 in one further run with another seed, 0.98 at first.",
        "One further run does not show how much a run varies, so how much of it is luck is not known: "
        "repeat the best with other seeds.",
    ]


def test_verdict_without_repeats_promises_nothing() -> None:
    verdict = judge([result(0, 0.9), result(1, 0.8), result(2, 0.99, state="stopped")], {})
    assert verdict is not None and verdict.best.number == 0 and math.isnan(verdict.noise) and math.isnan(verdict.low)
    assert verdict.alike == (1,) and "Nothing was repeated" in told(verdict)[1]
    sure = judge([result(0, 1.0), result(1, 0.8)], {0: [1.0, 0.9]})
    assert (
        sure is not None
        and sure.high == 1.0
        and "of 2 further runs" in told(sure)[0]
        and "1 degree of" in told(sure)[1]
    )
    once = judge([result(0, 0.9), result(1, 0.8)], {0: [0.89]})
    assert once is not None and math.isnan(once.noise) and once.excess == pytest.approx(0.01)
    assert judge([result(0, 0.9, state="failed")], {}) is None


@pytest.mark.parametrize("others", [0, 3, 9])
def test_interval_holds_though_the_best_is_chosen_by_its_repeats(others: int) -> None:
    draw, covered = np.random.default_rng(2), []
    for _ in range(400):
        repeats = {i: draw.normal(0.5, 0.01, 3).tolist() for i in range(others + 1)}
        verdict = judge([result(i, 0.5) for i in range(others + 1)], repeats)
        assert verdict is not None
        covered.append(verdict.low <= 0.5 <= verdict.high)
    assert 0.93 < np.mean(covered) <= 1.0


def test_trials_that_were_halted_are_not_held_against_whole_ones() -> None:
    halted = [replace(result(i, 0.95, state="paused"), epoch=2) for i in (5, 6)]
    early = replace(result(1, 0.8), epoch=1)  # it ended early by patience, which is no halt
    assert [r.trial.number for r in ranked_by_rung([*halted, early, result(0, 0.9)])] == [0, 1, 5, 6]
    verdict = judge([result(0, 0.9), early, *halted], {0: [0.88, 0.9]})
    assert verdict is not None and verdict.best.number == 0 and verdict.runs == 2
    alone = judge(halted, {})
    assert alone is not None and alone.best.number == 5 and alone.runs == 2


def test_interval_holds_and_luck_is_found_out() -> None:
    """500 searches of 30 trials, of which the truth is known: 5 repeated three times."""
    draw = np.random.default_rng(1)
    covered, alike, excess, optimism = [], [], [], []
    for _ in range(500):
        truth = np.full(30, 0.5)
        first = truth + draw.normal(0, 0.01, 30)
        results = [result(i, float(s)) for i, s in enumerate(first)]
        top = [r.trial.number for r in ranked(results)[:5]]
        repeats = {top[0]: draw.normal(0.5, 0.01, 3).tolist(), top[1]: draw.normal(0.4, 0.01, 3).tolist()}
        verdict = judge(results, repeats)
        assert verdict is not None and verdict.best.number == top[0]
        covered.append(verdict.low <= 0.5 <= verdict.high)
        alike.append(top[1] in verdict.alike)
        excess.append(verdict.excess)
        optimism.append(verdict.optimism)
    assert 0.92 < np.mean(covered) < 0.98 and np.mean(alike) < 0.02
    assert np.mean(excess) == pytest.approx(largest_of(30) * 0.01, abs=0.001)
