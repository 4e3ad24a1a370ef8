"""New rows for a trained network: with and without targets, of every kind, and what does not fit is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from dressage import recipe
from dressage.data.inputs import open_inputs
from dressage.data.open import open_data
from dressage.data.preprocess import fit_preprocess
from dressage.errors import DataError


def fitted(data, y=None, steps=(), **section):
    source = open_data(data, recipe.Data(**section), y=y)
    return source, fit_preprocess(source, torch.arange(source.rows), list(steps))


@pytest.fixture
def table():
    rows = range(40)
    return pa.table(
        {
            "size": [float(i) for i in rows],
            "plan": ["basic" if i % 2 else "pro" for i in rows],
            "left": ["yes" if i % 3 else "no" for i in rows],
        }
    )


def test_a_table_without_its_target_and_with_a_new_word(table):
    _, preprocess = fitted(table, target="left")
    inputs = open_inputs(pa.table({"plan": ["gold", "pro", None], "size": [1.0, 2.0, None]}), preprocess)
    assert inputs.y is None and inputs.x.num_rows == 3
    assert any("plan: 1 cells" in note and "'gold'" in note for note in inputs.notes)
    assert preprocess.apply(inputs.x).isfinite().all()


def test_a_table_with_its_target_is_numbered_as_in_training(table):
    source, preprocess = fitted(table, target="left")
    inputs = open_inputs(table.slice(3, 5), preprocess)
    assert torch.equal(inputs.y, source.y[3:8])


def test_arrays_with_labels_by_name_and_of_another_shape():
    x = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    y = np.array(["a", "b", "c"] * 10)
    _, preprocess = fitted(x, y)
    assert open_inputs(x[:3], preprocess, y=["c", "a", "b"]).y.tolist() == [2, 0, 1]
    with pytest.raises(DataError, match=r"samples of shape \(5,\).*expected \(4,\)"):
        open_inputs(np.zeros((2, 5)), preprocess)
    with pytest.raises(DataError, match=r"'d'.*expected the classes of the training"):
        open_inputs(x[:1], preprocess, y=["d"])


@pytest.fixture
def pictures(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for i in range(4):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "all" / name / f"{i}.png")
    return tmp_path


def test_a_folder_named_by_classes_has_labels_and_a_flat_one_has_none(pictures):
    source, preprocess = fitted(pictures / "all")
    labelled = open_inputs(pictures / "all", preprocess)
    assert labelled.y.tolist() == source.y.tolist() and torch.equal(labelled.x, source.x)
    flat = open_inputs(str(pictures / "all" / "dog"), preprocess)
    assert flat.y is None and list(flat.ids) == ["0.png", "1.png", "2.png", "3.png"]
    assert torch.equal(flat.x, source.x[4:])
    one = open_inputs(pictures / "all" / "dog" / "2.png", preprocess)
    assert torch.equal(one.x, source.x[6:7])


def test_pictures_of_another_size_are_brought_to_the_trainings_and_told(pictures):
    _, preprocess = fitted(pictures / "all")
    Image.new("L", (20, 12)).save(pictures / "big.png")
    inputs = open_inputs(pictures / "big.png", preprocess)
    assert inputs.x.shape == (1, 8, 8, 3) and "8x8" in inputs.notes[0]


def test_a_file_without_labels_and_a_named_set(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    _, preprocess = fitted(x, np.arange(30) % 2)
    np.save(tmp_path / "x.npy", x[:5])
    np.savez(tmp_path / "xy.npz", x=x[:5], y=np.arange(5) % 2)
    assert open_inputs(tmp_path / "x.npy", preprocess).y is None
    assert open_inputs(tmp_path / "xy.npz", preprocess).y.tolist() == [0, 1, 0, 1, 0]
    with pytest.raises(DataError, match="no such file"):
        open_inputs("nothing_here", preprocess)


X = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
PIXELS = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
Y = np.arange(30) % 2
TRAINED = {
    "images": "the network was trained on images of 8×8 pixels; give image files, or uint8 arrays",
    "array": "the network was trained on arrays of numbers of shape (4,); give such an array, or a .npy or .npz file",
    "table": "the network was trained on a table with the columns a, b; give a CSV or Parquet file, or a frame",
}


@pytest.fixture
def files(pictures, monkeypatch):
    """A file or folder of each kind in the working directory."""
    monkeypatch.chdir(pictures)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    frame.to_csv("new.csv", index=False)
    frame.to_parquet("new.parquet")
    Path("tables").mkdir()
    frame.to_csv("tables/one.csv", index=False)
    Path("list.csv").write_text(
        "file,label\n" + "".join(f"all/{c}/{i}.png,{c}\n" for c in ("cat", "dog") for i in (0, 1))
    )
    np.save("x.npy", X)
    np.savez("xy.npz", x=X, y=np.array(["u", "v"])[Y])
    np.savez("pixels.npz", x=PIXELS, y=Y)
    return frame


def network(kind):
    """The fitted preprocessing of a network for data of a kind."""
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": np.array(["u", "v"])[Y]})
    return fitted(*{"images": ("all",), "array": (X, Y), "table": (table,)}[kind])[1]


@pytest.mark.parametrize(
    ("kind", "data", "found"),
    [
        ("array", "all", "all: images in a folder"),
        ("array", "all/cat", "all/cat: images in a folder"),
        ("array", "all/cat/0.png", "all/cat/0.png: images given"),
        ("array", "list.csv", "list.csv: a list of images given"),
        ("array", "new.csv", "new.csv: a table given"),
        ("array", "pixels.npz", "pixels.npz: uint8 images of 8×8 pixels"),
        ("array", PIXELS[..., 0], "x: uint8 images of 8×8 pixels"),
        ("array", {"a": X[:, 0], "b": X[:, 1]}, "data: dict given"),
        ("images", "new.csv", "new.csv: a table given"),
        ("images", "new.parquet", "new.parquet: a table given"),
        ("images", "tables", "tables: a table in a folder"),
        ("images", "x.npy", "x.npy: numbers of shape (4,)"),
        ("images", "xy.npz", "xy.npz: numbers of shape (4,)"),
        ("images", "iris", "iris: numbers of shape (4,)"),
        ("images", X, "x: numbers of shape (4,)"),
        ("images", PIXELS / 255, "x: numbers of shape (8, 8, 3)"),
        ("images", {"x": X, "y": Y}, "arrays: numbers of shape (4,)"),
        ("images", "the frame", "data: DataFrame given"),
        ("table", "all", "all: images in a folder"),
        ("table", "all/cat/0.png", "all/cat/0.png: images given"),
        ("table", "x.npy", "x.npy: arrays given"),
        ("table", "iris", "iris: arrays given"),
        ("table", X, "data: ndarray given"),
        ("table", X.tolist(), "data: list given"),
        ("table", None, "data: NoneType given"),
        ("table", pd.Series(X[:, 0]), "data: Series that is no table"),
    ],
)
def test_data_of_another_kind_is_told_with_the_kind_of_the_training(kind, data, found, files):
    with pytest.raises(DataError) as caught:
        open_inputs(files if isinstance(data, str) and data == "the frame" else data, network(kind))
    text = str(caught.value)
    assert text.startswith(found) and TRAINED[kind] in text and text.count("; ") == 2


@pytest.mark.parametrize(
    ("kind", "data", "rows"),
    [
        ("images", "list.csv", 4),
        ("images", PIXELS, 30),
        ("array", pd.DataFrame(X), 30),
        ("array", {"x": X, "y": Y}, 30),
        ("array", TensorDataset(torch.tensor(X), torch.tensor(Y)), 30),
        ("table", "new.parquet", 30),
        ("table", {"a": X[:, 0], "b": X[:, 1]}, 30),
    ],
)
def test_data_of_the_same_kind_in_another_form_is_read(kind, data, rows, files):
    assert len(open_inputs(data, network(kind)).ids) == rows


@pytest.mark.parametrize("kind", ["images", "array", "table"])
def test_a_path_that_cannot_be_one_is_told(kind, files):
    with pytest.raises(DataError, match="cannot be read"):
        open_inputs("x" * 5000, network(kind))


def test_a_folder_with_a_table_is_no_table(files):
    with pytest.raises(DataError, match="tables: a folder; expected a CSV or Parquet file; give a file in it"):
        open_inputs("tables", network("table"))
