"""The range test: its marks against NumPy, its steadiness, and that it leaves no trace."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from torch import nn

import dressage
from command import call
from dressage.errors import RecipeError, UsageError
from dressage.prepare import prepare
from dressage.range_test import range_test_of
from dressage.rates import climb as climbing
from dressage.rates.climb import Tried, chosen
from dressage.rates.read import WIDTH, read, smooth
from dressage.rates.sweep import Curve, Training, sweep
from dressage.recipe import load_recipe
from dressage.run import load
from same import bits

PLAIN = {"train": {"threads": 1, "epochs": 2}, "watch": {"diagnose": False}}


def curve_of(change: np.ndarray, rates: np.ndarray, first: float = 2.0) -> Curve:
    return Curve(rates, first + change, np.full(len(rates), first), False)


def job_of(**more):
    x, y = load_digits(return_X_y=True)
    return prepare(x[:400], {**PLAIN, **more}, y=y[:400])


def test_the_rate_grows_by_one_factor_and_the_change_is_against_the_first_weights_on_the_same_rows():
    job = job_of(augment=["gaussian_noise(sd=0.1)"], regularize={"dropout": 0.3})
    training = Training(job.state.model, job.recipe, job.batches, job.plan, True)
    rates = np.geomspace(1e-6, 1e-2, 30)
    found = sweep(training, list(rates), 1)
    assert np.array_equal(found.rates, rates) and not found.lost
    assert found.change[0] == 0.0, "before the first step the weights are the first"
    assert np.abs(found.change[:5]).max() < 1e-3 < np.std(found.losses), "batches differ, and cancel out"
    assert found.change[-3:].mean() < -0.1
    again, other = sweep(training, list(rates), 1), sweep(training, list(rates), 2)
    assert np.array_equal(found.losses, again.losses) and not np.array_equal(found.losses, other.losses)


def test_the_smoothed_curve_is_a_gaussian_average_over_the_logarithm_of_the_rate():
    rng = np.random.default_rng(0)
    rates, change = np.geomspace(1e-4, 1, 50), rng.normal(size=50)
    change[40], change[41] = 1e9, math.nan
    wanted = []
    for r in rates:
        w = np.array([math.exp(-((math.log10(r) - math.log10(q)) ** 2) / (2 * WIDTH**2)) for q in rates])
        wanted.append(sum(a * min(c if c == c else 1e30, 0.5 * 2.0) for a, c in zip(w, change, strict=True)) / w.sum())
    assert np.allclose(smooth(curve_of(change, rates)), wanted)


def test_the_suggestion_lies_between_where_the_loss_falls_and_where_it_rises_and_below_the_lowest():
    rates = np.geomspace(1e-5, 10, 200)
    place = np.log10(rates)
    change = -1.5 / (1 + np.exp(-(place + 2.5) * 6)) + 3 / (1 + np.exp(-(place + 0.2) * 8))
    found = read(curve_of(change, rates))
    assert found is not None
    assert found.falls == pytest.approx(10**-2.5, rel=0.15)
    low = place[change.argmin()]
    assert math.log10(found.lowest) == pytest.approx(low, abs=0.1)
    assert found.falls < found.mostly < found.rate <= 0.9 * found.lowest < found.rises
    assert found.rate == min(math.sqrt(found.falls * found.rises), 3 * found.mostly, 0.9 * found.lowest)
    assert found.share == pytest.approx(0.75, abs=0.03)


def test_midway_to_the_lowest_rate_that_ends_nearly_as_low_as_the_best_and_well_below_one_that_is_lost():
    def tried(*ends: float, factor: float = 2) -> list[Tried]:
        return [Tried(0.1 * factor**i, end, 60) for i, end in enumerate(ends)]

    assert chosen(tried(-1.0, -1.01)) == 0.1, "one per cent is not clear"
    share = (-1.0 - -1.2 * 0.98) / (-1.0 - -1.2)
    wanted = 0.1 * math.sqrt(2**share)
    assert chosen(tried(-1.0, -1.2, -1.1)) == pytest.approx(wanted), "between two rungs by a straight line, and midway"
    near, far = chosen(tried(-1.0, -1.021, -1.0)), chosen(tried(-1.0, -1.019, -1.0))
    assert near == pytest.approx(far, rel=0.1), "what noise decides changes little"
    assert chosen(tried(-1.0, -1.2, math.inf)) == pytest.approx(0.1 * math.sqrt(4 / math.sqrt(8)))
    assert chosen(tried(math.inf, math.inf, -0.5, factor=0.5)) == pytest.approx(0.05 / math.sqrt(8))
    assert chosen(tried(math.inf, math.inf, factor=0.5)) is None
    assert 0.1 * math.sqrt(2) < chosen(tried(-1.0, -2.0, -3.0)) < 0.2


def test_what_is_tried_out_is_the_recipes_schedule_in_miniature(monkeypatch):
    job, seen = job_of(schedule={"name": "linear", "warmup": 0.1}), []
    training = Training(job.state.model, job.recipe, job.batches, job.plan, True)
    rates = np.geomspace(1e-3, 1e-2, 10)
    monkeypatch.setattr(climbing, "sweep", lambda t, r, *_: seen.append(r) or curve_of(np.full(10, -1.0), rates))
    assert climbing.try_out(training, 0.5, 2, lambda: None).end == -1.0
    total = job.plan.factor.total
    assert len(seen) == 2 and seen[0] == [0.5 * job.plan.factor(i * total // 60) for i in range(60)]
    assert max(seen[0]) == pytest.approx(0.5, rel=0.1) and seen[0][0] < seen[0][6] > seen[0][-1]


def test_noise_alone_suggests_nothing():
    rng, rates = np.random.default_rng(1), np.geomspace(1e-5, 10, 80)
    assert sum(read(curve_of(rng.normal(size=80) * np.linspace(0, 0.5, 80), rates)) is not None for _ in range(50)) <= 5
    assert read(curve_of(np.zeros(80), rates)) is None
    assert read(curve_of(np.full(80, math.nan), rates, math.nan)) is None


@pytest.mark.parametrize("optim", ["adamw", "sgd", "momentum"])
def test_orders_of_digits_agree_within_a_factor_of_two(optim):
    x, y = load_digits(return_X_y=True)
    found = dressage.range_test(x, y=y, recipe={**PLAIN, "optim": {"name": optim}})
    assert found.rate is not None and len(found.rates) == 3
    assert found.spread <= 2, found


def suggested_by_other_orders(load, optim: str, monkeypatch) -> list[float]:
    """The whole test three times, of which no two share an order of the data."""
    x, y = load(return_X_y=True)
    begun, found = Training.begun, []
    for shift in (0, 1000, 2000):
        moved = lambda t, n, by=shift: begun(t, n + (by if n >= 0 else -by))  # noqa: E731
        monkeypatch.setattr(Training, "begun", moved)
        found.append(dressage.range_test(x, y=y, recipe={**PLAIN, "optim": {"name": optim}}).rate)
    return found


@pytest.mark.parametrize("optim", ["adamw", "momentum"])
def test_three_other_orders_suggest_the_same_within_a_factor_of_two(optim, monkeypatch):
    found = suggested_by_other_orders(load_diabetes, optim, monkeypatch)
    assert len(set(found)) > 1 and max(found) / min(found) <= 2, found


@pytest.mark.slow
@pytest.mark.parametrize("optim", ["adamw", "momentum"])
@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer, load_iris])
def test_three_other_orders_of_other_sets(load, optim, monkeypatch):
    found = suggested_by_other_orders(load, optim, monkeypatch)
    assert max(found) / min(found) <= 2, found


def test_a_regression_and_the_halving_rule():
    x, y = load_diabetes(return_X_y=True)
    found = dressage.range_test(x, y=y, recipe=PLAIN)
    assert found.rate is not None and 5e-4 < found.rate < 2e-2, found
    halved = dressage.range_test(x, y=y, recipe=PLAIN, rule="halve", high=1.0)
    assert halved.rate is not None and math.log2(1 / halved.rate) == pytest.approx(
        round(math.log2(1 / halved.rate)), abs=0.05
    )
    by = dressage.range_test(x, y=y, recipe=PLAIN, by="validation", repeats=1)
    assert by.rate is not None and by.by == "validation" and found.rate / 5 < by.rate < found.rate * 5


class Dead(nn.Module):
    """Says the same of every row, whatever its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return 0.0 * self.linear(x.flatten(1)) + self.at_first()

    def at_first(self):
        return 0.0


class Lost(Dead):
    def at_first(self):
        return math.nan


def test_where_no_rate_lowers_the_loss_it_says_so():
    x, y = load_digits(return_X_y=True)
    dead = dressage.range_test(x, y=y, model=Dead, recipe=PLAIN)
    assert dead.rate is None and "lowers the loss" in dead.why and str(dead).startswith("no learning rate is suggested")
    assert dressage.range_test(x, y=y, model=Dead, recipe=PLAIN, rule="halve", steps=20).rate is None
    lost = dressage.range_test(x, y=y, model=Lost, recipe=PLAIN)
    assert lost.rate is None and "not finite before the first step" in lost.why


@pytest.mark.parametrize(
    "more",
    [
        {"optim": {"name": "sam(rho=0.05)"}},
        {"optim": {"name": "schedule_free"}},
        {"optim": {"name": "gd"}},
        {"optim": {"name": "muon", "clip_norm": 1.0}},
        {
            "train": {**PLAIN["train"], "accumulate": 4},
            "regularize": {"techniques": ["l2(strength=1e-4)", "input_noise(std=0.1)"]},
        },
        {"train": {**PLAIN["train"], "batch_size": 256}, "model": {"norm": "batch"}, "augment": ["mixup(alpha=0.4)"]},
    ],
    ids=lambda more: json.dumps(more)[:60],
)
def test_whatever_a_step_is_made_of(more):
    job = job_of(**more)
    before = {name: t.clone() for name, t in job.state.model.state_dict().items()}
    found = range_test_of(job)
    assert found.rate is not None and 1e-4 < found.rate < 3, found
    assert all(torch.equal(t, before[name]) for name, t in job.state.model.state_dict().items())
    assert job.state.step == 0 and not job.state.optimizer.state


def test_a_tiny_set_is_gone_round():
    x, y = load_digits(n_class=2, return_X_y=True)
    found = dressage.range_test(x[:40], y=y[:40], recipe=PLAIN)
    assert found.rate is not None and len(found.curves[0].rates) > 20 > 28 / 16


def test_no_trace_is_left_in_the_training_after_it(tmp_path):
    x, y = load_digits(return_X_y=True)
    recipe = {**PLAIN, "regularize": {"dropout": 0.2}}
    dressage.train(x[:300], y=y[:300], recipe=recipe, out=tmp_path / "before")
    torch.manual_seed(3)
    np.random.seed(3)
    drawn = torch.get_rng_state(), np.random.get_state()[1].tolist()
    dressage.range_test(x[:300], y=y[:300], recipe=recipe)
    assert torch.equal(torch.get_rng_state(), drawn[0]) and np.random.get_state()[1].tolist() == drawn[1]
    dressage.train(x[:300], y=y[:300], recipe=recipe, out=tmp_path / "after")
    assert bits(tmp_path / "before") == bits(tmp_path / "after")


def test_auto_is_settled_before_the_first_step_and_written_as_a_number(tmp_path):
    x, y = load_digits(return_X_y=True)
    recipe = {**PLAIN, "optim": {"lr": "auto"}}
    run = dressage.train(x[:400], y=y[:400], recipe=recipe, out=tmp_path / "auto")
    rate = run.recipe.optim.rate
    assert 1e-4 < rate < 5e-2 and float(f"{rate:.1e}") == rate
    assert load_recipe(tmp_path / "auto" / "recipe.toml").optim.lr == rate
    reason = json.loads((tmp_path / "auto" / "reasons.json").read_text())["optim.lr"]
    assert reason["origin"] == "measured" and reason["reason"].startswith("range test: the loss falls by")
    dressage.train(x[:400], y=y[:400], recipe={**PLAIN, "optim": {"lr": rate}}, out=tmp_path / "number")
    assert bits(tmp_path / "auto") == bits(tmp_path / "number"), "the test left no trace"
    assert dressage.reproduce(tmp_path / "auto", x[:400], y=y[:400]).first_difference is None


def test_auto_where_there_is_nothing_to_test(tmp_path):
    x, y = load_digits(return_X_y=True)
    dead = prepare(x, {**PLAIN, "optim": {"lr": "auto"}}, y=y, model=Dead)
    assert dead.recipe.optim.lr == 2e-3 and dead.resolved.reasons["optim.lr"].why.endswith("so the usual one")
    small = prepare(x[:100], {**PLAIN, "optim": {"lr": "auto", "name": "lbfgs"}}, y=y[:100])
    assert small.recipe.optim.lr == 1.0 and "finds the length" in small.resolved.reasons["optim.lr"].why


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rule": "halv"}, "did you mean 'halve'"),
        ({"by": "test"}, "known: loss, validation"),
        ({"repeats": 0}, "expected 1 to"),
        ({"steps": 3}, "expected 20 to"),
        ({"low": 1e-3}, "both or neither"),
        ({"low": 1.0, "high": 0.1}, "low below high"),
        ({"low": -1.0, "high": 0.1}, "above 0"),
        ({"recipe": {"optim": {"name": "lbfgs"}}}, "finds the length"),
        ({"recipe": {"data": {"validation": 0.0}}, "by": "validation"}, "no validation rows"),
    ],
)
def test_bad_input_is_one_line(wrong, said):
    x, y = load_digits(return_X_y=True)
    with pytest.raises((UsageError, RecipeError), match=said) as error:
        dressage.range_test(x[:100], y=y[:100], **wrong)
    assert str(error.value).count(";") >= 2 and "\n" not in str(error.value)


def test_the_command(tmp_path):
    done = call("lr", "digits", "--out", tmp_path / "lr.svg", "--train.threads", 1)
    assert done.code == 0 and "next: dressage train digits --optim.lr 0.00" in done.out, done.err
    assert "⠀" in done.out and "^ 0.00" in done.out
    assert (tmp_path / "lr.svg").read_text().startswith("<svg xmlns")
    told = call("lr", "digits", "--json", "--repeats", 1, "--out", tmp_path / "lr.html", "--train.threads", 1)
    assert told.json["rate"] > 0 and told.json["picture"].endswith("lr.html") and len(told.json["curves"]) == 1
    assert "<svg" in (tmp_path / "lr.html").read_text() and "http" not in (tmp_path / "lr.html").read_text().replace(
        "www.w3", ""
    )
    for words in (
        ["--out", "lr.png"],
        ["--rule", "double"],
        ["--optim.name", "lbfgs"],
        ["--steps", "x"],
        ["--optim.lr", "fast"],
    ):
        wrong = call("lr", "digits", *words)
        assert wrong.code == 2 and len(wrong.errors) == 1, wrong.err


def test_auto_by_the_command(tmp_path):
    out = tmp_path / "run"
    done = call(
        "train", "digits", "--optim.lr", "auto", "--train.epochs", 1, "--train.refit", "false", "--out", out, "--json"
    )
    assert done.code == 0, done.err
    assert load(out).recipe.optim.rate != 2e-3
