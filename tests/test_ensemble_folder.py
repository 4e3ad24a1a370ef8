"""The folder of an ensemble: gone on with, used from the command line, damaged."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from html import unescape
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

import dressage
from command import call, process
from dressage.ensemble import Ensemble, resume
from dressage.ensemble.page import render
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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"of": []}, "'of' is damaged"),
        ({"of": [{"name": "a", "weight": 1.0, "scores": {"test": {"score": "x", "loss": 0.1}}}]}, "'of' is damaged"),
        ({"of": [{"name": "a", "weight": 1.0, "scores": {}}, 7]}, "'of' is damaged"),
        ({"gained": {}}, "'gained' is damaged"),
        ({"gained": {"best": 99, "low": None}}, "'gained' is damaged"),
        ({"gained": {"best": 0, "value": 0.1, "low": 0.0, "high": None, "n": 30}}, "'gained' is damaged"),
        ({"diversity": {"disagreement": 0.1}}, "'diversity' is damaged"),
        ({"diversity": []}, "'diversity' is damaged"),
        ({"lines": [{}]}, "'lines' is damaged"),
        ({"lines": [{"ends": "ab", "barrier": 0.0, "loss_barrier": 0.0}]}, "'lines' is damaged"),
        ({"told": 7}, "'told' is damaged"),
    ],
)
def test_damaged_facts_are_refused_where_they_are_told(
    two: Ensemble, tmp_path: Path, damage: dict[str, object], said: str
) -> None:
    copy = shutil.copytree(two.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("members"))
    known = json.loads((copy / "ensemble.json").read_text())
    (copy / "ensemble.json").write_text(json.dumps({**known, **damage}))
    for command in ("evaluate", "resume"):
        answer = call(command, copy)
        assert answer.code == 2 and said in answer.errors[0] and len(answer.errors) == 1, answer.err


def _unfinished(two: Ensemble, place: Path, *, members: int, **asked: object) -> Path:
    """The ensemble as it is when it was stopped after so many members."""
    copy = shutil.copytree(two.folder, place)
    for k in range(members, 2):
        shutil.rmtree(copy / "members" / str(k))
    if not members:
        (copy / "members").rmdir()
    known = json.loads((copy / "ensemble.json").read_text())
    (copy / "ensemble.json").write_text(json.dumps({"asked": {**known["asked"], **asked}}))
    return copy


def test_a_wrong_word_leaves_an_ensemble_that_has_no_member_yet(two: Ensemble, tmp_path: Path) -> None:
    stopped = _unfinished(two, tmp_path / "stopped", members=0)
    answer = call("resume", stopped, tmp_path / "typo.csv")
    assert answer.code == 3 and len(answer.errors) == 1
    assert resume(stopped).evaluation == two.evaluation


def test_a_damaged_rule_is_refused_before_the_first_member(two: Ensemble, tmp_path: Path) -> None:
    answer = call("resume", _unfinished(two, tmp_path / "e", members=0, combine=7))
    assert answer.code == 2 and len(answer.errors) == 1 and not (tmp_path / "e" / "members").exists()


def test_other_data_is_refused(tmp_path: Path) -> None:
    """Of a finished ensemble and of one with a finished member, of arrays and of a file that was edited since."""
    x, y = load_iris(return_X_y=True)
    place, said = tmp_path / "arrays", "arrays: the data is not the same; expected .*; give that data, or make another"
    made = dressage.ensemble(x, y=y, members=2, recipe=QUICK, out=place)
    again = dressage.ensemble(x, y=y, members=2, recipe=QUICK, out=place)
    assert again.evaluation == made.evaluation
    with pytest.raises(RunError, match=said):
        dressage.ensemble(x + 1, y=y, members=2, recipe=QUICK, out=place)
    with pytest.raises(RunError, match=said):
        resume(place, x, y=y[::-1].copy())
    half = _unfinished(made, tmp_path / "half-arrays", members=1)
    with pytest.raises(RunError, match=said):
        resume(half, x + 1, y=y)
    assert not (half / "members/1").exists() and resume(half, x, y=y).evaluation == made.evaluation

    file, words = tmp_path / "a.csv", ("--members", 2, "--train.epochs", 1, "--watch.diagnose", "false")
    rows = [f"{i % 7},{(i * i) % 11},{'no' if i % 7 > 3 else 'yes'}" for i in range(120)]
    file.write_text("\n".join(["a,b,kind", *rows]))
    assert call("ensemble", file, *words, "--out", tmp_path / "e").code == 0
    file.write_text("\n".join(["a,b,kind", "5,5,no", *rows[1:]]))
    refused = call("ensemble", file, *words, "--out", tmp_path / "e")
    assert refused.code == 2 and "the data is not the same" in refused.errors[0]


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


def test_the_page_links_each_member_to_its_own_report(two: Ensemble, tmp_path: Path) -> None:
    """Where the second of three has diverged, the two that are kept lie at 0 and 2."""
    copy = shutil.copytree(two.folder, tmp_path / "copy")
    shutil.copytree(copy / "members/1", copy / "members/2")
    of = [{**m, "name": f"{copy}/members/{k}"} for k, m in zip((0, 2), two.facts["of"], strict=True)]
    page = render(copy, {**two.facts, "of": of}, two.evaluation)
    assert '<a href="members/0/report.html">members/0</a>' in page
    assert '<a href="members/2/report.html">members/2</a>' in page and "members/1" not in page
    elsewhere = [{**m, "name": f"runs/{k}"} for k, m in enumerate(of)]
    assert '<a href="members' not in render(copy, {**two.facts, "of": elsewhere}, two.evaluation)


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
