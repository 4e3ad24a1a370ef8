"""Several targets: read, trained with a head each by the weighted sum of their losses, judged and predicted one by one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dressage
from command import call as command
from dressage import record
from dressage.data.open import open_data
from dressage.data.source import Head, spans
from dressage.data.split import split
from dressage.errors import DataError, RecipeError
from dressage.prepare import prepare
from dressage.recipe import Data
from same import bits

SHORT: dict[str, Any] = {
    "data": {"target": "kind,size"},
    "model": {"width": 16, "depth": 1},
    "optim": {"lr": 0.01},
    "regularize": {"dropout": 0.1, "weight_decay": 0.01},
    "train": {"epochs": 6, "batch_size": 20, "threads": 1},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What is trained here is too small for two threads, which wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def table(folder: Path, rows: int = 120, name: str = "table.csv") -> Path:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(rows, 4))
    kind = np.array(["small", "middle", "large"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    size = 100 + 7 * x[:, 1] - 3 * x[:, 2]
    lines = [f"{','.join(f'{v:.4f}' for v in row)},{k},{s:.3f}" for row, k, s in zip(x, kind, size, strict=True)]
    lines[5] = lines[5].rpartition(",")[0] + ","  # a row without a size
    path = folder / name
    path.write_text("\n".join(["a,b,c,d,kind,size", *lines]) + "\n")
    return path


def test_a_table_with_several_targets(tmp_path: Path) -> None:
    source = open_data(table(tmp_path), Data(target="kind, size"))
    assert (source.task, source.target, source.rows) == ("multi", "kind, size", 119)
    assert list(source.heads) == [Head("kind", ("large", "middle", "small")), Head("size")]
    assert [column.name for column in source.columns if column.kind == "target"] == ["kind", "size"]
    assert source.x.column_names == ["a", "b", "c", "d"]
    assert source.y.dtype == torch.float32 and source.y.shape == (119, 2)
    single = open_data(table(tmp_path), Data(target="kind", ignore=["size"]))
    np.testing.assert_array_equal(source.y[:, 0].numpy(), np.delete(single.y.numpy(), 5))
    assert any("1 rows without all targets are left out: line 7" in text for text in source.warnings)
    parts = split(source, Data(), 0)
    shares = [torch.bincount(source.y[rows, 0].long(), minlength=3) / len(rows) for rows in parts.values()]
    assert all((share - shares[0]).abs().max() < 0.06 for share in shares), (
        "parts hold the first target's classes evenly"
    )
    again = open_data(table(tmp_path), Data(target="kind,size"))
    assert again.fingerprint == source.fingerprint != single.fingerprint


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"target": "kind,siz"}, "no column 'siz'; did you mean 'size'"),
        ({"target": "kind,kind"}, "the target 'kind' twice"),
        ({"target": "kind,size", "group": "size"}, "'size' is both data.target and data.group"),
    ],
)
def test_targets_of_a_table_that_cannot_be(section: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        open_data(table(tmp_path), Data.model_validate(section))


def test_a_column_may_have_a_comma_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('x,"a,b"\n' + "\n".join(f"{i % 7},{'yes' if i % 3 else 'no'}" for i in range(30)) + "\n")
    source = open_data(path, Data(target="a,b"))
    assert (source.task, source.target) == ("classification", "a,b")


def test_several_targets_from_python(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    x, kind, size = generator.normal(size=(60, 3)), np.array(["u", "v", "w"] * 20), generator.normal(size=60)
    named = {"kind": kind, "size": size}
    fields = np.zeros(60, dtype=[("kind", "U1"), ("size", "f8")])
    fields["kind"], fields["size"] = kind, size
    first, second = open_data(x, Data(), y=named), open_data(x, Data(), y=fields)
    third = open_data({"x": x, "y": named}, Data())
    assert first.fingerprint == second.fingerprint == third.fingerprint
    assert list(first.heads) == [Head("kind", ("u", "v", "w")), Head("size")]
    assert [(s.start, s.stop) for s in spans(first.heads)] == [(0, 3), (3, 4)]
    np.savez(tmp_path / "a.npz", x=x, kind=kind, size=size)
    assert open_data(tmp_path / "a.npz", Data(target="kind,size")).fingerprint == first.fingerprint
    with pytest.raises(DataError, match="no array 'sizes'; did you mean 'size'"):
        open_data(tmp_path / "a.npz", Data(target="kind,sizes"))
    with pytest.raises(DataError, match="expected one x beside several targets"):
        open_data({"x": x, "images": x, "kind": kind, "size": size}, Data(target="kind,size"))
    alone = open_data(x, Data(), y={"kind": kind})
    assert (alone.task, alone.target, alone.heads) == ("classification", "kind", ())
    with pytest.raises(DataError, match=r"y\['size'\]: x has 60 rows and y has 59"):
        open_data(x, Data(), y={"kind": kind, "size": size[:-1]})
    with pytest.raises(DataError, match="the target 'both' has several numbers a row"):
        open_data(x, Data(), y={"kind": kind, "both": generator.normal(size=(60, 2))})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"train": {"monitor": "metric"}}, "train.monitor: 'metric' given"),
        ({"augment": ["mixup"]}, "labels of several targets are not mixed"),
        ({"loss": {"name": "mse"}}, "loss.name: 'mse' given; the task is a multi; use multi"),
        ({"loss": {"weights": [1.0, 2.0, 3.0]}}, "loss.weights: 3 given; 2 targets: kind, size"),
        ({"data": {"target": "kind"}, "loss": {"weights": [1.0]}}, "loss.weights: 1 given; there is one target"),
        ({"data": {"target": "kind"}, "loss": {"name": "multi"}}, "loss.name: 'multi' given"),
    ],
)
def test_recipes_that_several_targets_cannot_bear(written: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=says):
        prepare(table(tmp_path), {"data": {"target": "kind,size"}, **written})


def test_a_training_for_several_targets_from_end_to_end(tmp_path: Path) -> None:
    data = table(tmp_path)
    recipe = {**SHORT, "train": {**SHORT["train"], "epochs": 25}, "loss": {"weights": [1.0, 0.5]}}
    run = dressage.train(data, recipe=recipe, out=tmp_path / "run")
    assert run.recipe.train.refit and run.recipe.loss.name == "multi"
    assert run.metrics["kind accuracy"] > 0.7 and run.metrics["size r2"] > 0.7
    epoch = run.history.epochs[-1]
    assert {"val_loss", "val_kind_accuracy", "val_size_rmse"} <= set(epoch)
    judged = run.evaluation["validation"]
    assert epoch["val_size_rmse"] == pytest.approx(judged["metrics"]["size rmse"]["value"], rel=1e-4)
    assert set(judged["each"]) == {"kind", "size"} and judged["each"]["kind"]["per_class"]
    assert {m["target"] for m in judged["mistakes"]} == {"kind", "size"}

    found = run.predict(data)
    kind, size = found.each["kind"], found.each["size"]
    assert kind.probabilities is not None and size.values is not None
    assert kind.probabilities.shape == (120, 3) and size.values.shape == (120,)
    torch.testing.assert_close(kind.probabilities.sum(1), torch.ones(120, dtype=torch.float64))
    assert 90 < float(size.values.mean()) < 110
    assert set(kind.labels) <= {"small", "middle", "large"}
    whole = table(tmp_path, name="whole.csv")
    whole.write_text("\n".join(line for line in data.read_text().split("\n") if line and not line.endswith(",")) + "\n")
    scores = run.evaluate(whole)["metrics"]
    truth = np.array([float(line.rpartition(",")[2]) for line in whole.read_text().split("\n")[1:] if line])
    error = np.sqrt(np.mean((run.predict(whole).each["size"].values.numpy() - truth) ** 2))
    assert scores["size rmse"]["value"] == pytest.approx(error, rel=1e-6)
    page = run.report().read_text()
    assert "kind accuracy" in page and "size R²" in page
    assert any("(size)" in c.name for c in dressage.diagnose(run).checks)
    assert dressage.reproduce(run.folder).first_difference is None


def test_a_run_for_several_targets_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, taken = table(tmp_path), []
    recipe = {**SHORT, "train": {**SHORT["train"], "epochs": 2, "refit": False}}

    class EachEvent(record.Saver):
        def after(self, event: object, state: Any) -> None:
            self.save(state)
            self.writer.wait()
            taken.append(tmp_path / f"run-{len(taken)}")
            shutil.copytree(tmp_path / "run", taken[-1])

    with monkeypatch.context() as patch:
        patch.setattr(record, "Saver", EachEvent)
        whole = bits(dressage.train(data, recipe=recipe, out=tmp_path / "run").folder)
    for folder in (taken[1], taken[6]):
        assert bits(dressage.resume(folder).folder) == whole


def test_arrays_with_several_targets_are_trained_on_judged_and_used(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    x = generator.integers(0, 256, (90, 8, 8), dtype=np.uint8)
    y = {"light": x.mean((1, 2)) / 255, "left": np.where(x[:, :, :4].sum((1, 2)) > x[:, :, 4:].sum((1, 2)), 1, 0)}
    recipe = {"model": {"width": 4, "depth": 1}, "train": {"epochs": 2, "threads": 1}}
    run = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "run")
    assert run.recipe.model.name == "convnet"
    right = np.mean(np.array(run.predict(x).each["left"].labels) == y["left"].astype(str))
    assert run.evaluate(x, y)["metrics"]["left accuracy"]["value"] == pytest.approx(right)
    assert run.evaluate({"x": x, "y": y})["metrics"] == run.evaluate(x, y)["metrics"]
    np.savez(tmp_path / "new.npz", x=x, **y)
    assert run.evaluate(tmp_path / "new.npz")["metrics"] == run.evaluate(x, y)["metrics"]
    assert len(run.predict(tmp_path / "new.npz").each["light"].ids) == 90
    with pytest.raises(DataError, match="y: no target 'left'"):
        run.evaluate(x, {"light": y["light"]})
    with pytest.raises(DataError, match="expected light, left by name"):
        run.evaluate(x, y["light"])
    with pytest.raises(DataError, match="labels of 'left': '7'"):
        run.evaluate(x, {**y, "left": np.full(90, 7)})


def test_the_command_line(tmp_path: Path) -> None:
    data = table(tmp_path)
    options = ["--loss.weights", "1,0.5", "--train.epochs", "2", "--train.refit", "false", "--model.width", "8"]
    done = command("train", data, "--target", "kind,size", *options, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "kind accuracy" in done.out and "size R²" in done.out
    shown = command("show", tmp_path / "run")
    assert "val kind accuracy" in shown.out and "weights = [1.0, 0.5]" in shown.out
    out = command("predict", tmp_path / "run", data).out.splitlines()
    assert out[0].split(",")[:3] == ["input", "kind: predicted", "kind: probability of large"]
    assert out[0].endswith(",size: predicted") and len(out) == 121
    judged = command("evaluate", tmp_path / "run", "--json").json
    assert set(judged["evaluation"]["test"]["each"]) == {"kind", "size"}
    checked = command("check", data, "--target", "kind,size")
    assert checked.code in (0, 1) and "data.leakage (kind)" in checked.out and "data.leakage (size)" in checked.out
