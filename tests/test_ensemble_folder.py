"""The folder of an ensemble: gone on with, used from the command line, damaged."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import dressage
from command import call, process
from dressage.ensemble import Ensemble, resume
from dressage.errors import Interrupted, RunError
from dressage.fit import EpochEvent

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
