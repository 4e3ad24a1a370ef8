"""A CSV of image files with several labels: read, trained on, judged, asked again, refused where it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dressage
from dressage.data.open import open_data
from dressage.errors import DataError
from dressage.recipe import Data
from dressage.run import Run

RECIPE = {
    "data": {"target": "side, amount"},
    "model": {"width": 8, "depth": 1},
    "train": {"epochs": 12, "threads": 1},
    "watch": {"diagnose": False},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which half is brighter, and how bright all is; `other` is a column that nobody asks for."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    lines = ["file,side,amount,other"]
    for i in range(240):
        left, right = rng.integers(20, 236, 2)
        image = np.concatenate([np.full((12, 6), left), np.full((12, 6), right)], 1) + rng.integers(-15, 16, (12, 12))
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{i:03}.png")
        lines.append(f"{i:03}.png,{'left' if left > right else 'right'},{(left + right) / 510:.4f},x")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return dressage.train(pictures, recipe=RECIPE, out=tmp_path_factory.mktemp("run") / "run")


def test_it_is_read(pictures: Path) -> None:
    source = open_data(pictures, Data(target="side,amount"))
    assert source.kind == "images" and source.task == "multi" and source.target == "side, amount"
    assert [(head.name, tuple(head.classes)) for head in source.heads] == [("side", ("left", "right")), ("amount", ())]
    rows = [line.split(",") for line in pictures.read_text().splitlines()[1:]]
    assert source.y[:, 0].tolist() == [float(row[1] == "right") for row in rows]
    assert np.allclose(source.y[:, 1], [float(row[2]) for row in rows])
    assert source.assumed["columns"] == "paths in 'file', labels in 'side' and 'amount'"
    other = open_data(pictures, Data(target="amount,side"))
    assert [head.name for head in other.heads] == ["amount", "side"] and other.fingerprint != source.fingerprint
    assert open_data(pictures, Data(target="side")).classes == ("left", "right")


def test_it_is_trained_on_judged_and_asked_again(run: Run, pictures: Path) -> None:
    assert run.recipe.model.name == "convnet" and run.recipe.loss.name == "multi"
    assert run.metrics["side accuracy"] > 0.8 and run.metrics["amount r2"] > 0.5
    again = dressage.load(run.folder).evaluate(pictures)
    assert again["n"] == 240 and again["metrics"]["side accuracy"]["value"] > 0.8
    alone = run.predict(pictures.parent / "007.png").each
    row = pictures.read_text().splitlines()[8].split(",")
    assert abs(float(alone["amount"].values[0]) - float(row[2])) < 0.3 and alone["side"].labels[0] in ("left", "right")
    assert dressage.reproduce(run.folder).first_difference is None


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("side,amont", "no column 'amont'; did you mean 'amount'"),
        ("side,file", "'file' holds the paths"),
        ("side,other", "only one class"),
    ],
)
def test_what_is_wrong_is_said(pictures: Path, target: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        open_data(pictures, Data(target=target))
