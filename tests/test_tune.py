"""The seven steps: what each sees, that they keep to the time, and that nothing is done twice."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

import dressage
from command import call
from dressage.errors import DressageError, RunError, UsageError
from dressage.prepare import prepare
from dressage.recipe import load_recipe
from dressage.search import load_search
from dressage.search.judge import Standing
from dressage.search.tune import StepEvent, looks, rounds, sizes
from dressage.search.tune.compare import _judged
from dressage.search.tune.folder import TuneFolder
from dressage.search.tune.procedure import go_on, load_tuned
from dressage.search.tune.sizes import Pace, Size
from dressage.search.tune.steps import Step, from_json

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


def _compared(own: list[float], other: list[float], noise: float, epochs: int = 40):
    """What is kept of trial 0, the recipe as it is, and trial 1."""
    both = [Standing(n, s[0], tuple(s), float(np.mean(s)), 0, 0) for n, s in enumerate((own, other))]
    best, rest = sorted(both, key=lambda s: -s.mean)
    verdict = SimpleNamespace(best=best, others=(rest,), noise=noise, freedom=4)
    trials = [SimpleNamespace(number=n, edit={"optim.lr": 0.1 * n}) for n in (0, 1)]
    asked = SimpleNamespace(plan=[SimpleNamespace(epochs=epochs)])
    results = [SimpleNamespace(trial=trial) for trial in trials]
    found = SimpleNamespace(verdict=verdict, results=results, metric="accuracy", asked=asked)
    return _judged(SimpleNamespace(), found, Pace(1, 40, 1000, 1, False))


def test_a_tie_leaves_the_recipe_as_it_is():
    assert _compared([0.90, 0.91, 0.92], [0.95, 0.96, 0.95], 0.01).edit == {"optim.lr": 0.1}
    tie = _compared([0.90, 0.91, 0.92], [0.91, 0.91, 0.92], 0.01)
    assert tie.edit == {} and "cannot be told from it" in tie.why
    assert _compared([0.95, 0.96], [0.90, 0.91], 0.01).edit == {}
    short = _compared([0.90, 0.91, 0.92], [0.95, 0.96, 0.95], 0.01, epochs=5)
    assert short.edit == {} and "too few" in short.why


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


def test_killed_and_gone_on_with_no_trial_is_run_twice(tmp_path):
    words = ["tune", "digits", "--budget", "15s", "--out", "t", "--no-train", "--jobs", "1", "--train.epochs", "4"]
    command = [sys.executable, "-m", "dressage", *words]
    begun = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 100
    while (
        len(list(tmp_path.glob("t/coarse/trials/*/result.json"))) < 3
        and begun.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.02)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    done = {
        p: p.stat().st_mtime_ns
        for p in tmp_path.glob("t/*/trials/*/result.json")
        if json.loads(p.read_text())["state"] == "done"
    }
    steps = {p: p.read_bytes() for p in tmp_path.glob("t/0*.json")}
    assert done and len(steps) == 3
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        answer = call("resume", "t", "--json")
    finally:
        os.chdir(here)
    assert answer.code == 0, answer.err
    assert answer.json["edit"] is not None and [s["number"] for s in answer.json["steps"]][:4] == [1, 2, 3, 4]
    assert all(p.stat().st_mtime_ns == t for p, t in done.items()), "a trial was run twice"
    assert all(p.read_bytes() == content for p, content in steps.items()), "a step was taken twice"
    shown = call("show", tmp_path / "t")
    assert shown.code == 0 and "4. coarse" in shown.out and "best.toml" in shown.out


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
