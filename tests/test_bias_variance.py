"""The bias/variance recipe: intervals against independent statements, false alarms by simulation, and what is said."""

from __future__ import annotations

import json
import math
from html import unescape
from itertools import pairwise

import numpy as np
import pytest

import dressage
from command import call
from dressage.evaluate import judge
from dressage.evaluate.bias_variance import CHAIN, Error, bias_variance, combined, diagnose, error_of
from dressage.evaluate.bias_words import advice, notes, said, to_json

of = Error.of_counts


def newcombe(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    """Method 10 of Newcombe (1998, Stat. Med. 17) for a/n − b/m, from scipy's Wilson limits."""
    from scipy.stats import binomtest

    one, two = (binomtest(k, s).proportion_ci(method="wilson") for k, s in ((a, n), (b, m)))
    p, q = a / n, b / m
    return (
        p - q - math.hypot(p - one.low, two.high - q),
        p - q + math.hypot(one.high - p, q - two.low),
    )


@pytest.mark.parametrize(("a", "n", "b", "m"), [(56, 70, 48, 80), (9, 10, 3, 10), (0, 20, 2, 30), (40, 40, 1, 50)])
def test_a_difference_has_newcombes_interval(a: int, n: int, b: int, m: int) -> None:
    assert combined((1.0, -1.0), (of(a, n), of(b, m))) == pytest.approx(newcombe(a, n, b, m), abs=1e-12)


def test_newcombes_printed_example() -> None:
    low, high = combined((1.0, -1.0), (of(56, 70), of(48, 80)))
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)  # table II (a) of the paper


def test_an_exact_target_adds_no_noise() -> None:
    e = of(30, 200)
    assert combined((1.0, -1.0), (e, Error.exact(0.05))) == pytest.approx((e.low - 0.05, e.high - 0.05))


def drawn(rng: np.random.Generator, n: int, rate: float) -> Error:
    return of(int(rng.binomial(n, rate)), n)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("held", [100, 1000])
def test_parts_of_one_error_have_no_gap(rate: float, held: int) -> None:
    rng, alarms, trials = np.random.default_rng(0), 0, 1000
    for _ in range(trials):
        errors = {"train": drawn(rng, 2000, rate), "validation": drawn(rng, held, rate), "test": drawn(rng, held, rate)}
        alarms += bias_variance(errors, rate).largest is not None
    assert alarms / trials <= 0.05


@pytest.mark.parametrize(
    ("rates", "name"),
    [
        ((0.01, 0.20, 0.21, 0.21, 0.21), "avoidable_bias"),
        ((0.01, 0.02, 0.15, 0.15, 0.15), "variance"),
        ((0.01, 0.02, 0.03, 0.20, 0.20), "data_mismatch"),
        ((0.01, 0.02, 0.03, 0.03, 0.20), "validation_overfit"),
    ],
)
def test_the_planted_gap_is_named(rates: tuple[float, ...], name: str) -> None:
    rng, right = np.random.default_rng(1), 0
    for _ in range(100):
        parts = ("train", "train_dev", "validation", "test")
        errors = {part: drawn(rng, 1000, rate) for part, rate in zip(parts, rates[1:], strict=True)}
        found = bias_variance(errors, rates[0])
        right += found.largest is not None and found.largest.name == name and not found.rivals
    assert right >= 97


def test_without_train_dev_the_step_to_validation_is_variance_or_shift() -> None:
    found = bias_variance({"train": of(10, 1000), "validation": of(150, 1000)}, 0.005)
    assert found.largest is not None and found.largest.name == "variance"
    assert any("--data.train_dev" in note for note in notes(found))
    assert advice(found)[0].startswith("against variance: more training data; regularisation")


def test_no_gap_beyond_noise_is_said() -> None:
    found = bias_variance({"train": of(12, 1000), "validation": of(2, 100)}, 0.01)
    assert found.largest is None and not advice(found)
    assert said(found).startswith("no gap is beyond its noise: avoidable bias 0.002 (")


def test_two_gaps_that_cannot_be_told_apart() -> None:
    found = bias_variance({"train": of(100, 1000), "validation": of(210, 1000)}, 0.005)
    assert [g.name for g in found.real] == ["variance", "avoidable_bias"] and len(found.rivals) == 1
    assert "avoidable bias 0.095" in said(found) and "cannot be told from it" in said(found)
    far = bias_variance({"train": of(100, 1000), "validation": of(400, 1000)}, 0.005)
    assert far.largest is not None and far.largest.name == "variance" and not far.rivals


def test_without_a_target_bias_is_at_most_the_training_error() -> None:
    found = bias_variance({"train": of(300, 1000), "validation": of(400, 1000)})
    assert not found.is_target_known
    assert said(found).endswith(
        "avoidable bias is at most 0.300, and the larger of the two if an error below 0.200 can be reached"
    )
    assert any("--evaluate.target_error" in note for note in notes(found))
    alone = bias_variance({"train": of(300, 1000), "validation": of(305, 1000)})
    assert "is avoidable bias as far as less can be reached" in said(alone)
    clear = bias_variance({"train": of(3, 1000), "validation": of(150, 1000)})
    assert said(clear).startswith("largest gap: variance 0.147 (")


def test_a_validation_part_that_is_easier_is_noted() -> None:
    found = bias_variance({"train": of(300, 1000), "validation": of(100, 1000)}, 0.3)
    assert found.largest is None
    assert any("validation rows are easier" in note for note in notes(found))


def test_a_measured_target_has_noise_too() -> None:
    errors = {"train": of(60, 1000), "validation": of(60, 1000)}
    assert bias_variance(errors, 0.03).largest is not None
    assert bias_variance(errors, of(3, 100)).largest is None


def regression(noise: float, n: int, part: str) -> dict[str, object]:
    rng = np.random.default_rng(n)
    y = rng.normal(size=n)
    return dict(judge("regression", y + noise * rng.normal(size=n), y, part=part))


def test_a_regression_is_judged_by_its_rmse() -> None:
    evaluation = {"train": regression(0.3, 900, "train"), "validation": regression(0.9, 300, "validation")}
    found = diagnose(evaluation, 0.25)
    assert found is not None and found.unit == "RMSE" and found.largest is not None
    assert found.largest.name == "variance" and found.largest.value == pytest.approx(0.6, abs=0.1)
    same = {"train": regression(0.3, 900, "train"), "validation": regression(0.3, 300, "validation")}
    quiet = diagnose(same, 0.29)
    assert quiet is not None and quiet.largest is None


def test_gaps_are_formed_of_one_network_only() -> None:
    def part(wrong: int, n: int, network: str) -> dict[str, object]:
        y = np.zeros(n, dtype=np.int64)
        p = np.tile([0.9, 0.1], (n, 1))
        p[:wrong] = [0.1, 0.9]
        return dict(judge("classification", p, y)) | {"network": network}

    evaluation = {"test": part(50, 200, "refit"), "validation": part(5, 200, "first"), "train": part(9, 400, "first")}
    found = diagnose(evaluation, 0.02)
    assert found is not None and found.left_out == ("test",) and found.largest is None
    assert [(g.start, g.end) for g in found.gaps] == [("target", "train"), ("train", "validation")]
    assert any("test score is of the network that was trained again" in note for note in notes(found))


@pytest.mark.parametrize(
    "evaluation",
    [{}, {"test": {}}, {"train": {"metrics": {"accuracy": {"value": "x", "low": 0, "high": 1}}}}, {"train": 3}],
)
def test_what_is_not_an_evaluation_has_no_diagnosis(evaluation: dict[str, object]) -> None:
    assert diagnose(evaluation) is None


def test_nothing_that_is_not_finite_reaches_the_gaps() -> None:
    outputs = np.array([1.0, math.nan, 2.0])
    assert error_of(judge("regression", outputs, np.ones(3))) is None


def test_json_has_everything_that_is_said() -> None:
    found = bias_variance({"train": of(30, 1000), "train_dev": of(10, 300), "validation": of(70, 300)}, 0.02)
    told = to_json(found)
    assert told["largest"] == "data_mismatch" and told["said"] == said(found)
    assert [g["name"] for g in told["gaps"]] == ["avoidable_bias", "variance", "data_mismatch"]
    assert [g["beyond_noise"] for g in told["gaps"]] == [False, False, True]
    assert told["errors"]["target"] == {"value": 0.02, "low": 0.02, "high": 0.02, "n": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dressage.Run:
    recipe = {"train": {"epochs": 3, "refit": False}, "data": {"train_dev": 0.1}, "evaluate": {"target_error": 0.001}}
    return dressage.train("digits", recipe=recipe, out=tmp_path_factory.mktemp("runs") / "one")


def test_a_run_says_what_limits_it(trained: dressage.Run) -> None:
    gaps = trained.gaps
    assert [(g["from"], g["to"]) for g in gaps["gaps"]] == list(pairwise(["target", *CHAIN]))
    assert gaps["target_known"] and gaps["errors"]["target"]["value"] == 0.001
    assert gaps == json.loads((trained.folder / "evaluation.json").read_text())["gaps"]
    assert set(trained.evaluation) == set(CHAIN)


def test_the_page_shows_the_gaps(trained: dressage.Run) -> None:
    page = (trained.folder / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="limits">') :].partition("</section>")[0]
    told = unescape(section)
    assert trained.gaps["said"][1:] in told and told.count("its noise</td>") == 4
    assert all(line[1:] in told for line in trained.gaps["next"])


def test_the_command_line_shows_the_gaps(trained: dressage.Run) -> None:
    ended = call("evaluate", str(trained.folder))
    assert f"what limits it: {trained.gaps['said']}" in ended.out
    other = json.loads(call("evaluate", str(trained.folder), "--target-error", "0.5", "--json").out)
    assert other["gaps"]["errors"]["target"]["value"] == 0.5
    refused = call("evaluate", str(trained.folder), "--target-error", "-1")
    assert refused.code == 2 and "expected an error of 0 or more" in refused.err
