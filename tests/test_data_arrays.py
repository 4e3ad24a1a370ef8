"""Arrays from memory, npz, npy and IDX files: layouts, labels, and files that lie about themselves."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from dressage import recipe
from dressage.data import npz
from dressage.data.open import open_data
from dressage.data.preprocess import fit_preprocess
from dressage.errors import DataError

DATA = recipe.Data()
Y = np.arange(40) % 2


def refused(data: object, y: object = None, section: recipe.Data = DATA) -> str:
    with pytest.raises(DataError) as error:
        open_data(data, section, y=y)
    assert str(error.value).count(";") >= 2, "three parts"
    return str(error.value)


def x_of(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "result"),
    [
        ((40, 9, 8), np.uint8, "images", (40, 9, 8, 1)),
        ((40, 9, 8, 1), np.uint8, "images", (40, 9, 8, 1)),
        ((40, 9, 8, 3), np.uint8, "images", (40, 9, 8, 3)),
        ((40, 9, 8, 4), np.uint8, "images", (40, 9, 8, 4)),
        ((40, 3, 9, 8), np.uint8, "images", (40, 9, 8, 3)),
        ((40, 1, 9, 8), np.uint8, "images", (40, 9, 8, 1)),
        ((40, 9), np.uint8, "array", (40, 9)),
        ((40, 3, 4), np.uint8, "array", (40, 3, 4)),
        ((40, 3, 9, 8), np.float32, "array", (40, 3, 9, 8)),
        ((40, 9), np.float64, "array", (40, 9)),
        ((40, 9), np.int64, "array", (40, 9)),
        ((40, 9), ">f4", "array", (40, 9)),
        ((40,), np.float16, "array", (40, 1)),
        ((40, 2), bool, "array", (40, 2)),
    ],
)
def test_layouts(shape: tuple[int, ...], dtype: Any, kind: str, result: tuple[int, ...]) -> None:
    x = x_of(*shape, dtype=dtype)
    source = open_data(x, DATA, y=Y)
    assert source.kind == kind and isinstance(source.x, torch.Tensor) and source.x.shape == result
    assert source.x.dtype == (torch.uint8 if kind == "images" else torch.float32)
    if shape == (40, 3, 9, 8) and kind == "images":
        x = x.transpose(0, 2, 3, 1)
        assert "channels moved last" in source.assumed["images"]
    assert np.array_equal(source.x.numpy().reshape(-1), x.astype(source.x.numpy().dtype).reshape(-1))


def test_tensors_lists_tuples_and_read_only_arrays() -> None:
    x = x_of(40, 3)
    fixed = x.astype(np.float32)
    fixed.flags.writeable = False
    first = open_data(x, DATA, y=Y).fingerprint
    for values in (torch.tensor(x), torch.tensor(x).bfloat16(), x.tolist(), fixed, np.asfortranarray(x)):
        assert open_data(values, DATA, y=torch.tensor(Y)).fingerprint == first
    assert open_data((x, Y), DATA).fingerprint == first
    assert open_data(torch.tensor(x, requires_grad=True), DATA, y=Y).fingerprint == first


def test_the_fingerprint_sees_every_change() -> None:
    x, y = x_of(40, 3), Y.copy()
    first = open_data(x, DATA, y=y).fingerprint
    x[39, 2] += 1
    assert open_data(x, DATA, y=y).fingerprint != first
    x[39, 2] -= 1
    assert open_data(x, DATA, y=y).fingerprint == first
    y[0] = 1 - y[0]
    assert open_data(x, DATA, y=y).fingerprint != first
    assert open_data(x.reshape(40, 3, 1), DATA, y=Y).fingerprint != first


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        ([0, 1] * 20, ("0", "1"), [0, 1] * 20),
        ([0.0, 1.0] * 20, ("0", "1"), [0, 1] * 20),
        ([-1, 1] * 20, ("-1", "1"), [0, 1] * 20),
        ([7, 3, 100, 3] * 10, ("3", "7", "100"), [1, 0, 2, 0] * 10),
        (["b", "a"] * 20, ("a", "b"), [1, 0] * 20),
        (np.array(["b", "a"] * 20, dtype=object), ("a", "b"), [1, 0] * 20),
        (np.array([b"b", b"a"] * 20), ("a", "b"), [1, 0] * 20),
        ([True, False] * 20, ("False", "True"), [1, 0] * 20),
        (np.eye(4, dtype=int)[np.arange(40) % 4], ("0", "1", "2", "3"), [0, 1, 2, 3] * 10),
        (np.array([[1], [2]] * 20), ("1", "2"), [0, 1] * 20),
    ],
)
def test_labels_become_class_numbers(labels: Any, classes: tuple[str, ...], numbers: list[int]) -> None:
    source = open_data(x_of(40, 3), DATA, y=labels)
    assert source.task == "classification" and source.classes == classes and source.y.tolist() == numbers
    assert source.y.dtype == torch.int64 and "task" in source.assumed
    if classes[0] in ("-1", "3"):
        assert "became the class numbers" in source.assumed["classes"]


@pytest.mark.parametrize(
    "labels", [np.linspace(0, 1, 40), np.arange(40) * 10, np.random.default_rng(0).normal(size=(40, 3))]
)
def test_quantities_are_a_regression(labels: np.ndarray) -> None:
    source = open_data(x_of(40, 3), DATA, y=labels)
    assert source.task == "regression" and source.y.dtype == torch.float32 and source.y.shape == labels.shape
    assert np.allclose(source.y.numpy(), labels) and not source.classes


def test_the_task_can_be_asked_for() -> None:
    assert open_data(x_of(40, 3), recipe.Data(task="regression"), y=Y).task == "regression"
    many = open_data(x_of(40, 3), recipe.Data(task="classification"), y=np.arange(40) // 2 * 10)
    assert many.task == "classification" and len(many.classes) == 20
    assert "texts" in refused(x_of(40, 3), ["a", "b"] * 20, recipe.Data(task="regression"))
    assert "not whole numbers" in refused(x_of(40, 3), Y + 0.5 * (Y > 0) * 0.1, recipe.Data(task="classification"))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (x_of(40, 3), Y[:-1], "x has 40 rows and y has 39"),
        (x_of(0, 3), Y[:0], "empty"),
        (x_of(40, 0), Y, "empty"),
        ([[1, 2], [3]], [0, 1], "cannot be read as an array"),
        (np.array([{}, [], {}, []], dtype=object), [0, 1] * 2, "not numbers"),
        (np.array([["a", "b"]] * 4), [0, 1] * 2, "not numbers"),
        (x_of(40, 3) + 1j, Y, "complex"),
        (x_of(40, 3), None, "without labels"),
        (x_of(40, 3), [None] + [1] * 39, "labels of type object"),
        (x_of(40, 3), np.where(Y == 0, np.nan, 1.0), "20 labels are missing"),
        (x_of(40, 3), np.zeros(40), "only one class ('0')"),
        (x_of(40, 3), np.r_[5, np.zeros(20), np.ones(19)], "a single sample in class '5'"),
        (x_of(40, 3), np.full(40, 0.5), "every target is 0.5"),
        (np.ma.masked_array(x_of(40, 3), x_of(40, 3) > 100), Y, "masked"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(x: object, y: object, words: str) -> None:
    assert words in refused(x, y)


def test_values_that_are_not_finite_are_named() -> None:
    x = x_of(40, 3)
    x[[3, 5], 1] = np.nan, np.inf
    x[39, 2] = 1e300
    said = "missing (NaN) and infinite or too large values in 3 rows (3, 5, 39), 2 columns (1, 2)"
    assert said in refused(x, Y) and "table" not in refused(x, Y), "a table may have no infinite values either"
    images = np.zeros((40, 3, 9, 9))
    images[7, 0, 4, 4] = np.nan
    assert "missing (NaN) values in 1 row (7); expected finite numbers; fill or drop them" in refused(images, Y)


@pytest.mark.parametrize("form", ["pandas", "polars", "csv"])
def test_what_is_advised_for_missing_values_works(form: str, tmp_path: Path) -> None:
    x = x_of(40, 3)
    x[4, 1] = np.nan
    assert "1 row (4), 1 column (1)" in refused(x, Y) and "train on a table (a frame or a CSV)" in refused(x, Y)
    pandas = pd.DataFrame(x, columns=list("abc"))
    pandas.assign(y=Y).to_csv(tmp_path / "t.csv", index=False)
    data = {"pandas": pandas, "polars": pl.DataFrame(x, schema=list("abc")), "csv": tmp_path / "t.csv"}[form]
    source = open_data(data, recipe.Data(target="y" if form == "csv" else ""), y=None if form == "csv" else Y)
    assert fit_preprocess(source, torch.arange(40), []).apply(source.x).isfinite().all()


def test_dicts_of_parts_and_of_columns() -> None:
    x = x_of(40, 3)
    parts = {
        "x_train": x[:20],
        "y_train": Y[:20],
        "X_val": x[20:30],
        "y_val": Y[20:30],
        "x_test": x[30:],
        "y_test": Y[30:],
    }
    source = open_data(parts, DATA)
    assert {k: (v[0].item(), v[-1].item()) for k, v in source.given.items()} == {
        "train": (0, 19), "validation": (20, 29), "test": (30, 39),
    }  # fmt: skip
    assert isinstance(source.x, torch.Tensor) and np.array_equal(source.x.numpy(), x.astype(np.float32))
    assert open_data({"x": x, "y": Y}, DATA).fingerprint == open_data(x, DATA, y=Y).fingerprint
    table = open_data({"a": x[:, 0], "b": x[:, 1], "label": Y}, recipe.Data(target="label"))
    assert table.kind == "table" and table.rows == 40
    assert "expected an x and a y for each part" in refused({"x_train": x, "y_test": Y})
    assert "has shape" in refused({**parts, "x_test": x[30:, :2]})
    assert "test has classes that train has not: '9'" in refused({**parts, "y_test": np.full(10, 9)})


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("x", "y"),
        ("X", "labels"),
        ("data", "target"),
        ("images", "labels"),
        ("features", "label"),
        ("arr_images", "arr_y"),
    ],
)
def test_npz_keys_are_found(tmp_path: Path, names: tuple[str, str]) -> None:
    path = saved(tmp_path / "a.npz", **{names[0]: x_of(40, 3), names[1]: Y, "extra": Y})
    source = open_data(path, DATA)
    assert source.fingerprint == open_data(x_of(40, 3), DATA, y=Y).fingerprint and "extra" in source.assumed["ignored"]


@pytest.mark.parametrize("style", ["{}_{}", "{1}_{0}", "{}{}"])
def test_npz_parts_are_found(tmp_path: Path, style: str) -> None:
    arrays = {
        style.format(r, p): v[s]
        for p, s in (("train", slice(30)), ("test", slice(30, 40)))
        for r, v in (("x", x_of(40, 3)), ("y", Y))
    }
    source = open_data(saved(tmp_path / "a.npz", **arrays), DATA)
    assert {k: len(v) for k, v in source.given.items()} == {"train": 30, "test": 10}


def test_npz_class_names_and_a_target_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=x_of(40, 3), y=Y, species=1 - Y, classes=np.array(["no", "yes", "never"]))
    assert open_data(path, DATA).classes == ("no", "yes", "never")
    assert open_data(path, recipe.Data(target="species")).y.tolist() == (1 - Y).tolist()
    assert "did you mean 'species'" in refused(path, section=recipe.Data(target="speces"))


def test_npy_pairs_are_mapped_and_never_written(tmp_path: Path) -> None:
    x = x_of(40, 9, 8, dtype=np.uint8)
    np.save(tmp_path / "X_train.npy", x)
    np.save(tmp_path / "y_train.npy", Y)
    for given in (tmp_path, tmp_path / "X_train.npy"):
        source = open_data(given, DATA)
        assert source.kind == "images" and list(source.given) == ["train"]
        assert isinstance(source.x, torch.Tensor)
        source.x.zero_()
    assert np.array_equal(np.load(tmp_path / "X_train.npy"), x)
    (tmp_path / "y_train.npy").unlink()
    assert "a single npy file" in refused(tmp_path / "X_train.npy")


def npy_bytes(shape: str, dtype: str = "<f8", values: bytes = b"") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + values


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy_bytes("(1000000000000,)"), "8,000,000,000,000 bytes, and 0 follow"),
        (npy_bytes("(-1, -8)"), "header"),
        (npy_bytes("(4,)", values=bytes(31)), "32 bytes, and 31 follow"),
        (npy_bytes("(4,)", values=bytes(33)), "32 bytes, and 33 follow"),
        (npy_bytes("(1,)", "|O", b"cos\nsystem\n(S'true'\ntR."), "pickle can run code"),
        (npy_bytes("(1,)", "<c8", bytes(8)), "complex64"),
        (npy_bytes("(" * 3000), "no npy header"),
        (npy_bytes("__import__('os').getcwd()"), "no npy header"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "no npy header"),
        (b"\x93NUMPY\x09\x00\x01\x00{", "no npy header"),
        (b"", "no npy header"),
        (b"hello", "no npy header"),
    ],
)
def test_npy_headers_that_lie_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    np.save(tmp_path / "y.npy", Y)
    assert words in refused(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert words in refused(tmp_path / "a.npz")


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([1, "a", None], dtype=object), y=np.zeros(3))
    assert "pickle can run code" in refused(tmp_path / "a.npz")


def test_npz_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "BOMB_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((2, 1 << 20)), y=np.arange(2))
    assert "unpacks from" in refused(tmp_path / "a.npz")
    monkeypatch.setattr(npz, "available_memory", lambda: 1000)
    np.savez(tmp_path / "b.npz", x=x_of(40, 30), y=Y)
    assert "1,000 are free in memory" in refused(tmp_path / "b.npz")


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.99])
def test_truncated_npz_is_refused(tmp_path: Path, cut: float) -> None:
    path = saved(tmp_path / "a.npz", x=x_of(40, 300), y=Y)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    assert str(path) in refused(path)


def test_a_flipped_bit_in_an_npz_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=x_of(40, 300), y=Y)
    data = bytearray(path.read_bytes())
    data[5000] ^= 4
    path.write_bytes(data)
    assert "cannot be read" in refused(path)


def test_npz_without_arrays_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "x")
    assert "0 arrays" in refused(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_text("no zip")
    assert "cannot be read" in refused(tmp_path / "b.npz")


def idx(array: np.ndarray, code: int = 0x08, sides: tuple[int, ...] | None = None) -> bytes:
    sides = array.shape if sides is None else sides
    return bytes([0, 0, code, len(sides)]) + struct.pack(f">{len(sides)}I", *sides) + array.tobytes()


def idx_set(root: Path, *, pack: bool, count: int = 40) -> Path:
    x = x_of(count, 9, 8, dtype=np.uint8)
    for part, rows in (("train", slice(30)), ("t10k", slice(30, None))):
        for name, values in (("images-idx3", x[rows]), ("labels-idx1", Y[rows].astype(np.uint8))):
            data = idx(values)
            path = root / f"{part}-{name}-ubyte{'.gz' if pack else ''}"
            path.write_bytes(gzip.compress(data) if pack else data)
    return root


@pytest.mark.parametrize("pack", [False, True])
def test_idx_folders_and_pairs(tmp_path: Path, pack: bool) -> None:
    source = open_data(idx_set(tmp_path, pack=pack), DATA)
    assert source.kind == "images" and {k: len(v) for k, v in source.given.items()} == {"train": 30, "test": 10}
    assert isinstance(source.x, torch.Tensor)
    assert np.array_equal(source.x.numpy()[..., 0], x_of(40, 9, 8, dtype=np.uint8)) and source.y.tolist() == Y.tolist()
    one = open_data(next(tmp_path.glob("t10k-images*")), DATA)
    assert one.rows == 10 and not one.given


@pytest.mark.parametrize(("code", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_types(tmp_path: Path, code: int, dtype: str) -> None:
    values = (x_of(40, 3) - 100).astype(dtype)
    (tmp_path / "all-images-idx2-ubyte").write_bytes(idx(values, code))
    (tmp_path / "all-labels-idx1-ubyte").write_bytes(idx(Y.astype(np.uint8)))
    source = open_data(tmp_path / "all-images-idx2-ubyte", DATA)
    assert isinstance(source.x, torch.Tensor) and np.array_equal(source.x.numpy(), values.astype(np.float32))


def bomb() -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as file:
        file.write(idx(np.zeros((40, 9, 8), np.uint8)))
        for _ in range(64):
            file.write(bytes(1 << 20))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(np.zeros(0, np.uint8), sides=(2**32 - 1, 2**11)), "more than the file can hold"),
        (gzip.compress(idx(np.zeros(0, np.uint8), sides=(2**32 - 1, 2**11))), "more than the file can hold"),
        (idx(np.zeros((40, 9, 7), np.uint8), sides=(40, 9, 8)), "more than the file can hold"),
        (gzip.compress(idx(np.zeros((40, 9, 7), np.uint8), sides=(40, 9, 8))), "expected 2,880"),
        (idx(np.zeros((40, 9, 9), np.uint8), sides=(40, 9, 8)), "more than 2,880 bytes"),
        (bomb(), "more than 2,880 bytes"),
        (gzip.compress(idx(np.zeros((40, 9, 8), np.uint8)))[:-12], "cannot be read"),
        (b"\0\0\x08", "begins with 000008"),
        (b"\0\0\x07\x01" + bytes(100), "expected an IDX header"),
        (b"\0\0\x08\x03\0\0", "more than the file can hold"),
        (b"\x1f\x8bnonsense", "cannot be read"),
        (b"", "begins with nothing"),
    ],
    ids=range(12),  # not by content: gzip writes the second into it, and two processes must collect the same names
)
def test_idx_files_that_lie_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    idx_set(tmp_path, pack=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    assert words in refused(tmp_path)


def test_fashion_mnist(shared_data: Path) -> None:
    source = open_data(shared_data / "fashion-mnist", DATA)
    assert source.x.shape == (70000, 28, 28, 1) and source.y.bincount().tolist() == [7000] * 10


def test_cifar10_npz(shared_data: Path) -> None:
    source = open_data(shared_data / "cifar10-original-first1017.npz", DATA)
    assert source.x.shape == (6102, 32, 32, 3) and source.classes[3] == "cat" and len(source.given["test"]) == 1017
