"""The seven steps: what each sees, that they keep to the time, and that nothing is done twice."""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import dressage
from command import call
from dressage.errors import DressageError, RunError, UsageError
from dressage.findings import Finding
from dressage.ground import open_ground
from dressage.prepare import prepare
from dressage.recipe import as_recipe, load_recipe
from dressage.search import load_search
from dressage.search.judge import Standing
from dressage.search.trial import Moment, Result, Trial
from dressage.search.tune import StepEvent, compare, curves, doubt, looks, rounds, sizes
from dressage.search.tune.folder import TuneFolder
from dressage.search.tune.procedure import go_on, load_tuned
from dressage.search.tune.sizes import Pace, Size
from dressage.search.tune.steps import Step, from_json
from dressage.search.tune.words import edit_text, score_text

SMALL = {"train": {"epochs": 6}, "model": {"width": 32, "depth": 1}, "watch": {"diagnose": False}}


def digits(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return x[:rows], y[:rows]


class Dead(nn.Module):
    """Says the same of every row."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return 0.0 * self.linear(x)


@pytest.fixture
def small(monkeypatch):
    """Trials of a fixed number and length, whatever the machine is busy with."""
    monkeypatch.setattr(sizes, "coarse", lambda pace, left: Size(6, 1, 0, 100.0))
    monkeypatch.setattr(sizes, "fine", lambda pace, left, before: Size(6, 3, 0, 100.0))
    monkeypatch.setattr(sizes, "final", lambda pace, left: (2, 6, 1))
    monkeypatch.setattr(rounds, "ROUNDS", 1)


@pytest.mark.slow
def test_a_budget_is_kept(tmp_path):
    x, y = digits()
    began = time.monotonic()
    dressage.tune(x, y=y, recipe=SMALL, budget=40, trains=False, out=tmp_path / "t")
    assert time.monotonic() - began < 60


def test_seven_steps_and_again_nothing_is_done_twice(tmp_path, small):
    x, y = digits()
    seen = list[StepEvent]()
    asked = {"y": y, "recipe": SMALL, "budget": 140, "trains": False, "out": tmp_path / "t"}
    found = dressage.tune(x, **asked, on_event=seen.append)
    steps = [e.step for e in seen if isinstance(e, StepEvent)]
    assert [s.number for s in steps][:5] == [1, 2, 3, 4, 5] and steps[-1].number == 7
    assert {s.number for s in steps} == {1, 2, 3, 4, 5, 6, 7}
    assert all(s.saw and s.decided for s in steps)
    assert found.edit is not None and found.best_recipe.is_file() and found.run is None
    assert set(found.edit) <= {"optim.lr", "regularize.weight_decay", "regularize.dropout"}
    best = load_recipe(found.best_recipe)
    assert best.train.epochs == 6 and best.model.width == 32
    final = load_search(tmp_path / "t" / "final")
    own = final.results[0].trial.edit
    assert own["optim.lr"] == 2e-3 and own["regularize.weight_decay"] == 0.5, "the recipe as it is is one of the trials"
    if found.edit:
        assert best.optim.lr == found.edit["optim.lr"]

    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "t").glob("*/trials/*/result.json")}
    again = list[object]()
    same = dressage.tune(x, **asked, on_event=again.append)
    assert same.edit == found.edit and same.why == found.why
    assert all(e.known for e in again if isinstance(e, StepEvent))
    assert kept == {p: p.stat().st_mtime_ns for p in (tmp_path / "t").glob("*/trials/*/result.json")}
    assert str(load_tuned(tmp_path / "t")) == str(found)
    with pytest.raises(UsageError, match="holds another tuning"):
        dressage.tune(x, **{**asked, "recipe": {**SMALL, "seed": 3}})
    with pytest.raises(RunError, match="the same data again"):
        go_on(tmp_path / "t")


def test_what_cannot_learn_is_stopped_before_anything_is_searched(tmp_path):
    x, y = digits()
    found = dressage.tune(x, y=y, model=Dead, recipe={"watch": {"diagnose": False}}, budget=30, out=tmp_path / "t")
    assert found.edit is None and found.why.startswith("stop:") and not found.best_recipe.exists()
    assert found.steps[-1].number in (2, 3) and not (tmp_path / "t" / "coarse").exists()


def test_the_first_steps_say_what_they_saw():
    x, y = digits()
    job = prepare(x, {**SMALL, "train": {"epochs": 6, "threads": 1}}, y=y)
    first, small = looks.first_loss(job, 60), looks.small_sample(job, 60)
    assert "implied 2.3026" in first.saw[0] and first.goes_on
    assert "20 rows" in small.saw[0] and small.goes_on
    rate = looks.rate(job, 60, own_model=False)
    assert 1e-3 < rate.facts["rate"] < 5e-2 and rate.facts["step_seconds"] > 0
    assert "100 iterations at" in rate.saw[1] and rate.decided.startswith("search around")


def test_a_short_range_test_that_sees_nothing_is_followed_by_a_whole_one(monkeypatch):
    x, y = digits()
    job, real, asked = prepare(x, {**SMALL, "train": {"epochs": 6, "threads": 1}}, y=y), looks.range_test_of, []

    def test_of(job, **given):
        asked.append(given.get("repeats", 3))
        return replace(real(job, **given), rate=None) if asked[-1] == 1 else real(job, **given)

    monkeypatch.setattr(looks, "range_test_of", test_of)
    monkeypatch.setattr(looks, "_seconds_a_step", lambda training: 0.01)
    assert looks.rate(job, 60, own_model=False).goes_on and asked == [1, 3]
    asked.clear()
    said = looks.rate(job, 60, own_model=False, left=15)
    assert not said.goes_on and "--budget" in said.decided and asked == [1], "a whole one takes half of what is left"


def a_curve(costs: list[float], scores: list[float]) -> Result:
    """Of a trial whose training cost halves with every epoch."""
    moments = [Moment(i + 1, 0.5**i, cost, score) for i, (cost, score) in enumerate(zip(costs, scores, strict=True))]
    return Result(
        Trial(7, 0, {"optim.lr": 0.01}, 0, len(moments)), "done", len(moments), 0.9, min(costs), tuple(moments)
    )


def looked(monkeypatch, result: Result, *findings: Finding, notes: tuple[str, ...] = ()) -> Step:
    monkeypatch.setattr(curves, "diagnose", lambda *_, **__: SimpleNamespace(findings=findings, notes=notes))
    return curves.look([result], {"data": None, "y": None, "model": None}, 100.0)


def test_costs_that_turn_are_told_though_the_score_does_not_suffer(monkeypatch):
    turned = a_curve([1.0, 0.15, 0.2, 0.3, 0.4, 0.4, 0.4], [0.7, 0.95, 0.96, 0.96, 0.97, 0.97, 0.97])
    told = looked(monkeypatch, turned).saw[1]
    assert "from epoch 2 on it learns rows by heart" in told and "2.7 times its lowest" in told
    assert "0.95 there and is 0.97 in the end" in told
    named = Finding("eval.overfit", "info", "validation", "0.8, was 0.9", "", "", {})
    assert [line[2:] for line in looked(monkeypatch, turned, named).saw[1:]] == ["eval.overfit: 0.8, was 0.9"]
    for costs in ([1.0, 0.15, 0.2, 0.3], [1.0, 0.5, 0.55, 0.6, 0.6, 0.6], [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]):
        assert looked(monkeypatch, a_curve(costs, [0.9] * len(costs))).saw[1:] == ("  the diagnosis names nothing",)


def test_harm_in_the_data_is_told_with_the_curves_and_so_is_what_there_was_no_time_for(monkeypatch):
    wrong = Finding("data.label_noise", "warning", "y", "30 % of rows", "", "", {"loss.label_smoothing": 0.1})
    shares = Finding("data.class_imbalance", "info", "y", "9 to 1", "", "", {})
    level = a_curve([1.0, 0.9, 0.8], [0.5, 0.6, 0.7])
    seen = looked(monkeypatch, level, wrong, shares, notes=("signals: no time left", "data.split_shift: no time left"))
    assert seen.saw[1:] == (
        "  data.label_noise: 30 % of rows",
        "  no time to look for signals, data.split_shift",
    )
    assert seen.facts["edits"] == [{"optim.lr": 0.01, "loss.label_smoothing": 0.1}]


@pytest.mark.parametrize("epoch", [0.01, 0.5, 5.0, 60.0])
@pytest.mark.parametrize("left", [20.0, 300.0, 3600.0])
def test_what_is_planned_fits_into_the_time(epoch, left):
    pace = Pace(epoch, 40, 50_000, 2, False)
    size = sizes.coarse(pace, left)
    rows = size.rows or pace.rows
    cost = size.trials * size.epochs * epoch * rows / pace.rows / pace.side_by_side
    assert size.trials >= 4 and 1 <= size.epochs <= 5
    assert cost <= size.seconds or rows == sizes.LEAST_ROWS
    longer = sizes.fine(pace, left, size.epochs)
    if longer is not None:
        assert longer.epochs >= min(2 * size.epochs, 40)
        assert longer.trials * longer.epochs * epoch / 2 / sizes.HALVED <= longer.seconds
    count, epochs, repeats = sizes.final(pace, left)
    assert 2 <= count <= 3 and 1 <= epochs <= 40
    assert count * (1 + repeats) * epochs * epoch / 2 <= left or epochs == 1


def _compared(monkeypatch, own: list[float], other: list[float], rows: int = 2000, epochs: int = 40):
    """What is kept of trial 0, the recipe as it is, and trial 1, of which seeds got so many of the rows right."""
    both = [Standing(n, s[0], tuple(s), float(np.mean(s)), 0, 0) for n, s in enumerate((own, other))]
    best, rest = sorted(both, key=lambda s: -s.mean)
    freedom = 2 * len(own) - 2
    noise = math.sqrt((np.var(own) + np.var(other)) * len(own) / freedom)
    verdict = SimpleNamespace(best=best, others=(rest,), noise=noise, freedom=freedom)

    def trained(number: int, score: float) -> Result:
        return Result(Trial(number, 0, {"optim.lr": 0.1 * number}, 0, epochs), "done", epochs, score, 0.1)

    asked = SimpleNamespace(plan=[SimpleNamespace(epochs=epochs)])
    repeats = {n: [trained(n, score) for score in s] for n, s in enumerate((own, other))}
    found = SimpleNamespace(
        verdict=verdict, results=[trained(0, 0.5), trained(1, 0.9)], repeats=repeats, metric="accuracy", asked=asked
    )
    right = {id(r): torch.arange(rows) < round(r.score * rows) for runs in repeats.values() for r in runs}
    monkeypatch.setattr(compare, "row_scores", lambda c, result: right[id(result)].double())
    return compare._judged(SimpleNamespace(), found, Pace(1, 40, 1000, 1, False))


def test_a_tie_leaves_the_recipe_as_it_is(monkeypatch):
    better = [0.95, 0.96, 0.95]
    assert _compared(monkeypatch, [0.90, 0.91, 0.92], better).edit == {"optim.lr": 0.1}
    tie = _compared(monkeypatch, [0.90, 0.91, 0.92], [0.91, 0.91, 0.92])
    assert tie.edit == {} and "cannot be told from it" in tie.why
    assert _compared(monkeypatch, [0.95, 0.96], [0.90, 0.91]).edit == {}
    short = _compared(monkeypatch, [0.90, 0.91, 0.92], better, epochs=5)
    assert short.edit == {} and "too few" in short.why
    one_row = _compared(monkeypatch, [0.90, 0.90, 0.90], [0.95, 0.95, 0.95], rows=20)
    assert one_row.edit == {} and "standard error 0.05" in one_row.why, "seeds agree, but it is one row of twenty"
    three = _compared(monkeypatch, [24 / 27] * 3, [1.0] * 3, rows=27)  # 1.8 standard errors, and the best of many
    assert three.edit == {} and "cannot be told from it" in three.why


def test_a_difference_has_the_noise_of_seeds_and_of_rows():
    rng = np.random.default_rng(0)
    mine, other = rng.normal(0.5, 1, (3, 40)), rng.normal(0, 1, (2, 40))
    each = mine.mean(0) - other.mean(0)
    wanted = math.sqrt(each.var(ddof=1) / 40 + 0.3**2 * (1 / 3 + 1 / 2))
    gain, error = doubt.difference(list(torch.from_numpy(mine)), list(torch.from_numpy(other)), 0.3)
    assert (gain, error) == (pytest.approx(mine.mean() - other.mean()), pytest.approx(wanted))
    alone = doubt.difference([torch.ones(50)], [torch.ones(50)], math.nan)
    assert alone == (0.0, 1 / 50), "one row at least"


def test_scores_and_settings_in_words():
    assert score_text("r2", [0.41234, 0.4]) == "R² 0.4 to 0.4123" and score_text("accuracy", [1.0]) == "accuracy 1"
    assert score_text("−loss", [-1.5, -1.25]) == "loss 1.25 to 1.5", "of several targets people are told the loss"
    assert edit_text({"optim.lr": 0.00123456, "model.name": "mlp"}) == "optim.lr 0.001235, model.name mlp"


def test_a_step_file_is_read_back_and_a_damaged_one_is_refused(tmp_path):
    step = Step(3, ("a", "b"), "go", facts={"rate": 0.1}, seconds=1.5)
    assert from_json(json.loads(json.dumps(step.to_json())), "x") == step
    for wrong in (
        {},
        {"number": 99},
        {**step.to_json(), "saw": "text"},
        {**step.to_json(), "saw": [1]},
        {**step.to_json(), "number": 8},
    ):
        with pytest.raises(RunError, match="expected what a tuning wrote"):
            from_json(wrong, "x")
    (tmp_path / "tune.json").write_text('{"format": 7}')
    with pytest.raises(RunError, match="format"):
        TuneFolder.open(tmp_path).asked()
    (tmp_path / "tune.json").write_text('{"format": 1, "name": 3}')
    with pytest.raises(RunError, match="no usable"):
        TuneFolder.open(tmp_path).asked()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "0s"], "expected a time above 0"),
        (["--budget", "soon"], "e.g. 90s"),
        (["--budget", "2s"], "5 s or more"),
        (["--jobs", "-1"], "expected 0 or more"),
        (["--optim.nam", "sgd"], "optim.name"),
    ],
)
def test_bad_words_are_one_line(words, said, tmp_path):
    answer = call("tune", "digits", "--out", tmp_path / "t", *words)
    assert answer.code == 2 and len(answer.errors) == 1 and said in answer.err
    assert not (tmp_path / "t").exists()


def test_bad_input_from_python(tmp_path):
    x, y = digits(100)
    for wrong in ({"budget": math.inf}, {"budget": math.nan}, {"jobs": -1}, {"recipe": {"data": {"validation": 0.0}}}):
        with pytest.raises(DressageError) as error:
            dressage.tune(x, y=y, out=tmp_path / "t", **wrong)
        assert "\n" not in str(error.value)
    with pytest.raises(RunError, match="does not exist"):
        load_tuned(tmp_path / "nowhere")


def two_targets(place: Path, rows: int = 240) -> Path:
    """A table with a class and a number to predict."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    kind = np.where(x[:, 0] + 0.3 * rng.normal(size=rows) > 0, "yes", "no")
    size = x[:, 1] * 2 + rng.normal(size=rows)
    lines = [",".join([*map(str, row), k, str(s)]) for row, k, s in zip(x.round(4), kind, size.round(3), strict=True)]
    (place / "two.csv").write_text("\n".join(["a,b,c,d,kind,size", *lines]) + "\n")
    return place / "two.csv"


def test_rows_are_judged_as_trials_are_whatever_views_answer(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (120, 8, 8, 3), dtype=np.uint8)
    y = (x[:, 0, :4].mean((1, 2)) > x[:, 0, 4:].mean((1, 2))).astype(np.int64)  # a mirror turns the class round
    recipe = {
        "model": {"name": "convnet", "width": 4, "depth": 1},
        "evaluate": {"views": "flip"},
        "watch": {"diagnose": False},
    }
    asked = {"space": ["optim.lr=log:1e-3:1e-2"], "stages": "2x8", "halving": "none", "repeats": 1, "finalists": 1}
    found = dressage.search(x, y=y, recipe=recipe, jobs=1, out=tmp_path / "s", **asked)
    course = SimpleNamespace(ground=open_ground(x, y, as_recipe(recipe), None, None, None))
    for result in found.results:
        each = doubt.row_scores(course, result)
        assert float(each.mean()) == pytest.approx(result.score, abs=1e-12)
        assert torch.allclose(each.round(), each, atol=1e-9), (
            "each row right or wrong, by the outputs that the score is of"
        )


def test_several_targets_and_the_training_in_the_end(tmp_path, small):
    recipe = {**SMALL, "data": {"target": "kind,size"}}
    file = two_targets(tmp_path)
    found = dressage.tune(file, recipe=recipe, budget=140, jobs=1, out=tmp_path / "t")
    assert found.run is not None and found.run.status == "finished"
    known, best = found.run.recipe, load_recipe(found.best_recipe)
    assert known.optim.lr == best.optim.lr and known.regularize == best.regularize and known.train.epochs == 6
    said = str(found)
    assert "kind: 20 rows" in said and "size: 20 rows" in said, "each target by itself"
    assert "loss" in said and "−loss" not in said
    ground = open_ground(file, None, as_recipe(recipe), None, None, None)
    course = SimpleNamespace(ground=ground)
    final = load_search(tmp_path / "t" / "final")
    for result in [*final.results, *(r for runs in final.repeats.values() for r in runs)]:
        each = doubt.row_scores(course, result)
        assert each.shape == (len(ground.rows["validation"]),)
        assert float(each.mean()) == pytest.approx(result.score, rel=1e-6)
    before = (tmp_path / "t" / "run" / "evaluation.json").stat().st_mtime_ns
    again = go_on(tmp_path / "t")
    assert again.run is not None and again.edit == found.edit
    assert (tmp_path / "t" / "run" / "evaluation.json").stat().st_mtime_ns == before, "trained twice"
    shutil.rmtree(tmp_path / "t" / "run")
    (tmp_path / "t" / "run").mkdir()
    (tmp_path / "t" / "run" / "status.json").write_text('{"format": 1, "status": "running", "step": 0}')
    again = go_on(tmp_path / "t")
    assert again.run is not None and again.run.status == "finished", "killed before its first step"
