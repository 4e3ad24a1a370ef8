"""`train --fix`: what is found is mended where the recipe can, and the better of the two trainings is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dressage
from dressage.errors import Diverged
from dressage.recipe import as_recipe
from dressage.remedies import edited
from dressage.repair import mendable

FAST = {"train": {"epochs": 3}}


def test_a_rate_that_diverges_is_lowered(tmp_path: Path) -> None:
    wild = {**FAST, "optim": {"name": "sgd", "lr": 1e9}, "schedule": {"name": "constant", "warmup": 0}}
    with pytest.raises(Diverged):
        dressage.train("iris", recipe=wild, out=tmp_path / "plain")
    wild = {**wild, "optim": {"name": "sgd", "lr": 30.0}, "model": {"depth": 6}}
    try:
        found = dressage.repair("iris", recipe=wild, out=tmp_path / "a")
    except Diverged as error:
        found = None
        assert "lower the rate" in str(error)
    if found is not None and found.second is not None:
        told = json.loads((found.first / "repair.json").read_text())
        assert told["changes"]["optim.lr"][0] == 30.0
        assert told["changes"]["optim.lr"][1] < 30.0
        assert found.kept.folder in (found.first, found.second)


def test_nothing_found_leaves_one_run(tmp_path: Path) -> None:
    found = dressage.repair("iris", recipe=FAST, out=tmp_path / "a")
    assert found.second is None
    assert found.kept.folder == tmp_path / "a"
    assert not (tmp_path / "a-repaired").exists()


def test_the_surest_cause_is_mended_and_notes_are_not() -> None:
    findings = [
        {"id": "sym.nonfinite_loss", "severity": "critical", "edit": {"optim.lr": 1.0}, "confidence": 1.0},
        {"id": "optim.lr_too_high", "severity": "warning", "edit": {"optim.lr": 0.1}, "confidence": 0.7},
        {"id": "data.unscaled_inputs", "severity": "info", "edit": {"data.preprocess": ["standardize"]}},
        {"id": "data.leakage", "severity": "warning", "edit": {}},
    ]
    chosen = mendable(findings)
    assert chosen is not None
    assert chosen["id"] == "optim.lr_too_high"
    assert mendable(findings[2:]) is None


def test_an_edit_keeps_what_was_written_and_nothing_else() -> None:
    recipe = as_recipe({"seed": 3, "optim": {"name": "sgd"}})
    changed = edited(recipe, {"optim.lr": 0.5, "model.width": 8})
    assert changed.seed == 3
    assert (changed.optim.name, changed.optim.lr, changed.model.width) == ("sgd", 0.5, 8)
    assert "batch_size" not in changed.train.model_fields_set


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dressage",
            "train",
            "iris",
            "--fix",
            "--train.epochs",
            "3",
            "--out",
            str(tmp_path / "a"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "repair: nothing was found" in done.stderr
