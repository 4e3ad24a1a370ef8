"""The one door: what is told apart by looking, frames, and torch datasets, fixed and random."""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from dressage import recipe
from dressage.data.dataset_batches import loader, read_batch
from dressage.data.open import open_data
from dressage.data.source import StreamedDataset
from dressage.errors import DataError

DATA = recipe.Data()


def refused(data: object, y: object = None, section: recipe.Data = DATA) -> str:
    with pytest.raises(DataError) as error:
        open_data(data, section, y=y)
    assert str(error.value).count(";") >= 2, "three parts"
    return str(error.value)


def frame() -> dict[str, list[Any]]:
    return {"a": [float(i % 7) for i in range(60)], "b": ["x", "y", "z"] * 20, "label": [0, 1] * 30}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_with_a_named_target(make: Any) -> None:
    source = open_data(make(frame()), recipe.Data(target="label"))
    assert source.kind == "table" and source.rows == 60 and source.target == "label"


@pytest.mark.parametrize("make_y", [pd.Series, pl.Series, np.array, list, torch.tensor])
def test_frames_with_y_beside_them(make_y: Any) -> None:
    columns = frame()
    y = make_y(columns.pop("label"))
    source = open_data(pd.DataFrame(columns), DATA, y=y)
    assert source.rows == 60 and source.y.tolist() == [0, 1] * 30
    assert "59 rows and the frame 60" in refused(pd.DataFrame(columns), y[:-1])


def test_a_filtered_frame_does_not_learn_from_its_index() -> None:
    table = pd.DataFrame(frame())
    source = open_data(table[table.a > 0], recipe.Data(target="label"))
    assert not any("index" in c.name for c in source.columns)


def test_csv_and_parquet_go_to_the_tables(tmp_path: Path) -> None:
    pd.DataFrame(frame()).to_csv(tmp_path / "t.csv", index=False)
    assert open_data(tmp_path / "t.csv", DATA).kind == "table"
    assert open_data(tmp_path, DATA).kind == "table"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.zip", "unpack it"), ("a.jpg", "a single image"), ("a.xyz", "unknown kind"), ("empty.csv", "an empty file"),
    ],
)  # fmt: skip
def test_files_that_are_no_data(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("" if name == "empty.csv" else "x")
    assert words in refused(tmp_path / name)


@pytest.mark.parametrize("path", ["", "a\0b", "no/such/folder/at.all", "x" * 5000, "\x1b[31m/red\n"])
def test_paths_that_are_none(path: str) -> None:
    text = refused(path)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("given", "meant"),
    [("iris.csv", ""), ("wnie.csv", "wine.csv"), ("WINE.csv", "wine.csv"), ("wine.par", "wine.parquet")],
)
def test_a_file_that_is_not_there_gets_the_nearest_stem(tmp_path: Path, given: str, meant: str) -> None:
    for name in ("wine.csv", "wine.parquet", "notes.doc"):
        (tmp_path / name).touch()
    told = refused(tmp_path / given)
    assert f"did you mean '{meant}'?" in told if meant else "did you mean" not in told


def test_a_folder_that_says_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.doc").touch()
    assert "notes.doc" in refused(tmp_path)
    assert "given beside a path" in refused(tmp_path, [1, 2])


class Squares(Dataset[Any]):
    """Fixed samples."""

    classes = ("even", "odd")

    def __init__(self, count: int = 50) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> Any:
        return torch.full((3, 4), float(row)), row % 2


class Noisy(Squares):
    """Samples that draw from every global generator, and leave them moved."""

    def __getitem__(self, row: int) -> Any:
        draws = [torch.rand(3), torch.from_numpy(np.random.rand(3)), torch.tensor([random.random()] * 3)]
        return torch.stack([d.float() for d in draws]) + row, "odd" if row % 2 else "even"


class Own(Squares):
    """Samples that draw from a generator that nobody can seed."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def __getitem__(self, row: int) -> Any:
        return self.generator.random(3), row % 2


class Pictures(Squares):
    def __getitem__(self, row: int) -> Any:
        mode = ("RGB", "P")[row % 2]
        image = Image.new("RGB", (9, 8), (row, 2, 3))
        return image.quantize(2) if mode == "P" else image, row % 2


def test_a_fixed_dataset_is_read_into_tensors() -> None:
    calls: list[tuple[str, int, int]] = []
    source = open_data(Squares(), DATA, progress=lambda *args: calls.append(args))
    assert source.kind == "array" and source.x.shape == (50, 3, 4) and source.stream is None
    assert source.classes == ("even", "odd") and source.y.tolist() == [0, 1] * 25
    assert isinstance(source.x, torch.Tensor) and source.x[:, 0, 0].tolist() == list(range(50))
    assert calls[-1] == ("reading samples", 50, 50)
    assert open_data(Squares(), recipe.Data(workers=2)).fingerprint == source.fingerprint
    assert open_data(Subset(Squares(), list(range(10, 30))), DATA).rows == 20


def test_pictures_in_a_dataset_become_images() -> None:
    source = open_data(Pictures(), DATA)
    assert source.kind == "images" and source.x.shape == (50, 8, 9, 3)
    assert isinstance(source.x, torch.Tensor) and source.x[41, 0, 0].tolist() == [41, 2, 3]


def test_a_tensor_dataset_is_its_tensors() -> None:
    x, y = torch.randn(40, 5), torch.arange(40) % 2
    assert open_data(TensorDataset(x, y), DATA).fingerprint == open_data(x, DATA, y=y).fingerprint


def test_opening_leaves_the_generators_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    stream = open_data(Noisy(), DATA).stream
    assert stream is not None
    for workers in (0, 2):
        list(loader(stream, [[0, 1], [2]], 0, 0, workers))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1] and random.getstate() == before[2]


def test_a_random_dataset_is_streamed_the_same_for_any_number_of_workers() -> None:
    source = open_data(Noisy(), DATA)
    assert source.stream is not None and "anew each epoch" in source.assumed["data"] and not source.warnings
    order = np.random.default_rng(0).permutation(50).tolist()
    batches = [order[i : i + 8] for i in range(0, 50, 8)]

    def digest(seed: int, epoch: int, workers: int) -> str:
        total = hashlib.sha256()
        assert source.stream is not None
        for x, y in loader(source.stream, batches, seed, epoch, workers):
            total.update(x.numpy().tobytes() + y.numpy().tobytes())
        return total.hexdigest()

    first = digest(3, 1, 0)
    assert {digest(3, 1, workers) for workers in (1, 2, 4)} == {first}
    assert first not in (digest(3, 2, 0), digest(4, 1, 0))


def test_a_sample_does_not_depend_on_its_batch() -> None:
    stream = open_data(Noisy(), DATA).stream
    assert stream is not None
    many, y = read_batch(stream, [5, 6, 7], 1, 2)
    one, _ = read_batch(stream, [6], 1, 2)
    assert not torch.allclose(many[0] - 5, many[1] - 6, atol=1e-3), "each row has its own draw"
    assert torch.equal(many[1], one[0]) and y.tolist() == [1, 0, 1] and y.dtype == torch.int64


def test_the_first_draw_is_in_the_source() -> None:
    source = open_data(Noisy(), DATA)
    assert source.stream is not None and isinstance(source.x, torch.Tensor)
    assert torch.equal(read_batch(source.stream, range(50), 0, 0)[0], source.x)


def test_workers_more_than_cores_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = StreamedDataset(Squares(), {0: 0, 1: 1})
        assert len(list(loader(stream, [[0], [1]], 0, 0, 8))) == 2


def test_a_generator_of_its_own_is_a_warning() -> None:
    assert any("generator of its own" in w for w in open_data(Own(), DATA).warnings)


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield torch.zeros(3), 0


class Broken(Squares):
    def __getitem__(self, row: int) -> Any:
        if row == 20:
            raise KeyError("lost")
        return torch.zeros(3), row % 2


class Ragged(Squares):
    def __getitem__(self, row: int) -> Any:
        return torch.zeros(3 + (row > 30)), row % 2


class Single(Squares):
    def __getitem__(self, row: int) -> Any:
        return torch.zeros(3)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (Endless(), "an IterableDataset"), (Squares(0), "no samples"), (Ragged(), "expected samples of one shape"),
        (Broken(), "Broken[20]: raised KeyError"), (Single(), "expected (x, y)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("workers", [0, 2])
def test_datasets_that_cannot_be_used(dataset: Any, words: str, workers: int) -> None:
    assert words in refused(dataset, section=recipe.Data(workers=workers))


def test_a_dataset_that_does_not_fit_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dressage.data.torch_dataset.available_memory", lambda: 1000)
    assert "take 2.4 kB, 1.0 kB of memory" in refused(Squares())
