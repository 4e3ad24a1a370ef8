"""A run that somebody looks at: scores, curves, predictions, and a folder that was tampered with."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import dressage
from dressage.errors import DataError, RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    y = np.where(x[:, 0] + x[:, 1] > 0, "up", "down")
    return dressage.train(x, y=y, recipe={"train": {"epochs": 15}}, out=tmp_path_factory.mktemp("runs") / "one"), x, y


def test_metrics_history_and_status(run):
    one, _, _ = run
    assert one.status == "finished" and one.metrics["accuracy"] > 0.8
    assert len(one.history.epochs) >= 5 and len(one.history.steps) == len(one.history.columns["loss"])
    assert one.recipe.train.epochs == 15 and one.findings == []
    assert "accuracy" in one._repr_html_() and one.report().read_text(encoding="utf-8").startswith("<!doctype html>")


def test_predictions_are_those_of_the_network_with_the_best_weights(run):
    one, x, y = run
    prediction = one.predict(x)
    assert prediction.probabilities.shape == (120, 2) and prediction.classes == ["down", "up"]
    torch.testing.assert_close(prediction.probabilities.sum(1), torch.ones(120, dtype=torch.float64))
    assert np.mean(np.array(prediction.labels) == y) > 0.8
    with torch.no_grad():
        outputs = one.model(one.kept.preprocess().apply(torch.from_numpy(x)))
    assert torch.equal(outputs.double().softmax(1), prediction.probabilities)


def test_a_run_is_the_same_after_it_was_moved_and_loaded(run, tmp_path):
    one, x, _ = run
    shutil.copytree(one.folder, tmp_path / "moved")
    again = dressage.load(tmp_path / "moved")
    assert torch.equal(again.predict(x).probabilities, one.predict(x).probabilities)
    assert again.metrics == one.metrics


def test_evaluate_on_new_data_agrees_with_predict(run):
    one, x, y = run
    judged = one.evaluate(x[:50], y[:50])
    share = np.mean(np.array(one.predict(x[:50]).labels) == y[:50])
    assert judged["metrics"]["accuracy"]["value"] == pytest.approx(share)
    with pytest.raises(DataError, match="it has no target"):
        one.evaluate(x[:50])


def test_a_regression_predicts_in_the_targets_units(tmp_path):
    generator = np.random.default_rng(1)
    area = generator.uniform(30, 200, 300)
    table = pa.table({"area": area, "price": 3000 * area + generator.normal(0, 2000, 300)})
    recipe = {"data": {"target": "price"}, "train": {"epochs": 40}, "regularize": {"dropout": 0.0}}
    one = dressage.train(table, recipe=recipe, out=tmp_path / "r")
    values = one.predict(pa.table({"area": [50.0, 150.0]})).values
    assert values.shape == (2,) and abs(float(values[1] - values[0]) - 300_000) < 60_000
    (tmp_path / "new.csv").write_text("area\n50\n150\n")
    assert torch.equal(one.predict(tmp_path / "new.csv").values, values), "a file with the one feature alone"
    assert one.metrics["r2"] > 0.9 and one.predict(table).labels == []


@pytest.mark.parametrize("name", ["refit/data.safetensors", "refit/checkpoints"])
def test_a_flipped_bit_is_told_and_nothing_is_predicted(run, tmp_path, name):
    one, x, _ = run
    shutil.copytree(one.folder, tmp_path / "bad")
    files = [tmp_path / "bad" / name] if "." in name else sorted((tmp_path / "bad" / name).glob("*/*.safetensors"))
    for file in files:
        content = bytearray(file.read_bytes())
        content[-3] ^= 16
        file.write_bytes(content)
    with pytest.raises(RunError):
        dressage.load(tmp_path / "bad").predict(x)


def test_a_changed_recipe_is_refused_with_the_difference(run, tmp_path):
    one, x, _ = run
    shutil.copytree(one.folder, tmp_path / "bad")
    file = tmp_path / "bad" / "recipe.toml"
    file.write_text(file.read_text().replace("epochs = 15", "epochs = 16"))
    with pytest.raises(RunError, match=r"train\.epochs is 16, was 15"):
        dressage.resume(tmp_path / "bad", x)


def test_an_own_network_is_trained_and_asked_for_again(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(80, 3)).astype("float32"), np.arange(80) % 2
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    one = dressage.train(x, y=y, model=net, recipe={"train": {"epochs": 2}}, out=tmp_path / "own")
    expected = one.predict(x).probabilities
    with pytest.raises(RunError, match="a network of your own"):
        dressage.load(tmp_path / "own").predict(x)
    fresh = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    assert torch.equal(dressage.load(tmp_path / "own", model=fresh).predict(x).probabilities, expected)


def test_nothing_in_a_run_folder_is_code(run):
    one, _, _ = run
    kinds = {
        file.suffix for file in one.folder.rglob("*") if file.is_file() and file.name not in (".lock", "best", "last")
    }
    assert kinds <= {".toml", ".json", ".safetensors", ".db", ".html"}
    json.loads((one.folder / "evaluation.json").read_text())


def test_what_is_judged_and_kept_is_the_best_epoch_and_not_the_last(tmp_path):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(200, 6)).astype("float32")
    y = (x[:, 0] + generator.normal(0, 2, 200) > 0).astype(int)  # mostly noise: it is soon learned by heart
    settings = {
        "train": {"epochs": 40, "patience": 0},
        "optim": {"lr": 0.02},
        "average": "none",
        "regularize": {"dropout": 0},
    }
    one = dressage.train(x, y=y, recipe=settings, out=tmp_path / "r")
    losses = [epoch["val_loss"] for epoch in one.history.epochs]
    assert losses[-1] > min(losses) * 1.1, "the last epoch is clearly not the best, or this shows nothing"
    assert one.evaluation["validation"]["metrics"]["log_loss"]["value"] == pytest.approx(min(losses), rel=1e-4)
