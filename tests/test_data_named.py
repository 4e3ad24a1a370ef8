"""Sets by name: those that scikit-learn ships, and those that are fetched, from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from dressage import recipe
from dressage.data import download, named
from dressage.data.download import Remote
from dressage.data.open import open_data
from dressage.errors import DataError

DATA = recipe.Data()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRESSAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DRESSAGE_DATA", raising=False)
    return tmp_path / "cache"


class Server:
    """Files by path, and how often each was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                data = outer.files.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write((data or b"")[: len(data or b"") - outer.cut])

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = False  # closing waits for the answers, so that no socket is left to the collector
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def add(self, path: str, data: bytes) -> Remote:
        self.files[path] = data
        return Remote(self.url + path, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def small_mnist() -> dict[str, bytes]:
    x = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    y = (np.arange(60) % 10).astype(np.uint8)
    return {
        "/train-images-idx3-ubyte.gz": idx(x[:40]), "/train-labels-idx1-ubyte.gz": idx(y[:40]),
        "/t10k-images-idx3-ubyte.gz": idx(x[40:]), "/t10k-labels-idx1-ubyte.gz": idx(y[40:]),
    }  # fmt: skip


@pytest.fixture
def mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    remotes = tuple(server.add(path, data) for path, data in small_mnist().items())
    monkeypatch.setitem(named.FETCHED, "mnist", remotes)
    return server


def refused(name: str) -> str:
    with pytest.raises(DataError) as error:
        open_data(name, DATA)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [
        ("digits", 1797, 64, 10),
        ("breast_cancer", 569, 30, 2),
        ("wine", 178, 13, 3),
        ("iris", 150, 4, 3),
        ("diabetes", 442, 10, 0),
    ],
)
def test_shipped_sets(name: str, rows: int, columns: int, classes: int) -> None:
    source = open_data(name, DATA)
    assert source.kind == "array" and source.x.shape == (rows, columns) and len(source.classes) == classes
    assert source.task == ("classification" if classes else "regression")
    assert len(source.columns) == columns + 1 and source.columns[-1].kind == "target"


def test_an_unknown_name_gets_the_nearest() -> None:
    assert "did you mean 'digits'" in refused("digts") and "cifar10" in refused("nothing_like_it")


def test_a_folder_of_the_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert "an empty folder" in refused("digits")


def test_mnist_is_fetched_once_and_verified(mnist: Server, own_cache: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    source = open_data("mnist", DATA, progress=lambda *args: calls.append(args))
    assert source.kind == "images" and source.x.shape == (60, 28, 28, 1) and source.classes == tuple("0123456789")
    assert {k: len(v) for k, v in source.given.items()} == {"train": 40, "test": 20} and source.name == "mnist"
    assert len(mnist.asked) == 4 and calls[-1][1] == calls[-1][2]
    assert open_data("MNIST", DATA).fingerprint == source.fingerprint and len(mnist.asked) == 4
    file = own_cache / "sets" / "mnist" / "train-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert open_data("mnist", DATA).fingerprint == source.fingerprint and len(mnist.asked) == 5


@pytest.mark.parametrize("harm", ["replaced", "longer", "shorter", "gone", "cut"])
def test_a_download_that_is_not_the_set_is_refused_and_leaves_nothing(
    mnist: Server, own_cache: Path, harm: str
) -> None:
    path = "/train-images-idx3-ubyte.gz"
    data = mnist.files[path]
    if harm == "gone":
        del mnist.files[path]
    elif harm == "cut":
        mnist.cut = 10
    else:
        mnist.files[path] = {"replaced": data[:-1] + b"!", "longer": data * 100, "shorter": data[:50]}[harm]
    text = refused("mnist")
    assert "DRESSAGE_DATA" in text and ("cannot be fetched" in text) == (harm == "gone")
    assert harm != "longer" or "of more than" in text, "no more is taken than the set has"
    assert not list((own_cache / "sets" / "mnist").iterdir())


def test_without_a_net_the_way_out_is_told(mnist: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist.http.shutdown()
    mnist.http.server_close()
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    text = refused("mnist")
    assert "cannot be fetched" in text and "give its path" in text


def test_a_folder_of_ones_own_needs_no_net(mnist: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own" / "fashion-mnist"
    folder.mkdir(parents=True)
    for path, data in small_mnist().items():
        (folder / path[1:]).write_bytes(data)
    monkeypatch.setenv("DRESSAGE_DATA", str(tmp_path / "own"))
    source = open_data("fashion_mnist", DATA)
    assert source.rows == 60 and source.classes[9] == "ankle boot" and not mnist.asked


def test_a_folder_of_ones_own_may_have_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cifar10").mkdir()
    x, y = np.zeros((20, 8, 8, 3), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "cifar10" / "small.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.setenv("DRESSAGE_DATA", str(tmp_path))
    assert open_data("cifar10", DATA).rows == 40


def cifar_archive(rows: int) -> bytes:
    rng = np.random.default_rng(0)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
            records = rng.integers(0, 256, (rows, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(rows) % 10
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = records.size
            tar.addfile(info, io.BytesIO(records.tobytes()))
        evil = tarfile.TarInfo("../../evil.bin")
        evil.size = 4
        tar.addfile(evil, io.BytesIO(b"evil"))
    return out.getvalue()


def test_cifar10_is_unpacked_once_and_mapped(
    server: Server, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "CIFAR_ROWS", 20)
    monkeypatch.setitem(named.FETCHED, "cifar10", (server.add("/cifar-10-binary.tar.gz", cifar_archive(20)),))
    source = open_data("cifar10", DATA)
    assert isinstance(source.x, torch.Tensor) and source.x.shape == (120, 32, 32, 3) and source.classes[3] == "cat"
    assert {k: len(v) for k, v in source.given.items()} == {"train": 100, "test": 20}
    record = np.random.default_rng(0).integers(0, 256, (20, 3073), dtype=np.uint8)[1, 1:].reshape(3, 32, 32)
    assert np.array_equal(source.x[1].numpy(), record.transpose(1, 2, 0))
    (own_cache / "sets" / "cifar10" / "cifar-10-binary.tar.gz").unlink()
    assert open_data("cifar10", DATA).fingerprint == source.fingerprint and len(server.asked) == 1
    assert not list(tmp_path.rglob("evil*"))
