"""Techniques that are tested by their formulas elsewhere, each named in a whole run: trained, judged, stored, asked again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from command import call

DIGITS = load_digits()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits of 8 × 8 pixels in colour, whose channels are not of one scale."""
    grey = DIGITS.images[:900, :, :, None] * np.array([15.0, 9.0, 3.0])
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(file, x=grey.astype(np.uint8), y=DIGITS.target[:900])
    return file


@pytest.mark.parametrize(
    "options",
    [
        ("--data.preprocess", "center"),
        ("--data.preprocess", "center_per_channel"),
        ("--data.preprocess", "standardize_per_channel"),
        ("--evaluate.views", "multi_scale_ten_crop"),
        ("--model.name", "resnet", "--model.activation", "maxout", "--model.depth", "1"),
    ],
)
def test_a_technique_in_a_whole_run(images: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    run, few = tmp_path / "run", ("--train.epochs", "4", "--watch.diagnose", "false", "--augment", "none")
    made = call("train", images, *options, "--model.width", "8", *few, "--out", run, "--json")
    assert made.code == 0, made.err
    test = made.json["scores"]["test"]["accuracy"]["value"]
    assert test > (0.3 if "multi_scale_ten_crop" in options else 0.6)
    asked = call("evaluate", run, images, "--json")
    again = call("predict", run, images, "--json")
    assert asked.code == again.code == 0, asked.err + again.err
    said = [row["predicted"] == str(y) for row, y in zip(again.json["rows"], DIGITS.target, strict=False)]
    assert np.mean(said) == pytest.approx(asked.json["evaluation"]["new data"]["metrics"]["accuracy"]["value"])
    if options[0] == "--data.preprocess":
        stored = json.loads((run / "data.json").read_text())
        assert stored["preprocess"]["steps"] == [options[1]]


@pytest.mark.parametrize("network", ["resnet", "convnet", "recurrent"])
def test_what_cannot_be_built_is_refused_before_anything_is_read_twice(network: str) -> None:
    """`recipe show` says what `train` says."""
    shown, trained = (call(*words, "digits", "--model.name", network) for words in (("recipe", "show"), ("train",)))
    assert shown.code == trained.code == 2 and shown.err == trained.err and network in shown.err
