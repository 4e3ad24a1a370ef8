"""evaluation.json that was damaged, of a run and of an ensemble: an error in three parts, whatever is wrong in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dressage
from command import call
from dressage.ensemble import Ensemble

QUICK = {"model": {"width": 8}, "train": {"epochs": 1, "refit": False}, "watch": {"diagnose": False}}
MISSING = "(taken out)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return dressage.ensemble("iris", members=2, recipe=QUICK, out=tmp_path_factory.mktemp("stored") / "e")


@pytest.fixture(params=["ensemble", "member"])
def place(request: pytest.FixtureRequest, made: Ensemble) -> Iterator[Path]:
    """A folder whose evaluation.json is put back after the test."""
    folder = made.folder if request.param == "ensemble" else made.folder / "members/0"
    before = (folder / "evaluation.json").read_bytes()
    yield folder
    (folder / "evaluation.json").write_bytes(before)


DAMAGE: list[tuple[tuple[str, ...], object]] = [
    (("test",), 7),
    (("test",), []),
    (("test", "metrics"), MISSING),
    (("test", "metrics", "accuracy"), MISSING),
    (("test", "metrics", "accuracy"), 0.5),
    (("test", "metrics", "accuracy", "value"), "high"),
    (("test", "metrics", "accuracy", "low"), MISSING),
    (("test", "headline"), "r2"),
    (("test", "baseline"), []),
    (("test", "baseline", "metrics"), None),
    (("test", "confused"), {}),
    (("test", "confused"), [{"true": "a"}]),
    (("test", "each"), {"y": 1}),
    (("gaps",), 7),
    (("gaps",), {}),
    (("gaps",), {"said": "x", "next": [], "notes": None}),
]


def put(found: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for key in path[:-1]:
        found = found[key]
    if value is MISSING:
        del found[path[-1]]
    else:
        found[path[-1]] = value


@pytest.mark.parametrize(("path", "value"), DAMAGE, ids=str)
def test_what_is_damaged_is_said(place: Path, path: tuple[str, ...], value: object) -> None:
    found = copy.deepcopy(json.loads((place / "evaluation.json").read_text()))
    put(found, path, value)
    (place / "evaluation.json").write_text(json.dumps(found))
    commands = [("evaluate", place), ("evaluate", place, "--json")]
    commands += [("show", place), ("show", place, "--json")] if place.name == "0" else [("resume", place)]
    for words in commands:
        answer = call(*words)
        assert answer.code == 2 and len(answer.errors) == 1, answer.err
        assert f"evaluation.json: its '{path[0]}' is damaged; expected" in answer.errors[0]


def test_a_text_that_is_no_object_is_said(place: Path) -> None:
    for text in ("", "[]", "7", '{"test": ', '{"test": {"metrics": {"accuracy": {"value": NaN}}}}'):
        (place / "evaluation.json").write_text(text)
        answer = call("evaluate", place)
        assert answer.code == 2 and len(answer.errors) == 1 and answer.errors[0].count("; ") >= 2


def test_a_trial_of_a_search_has_no_baseline_and_can_be_asked(tmp_path: Path) -> None:
    space = ("--space", "optim.lr=log:1e-3:1e-2", "--trials", 1, "--out", tmp_path / "s", "--model.width", 8)
    made = call("search", "iris", *space, "--train.epochs", 1, "--json")
    assert made.code == 0, made.err
    trial = next((tmp_path / "s").rglob("evaluation.json")).parent
    answer = call("evaluate", trial, "--json")
    assert answer.code == 0 and set(answer.json["evaluation"]) == {"validation"}, answer.err
