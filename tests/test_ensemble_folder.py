"""The folder of an ensemble: gone on with, used from the command line, damaged."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from html import unescape
from pathlib import Path

import pytest

import dressage
from command import call, process
from dressage.ensemble import Ensemble, resume
from dressage.errors import Interrupted, RunError, UsageError
from dressage.fit import EpochEvent
from same import bits

QUICK = {"seed": 3, "train": {"epochs": 3}, "watch": {"diagnose": False}}
ROWS = 150


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return dressage.ensemble("iris", members=2, recipe=QUICK, out=tmp_path_factory.mktemp("e") / "two")


def test_stopped_and_gone_on_with(two: Ensemble, tmp_path: Path) -> None:
    seen: list[int] = []

    def stop(event: object) -> None:
        seen.append(1) if isinstance(event, EpochEvent) else None
        if len(seen) == 5:  # in the second member
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=r"dressage resume .*stopped`"):
        dressage.ensemble("iris", members=2, recipe=QUICK, out=tmp_path / "stopped", on_event=stop)
    assert Ensemble(tmp_path / "stopped").status == "interrupted"
    with pytest.raises(RunError, match="not all trained"):
        dressage.load(tmp_path / "stopped").predict("iris")
    assert "go on: dressage resume" in call("evaluate", tmp_path / "stopped").err
    gone_on = resume(tmp_path / "stopped")
    assert gone_on.evaluation == two.evaluation and gone_on.status == "finished"
    for a, b in zip(gone_on.members, two.members, strict=True):
        assert all(
            x.equal(y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
        )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"members": [{"folder": "../../x", "weight": 1.0}]}, "leads out of it"),
        ({"members": [{"folder": "members/0", "weight": 0.4}]}, "sum 1"),
        ({"members": [{"folder": "members/0", "weight": "1"}]}, "sum 1"),
        ({"members": 7}, "sum 1"),
        ({"combine": "exec(a=1)"}, "no such combine"),
        ({"combine": None}, "names no rule"),
        ({"format": 99}, "format 99"),
    ],
)
def test_a_damaged_file_is_refused(two: Ensemble, tmp_path: Path, damage: dict[str, object], said: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    known = json.loads((two.folder / "ensemble.json").read_text())
    (copy / "ensemble.json").write_text(json.dumps({**known, **damage}))
    answer = call("predict", copy, "iris")
    assert answer.code == 2 and said in answer.errors[0] and len(answer.errors) == 1


def test_the_command_as_a_process(two: Ensemble, tmp_path: Path) -> None:
    """Members of another ensemble as runs; predict and evaluate take the folder like a run's."""
    places = [run.folder for run in two.members]
    made = process("ensemble", *places, "--combine", "logits", "--out", "both", "--json", cwd=tmp_path)
    assert made.code == 0 and made.json["status"] == "finished" and made.json["combine"] == "logits"
    told = call("evaluate", tmp_path / "both")
    assert told.code == 0 and "against its best member" in told.out and "test accuracy" in told.out
    guessed = call("predict", tmp_path / "both", "iris")
    head, *rows = guessed.out.splitlines()
    assert head.startswith("input,predicted,probability of setosa") and head.endswith(",spread") and len(rows) == ROWS
    refused = call("show", tmp_path / "both")
    assert refused.code == 2 and "is an ensemble" in refused.errors[0]
    for words in (["--combine", "means"], ["--by", "boosting"], []):
        wrong = call("ensemble", *(["iris", *words] if words else []))
        assert wrong.code == 2 and len(wrong.errors) == 1
    assert {"mean", "greedy", "soup"} <= {entry["name"] for entry in call("list", "combine", "--json").json["entries"]}


def test_the_same_again_goes_on_and_another_is_refused(two: Ensemble) -> None:
    kept = {p: p.stat().st_mtime_ns for p in two.folder.rglob("*.json")}
    again = dressage.ensemble("iris", members=2, recipe=QUICK, out=two.folder)
    assert again.evaluation == two.evaluation
    assert kept == {p: p.stat().st_mtime_ns for p in two.folder.rglob("*.json")}, "nothing is left to do"
    with pytest.raises(UsageError, match=r"holds another ensemble \(members 3, was 2\)"):
        dressage.ensemble("iris", members=3, recipe=QUICK, out=two.folder)


def test_data_that_cannot_be_read_is_refused_before_the_first_member(tmp_path: Path) -> None:
    answer = call("ensemble", tmp_path / "nowhere.csv", "--out", tmp_path / "e")
    assert answer.code == 3 and len(answer.errors) == 1 and "member" not in answer.err, answer.err
    assert not (tmp_path / "e").exists()


def test_the_page_says_what_the_ensemble_gained(two: Ensemble) -> None:
    page = (two.folder / "report.html").read_text(encoding="utf-8")
    told = unescape(page)
    assert "<script" not in page and "http" not in page.replace("www.w3", "").replace("http-equiv", "")
    gained = two.facts["gained"]
    assert f"{gained['value']:+.4f}" in told and f"over {gained['n']} rows" in told
    assert f"{100 * two.facts['diversity']['disagreement']:.1f} %" in told and "Ambiguity" in told
    for k, member in enumerate(two.facts["of"]):
        assert f'<a href="members/{k}/report.html">members/{k}</a>' in page
        assert f"{member['scores']['test']['score']:.3f}" in told
    assert page.count('fill-opacity="1"') == 2 and str(two.folder.parent) not in page
    score = two.evaluation["test"]["metrics"]["accuracy"]
    assert f"{score['low']:.3f}–{score['high']:.3f}" in told


def test_a_page_of_several_targets_and_of_names_that_are_markup(tmp_path: Path) -> None:
    rows = [
        "a,<b>kind</b>,size",
        *(f"{i % 7},{'<i>x' if i % 7 > 3 else 'y'},{i % 5 + 0.5 * (i % 3)}" for i in range(120)),
    ]
    (tmp_path / "two.csv").write_text("\n".join(rows))
    recipe = {**QUICK, "data": {"target": "<b>kind</b>,size"}}
    made = dressage.ensemble(tmp_path / "two.csv", members=2, recipe=recipe, out=tmp_path / "e")
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert "<b>kind" not in page and "<i>x" not in page
    assert "&lt;b&gt;kind" in page and "size: R²" in page


@pytest.mark.slow
def test_killed_inside_a_members_training_the_same_command_goes_on(tmp_path: Path) -> None:
    options = "--train.epochs 12 --train.checkpoint_seconds 0.3 --train.threads 1 --watch.diagnose false --plain"
    words = ["digits", "--members", "2", *shlex.split(options)]
    command = [sys.executable, "-m", "dressage", "ensemble", *words, "--out", "killed"]
    for place in ("members/0/checkpoints/[0-9]*", "members/1/checkpoints/[0-9]*", "members/1/refit/checkpoints/[0-9]*"):
        begun = subprocess.Popen(command, cwd=tmp_path)
        until = time.monotonic() + 200
        while not list((tmp_path / "killed").glob(place)) and begun.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert begun.poll() is None, f"it came to its end before {place}"
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
    assert Ensemble(tmp_path / "killed").status == "interrupted"
    done = (tmp_path / "killed/members/0/evaluation.json").stat().st_mtime_ns
    for place in ("killed", "whole"):
        assert process("ensemble", *words, "--out", place, cwd=tmp_path).code == 0
    assert (tmp_path / "killed/members/0/evaluation.json").stat().st_mtime_ns == done, "trained twice"
    for k in (0, 1):
        assert bits(tmp_path / f"killed/members/{k}") == bits(tmp_path / f"whole/members/{k}")
    assert Ensemble(tmp_path / "killed").evaluation == Ensemble(tmp_path / "whole").evaluation
