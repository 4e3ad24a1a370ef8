"""Transfer on the command line: a run from another one, and each wrong source told in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import dressage
from command import call, process
from dressage.errors import DressageError, RecipeError
from dressage.run import load
from dressage.search import go_on
from test_transfer import NET, SHORT, digits, recipe_of, source  # noqa: F401


@pytest.fixture(scope="module")
def place(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A folder with the source as `first`, and few rows of other digits as few.npz."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(source, folder / "first")
    x, y = digits(5, 20)
    np.savez(folder / "few.npz", x=x, y=y)
    np.savez(folder / "wide.npz", x=np.repeat(x, 2, axis=1), y=y)
    np.savez(folder / "rows.npz", x=x.reshape(len(x), -1).astype(np.float32), y=y)
    (folder / "net.pt").write_bytes(b"x")
    (folder / "text.safetensors").write_text("no tensors")
    save_file({}, folder / "empty.safetensors")
    save_file({"0.weight": torch.zeros(4, 1, 3, 3), "other": torch.zeros(3)}, folder / "other.safetensors")
    weights = {name: t.contiguous() for name, t in load(source).model.state_dict().items()}
    save_file({**weights, "0.weight": torch.full((4, 1, 3, 3), torch.nan)}, folder / "nan.safetensors")
    large = torch.full((4, 1, 3, 3), 1e300, dtype=torch.float64)
    save_file({**weights, "0.weight": large}, folder / "large.safetensors")
    unknown = torch.full((4, 1, 3, 3), torch.nan).to(torch.float8_e4m3fn)
    save_file({**weights, "0.weight": unknown}, folder / "unknown.safetensors")
    counts = {name: t.to(torch.complex64) for name, t in weights.items() if name.endswith("batches_tracked")}
    save_file({**weights, **counts}, folder / "complex.safetensors")
    shutil.copytree(source, folder / "bare")
    described = json.loads((folder / "bare" / "data.json").read_text())
    (folder / "bare" / "data.json").write_text(json.dumps({k: v for k, v in described.items() if k != "tensors"}))
    shutil.copytree(source, folder / "flipped")
    for file in (folder / "flipped").glob("checkpoints/*/*.safetensors"):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(bytes(content))
    return folder


def test_a_run_from_another_is_a_run_as_any(place, tmp_path):
    words = ("--transfer.source", place / "first", "--transfer.layers", "top", "--watch.diagnose", "false")
    short = ("--train.epochs", 2, "--train.refit", "false", "--out", tmp_path / "run")
    done = process("train", place / "few.npz", *words, *short)
    assert done.code == 0, done.err
    written = (tmp_path / "run" / "recipe.toml").read_text()
    assert 'name = "convnet"                     # inferred: as in first, whose weights are taken over' in written
    assert 'layers = "top"' in written
    assert call("resume", tmp_path / "run").code == 0
    again = call("reproduce", tmp_path / "run")
    assert again.code == 0 and "the same to the last bit" in again.out + again.err
    assert call("predict", tmp_path / "run", place / "few.npz").code == 0


def test_what_would_be_chosen_is_shown(place):
    shown = call("recipe", "show", place / "few.npz", "--transfer.source", place / "first", "--json").json["recipe"]
    assert shown["transfer.layers"]["value"] == "head" and "few" in shown["transfer.layers"]["why"]
    assert shown["model.width"] == {
        "value": 4,
        "origin": "inferred",
        "why": "as in first, whose weights are taken over",
    }


NO_RUN = "expected the folder of a run"
FORM = ("--model.name", "convnet", "--model.width", 4, "--model.depth", 1, "--model.norm", "batch")


@pytest.mark.parametrize(
    ("data", "words", "said"),
    [
        ("few.npz", ("missing",), NO_RUN),
        ("few.npz", (".",), "is no run folder"),
        ("few.npz", ("few.npz",), NO_RUN),
        ("few.npz", ("net.pt",), "safetensors.torch.save_file"),
        ("few.npz", ("a\0b",), NO_RUN),
        ("few.npz", ("text.safetensors", *FORM), "not a safetensors file"),
        ("few.npz", ("empty.safetensors", *FORM), "is not there"),
        ("few.npz", ("other.safetensors", *FORM), "1.weight is not there"),
        ("few.npz", ("nan.safetensors", *FORM), "not finite in 0.weight"),
        ("few.npz", ("large.safetensors", *FORM), "not finite in 0.weight"),
        ("few.npz", ("unknown.safetensors", *FORM), "not finite in 0.weight"),
        ("few.npz", ("complex.safetensors", *FORM), "complex64, not [] int64"),
        ("few.npz", ("bare",), "data.json: was changed or damaged"),
        ("few.npz", ("flipped",), "no checkpoint"),
        ("few.npz", ("first", "--model.width", 8), "model.width: 8 given; the source has 4"),
        ("few.npz", ("first", "--model.name", "resnet"), "the source has convnet"),
        ("wide.npz", ("first",), "samples of shape (16, 8, 1); it was trained on (8, 8, 1)"),
        ("rows.npz", ("first",), "it was trained on images"),
        ("few.npz", ("first", "--transfer.layers", "heads"), "did you mean 'head'?"),
        ("few.npz", ("first", "--transfer.layers", "staged(at='99')", "--train.epochs", 3), "in a run of 3"),
        ("few.npz", ("first", "--transfer.rate", 0), "greater than 0"),
        ("few.npz", ("first", "--optim.name", "lbfgs", "--transfer.layers", "staged"), "take head, top or all"),
        (
            "few.npz",
            ("first", "--optim.name", "lbfgs", "--transfer.layers", "all", "--transfer.rate", 0.1),
            "one length",
        ),
        ("few.npz", ("first", "--regularize.techniques", "l1", "--transfer.layers", "all"), "its step has one rate"),
    ],
)
def test_what_cannot_be_taken_over_is_told_in_one_line(data, words, said, place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    done = call("train", data, "--out", tmp_path / "run", "--transfer.source", *words)
    assert done.code == 2 and len(done.errors) == 1 and said in done.errors[0], done.err
    assert "Traceback" not in done.err and not (tmp_path / "run").exists()


def test_settings_without_a_source_are_told(place):
    done = call("train", place / "few.npz", "--transfer.layers", "all")
    assert done.code == 2 and "given without transfer.source" in done.err


def test_a_search_goes_on_from_another_folder(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    recipe = {**recipe_of("first"), "train": {"epochs": 1}}
    found = dressage.search("few.npz", recipe=recipe, stages="2x1,1x1", repeats=0, out=tmp_path / "found")
    monkeypatch.chdir(tmp_path)
    assert go_on("found").status == "finished"
    best = max(found.stages[0].results, key=lambda r: r.score)
    assert "transfer" in (tmp_path / "found" / "trials" / f"{best.trial.number:04d}" / "data.json").read_text()


def test_columns_that_differ_are_named(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 3))
    for name, heads in (("first", "abc"), ("second", "abd")):
        lines = [
            ",".join([*heads, "kind"]),
            *(",".join([*(f"{v:.3f}" for v in row), "yn"[int(row[0] > 0)]]) for row in x),
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    recipe = {"train": {"epochs": 2, "refit": False}, "model": {"width": 4}, "watch": {"diagnose": False}}
    dressage.train(tmp_path / "first.csv", recipe=recipe, out=tmp_path / "run")
    with pytest.raises(RecipeError, match="the data has no c, d, which it has not"):
        dressage.train(tmp_path / "second.csv", recipe=recipe_of(tmp_path / "run"), out=tmp_path / "other")
    run = dressage.train(tmp_path / "first.csv", recipe=recipe_of(tmp_path / "run"), out=tmp_path / "again")
    assert "3 of 3 layers" in run.job.reasons["transfer.source"]["reason"]


class Own(nn.Module):
    """A network of one's own."""

    def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.BatchNorm1d(9), nn.ReLU())
        self.head = nn.Linear(9, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.body(x))
        return out


def test_a_network_of_ones_own_is_taken_over_with_its_class(tmp_path):
    plain = {"train": SHORT, "augment": [], "watch": {"diagnose": False}}
    x, y = digits(0, 30)
    first = dressage.train(x, y=y, recipe=plain, model=Own, out=tmp_path / "first")
    x, y = digits(5, 20)
    run = dressage.train(x, y=y, recipe=recipe_of(first.folder), model=Own, out=tmp_path / "run")
    then, now = first.model.state_dict(), run.model.state_dict()
    assert [name for name in now if not torch.equal(now[name], then[name])] == ["head.weight", "head.bias"]
    with pytest.raises(DressageError, match="with a network of your own"):
        dressage.train(x, y=y, recipe=recipe_of(first.folder), out=tmp_path / "other")


@pytest.mark.slow
def test_a_run_may_be_repaired(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--transfer.source", place / "first", "--train.epochs", 2, "--train.refit", "false")
    done = call("train", place / "few.npz", *words, "--optim.lr", 30, "--fix", "--out", "run")
    assert done.code in (0, 4), done.err
    assert (Path("run") / "transfer.safetensors").exists()


assert NET["name"] == "convnet"  # what FORM says
