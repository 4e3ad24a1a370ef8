"""Sets that have a name: five that scikit-learn ships, three that are fetched once or taken from a folder."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dressage import recipe
from dressage.data.arrays import open_arrays
from dressage.data.cache import cache_root
from dressage.data.download import Remote, fetch
from dressage.data.idx import is_idx, open_idx
from dressage.data.npz import open_npy
from dressage.data.source import Source
from dressage.errors import DataError, nearest

Progress = Callable[[str, int, int], None]
OpenPath = Callable[[Path, recipe.Data], Source]
SHIPPED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
_IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
FETCHED: dict[str, tuple[Remote, ...]] = {
    "mnist": (
        Remote(
            f"{_MNIST}{_IDX[0]}-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        Remote(
            f"{_MNIST}{_IDX[1]}-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        Remote(
            f"{_MNIST}{_IDX[2]}-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        Remote(f"{_MNIST}{_IDX[3]}-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion_mnist": (
        Remote(
            f"{_FASHION}{_IDX[0]}-ubyte.gz",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        Remote(
            f"{_FASHION}{_IDX[1]}-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        Remote(
            f"{_FASHION}{_IDX[2]}-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        Remote(
            f"{_FASHION}{_IDX[3]}-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    ),
    # The binary form: the one for Python is a pickle.
    "cifar10": (
        Remote(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
NAMES = tuple(sorted((*SHIPPED, *FETCHED)))
CIFAR_ROWS, CIFAR_RECORD = 10_000, 1 + 3 * 32 * 32


def open_named(name: str, section: recipe.Data, open_path: OpenPath, progress: Progress | None = None) -> Source:
    """The set of that name (`NAMES`). Raises DataError: unknown name with the nearest spelling, no net, bad checksum.

    Fetched sets are looked for in `$DRESSAGE_DATA/<name>`, then in the cache, then at their home; the first may have any
    form that `open_path` opens.
    """
    known = name.lower().replace("-", "_")
    known = {"fashionmnist": "fashion_mnist", "cifar_10": "cifar10"}.get(known, known)
    if known in SHIPPED:
        return _shipped(known, section)
    if known not in FETCHED:
        raise DataError.of(name, "no such file, folder or data set", nearest(name, NAMES), "check the path or the name")
    own = _own_folder(known)
    if own is not None:
        return _open_idx(known, own, section) if any(is_idx(p.name) for p in own.iterdir()) else open_path(own, section)
    folder = cache_root() / "sets" / known
    instead = f"put the files into a folder and give its path, or set DRESSAGE_DATA to a folder that holds {known}/"
    if known == "cifar10":
        return _fetched_cifar(folder, instead, section, progress)
    for remote in FETCHED[known]:
        fetch(remote, folder, instead, progress)
    return _open_idx(known, folder, section)


def _shipped(name: str, section: recipe.Data) -> Source:
    import sklearn.datasets  # 2 s, so only when it is wanted

    found = getattr(sklearn.datasets, f"load_{name}")()
    classes = () if name == "diabetes" else tuple(map(str, found.target_names))
    if name == "diabetes" and section.task == "auto":
        section = section.model_copy(update={"task": "regression"})
    said = {"data": f"{name}, from scikit-learn"}
    features = tuple(map(str, found.feature_names))
    return open_arrays(
        np.asarray(found.data), found.target, section, name=name, classes=classes, features=features, assumed=said
    )


def _own_folder(name: str) -> Path | None:
    root = os.environ.get("DRESSAGE_DATA")
    spellings = (name, name.replace("_", "-"), name.replace("_", ""))
    return next((Path(root, s) for s in spellings if Path(root, s).is_dir()), None) if root else None


def _open_idx(name: str, folder: Path, section: recipe.Data) -> Source:
    return open_idx(folder, section, name=name, classes=CLASSES[name])


def _fetched_cifar(folder: Path, instead: str, section: recipe.Data, progress: Progress | None) -> Source:
    """CIFAR-10 from its archive, unpacked once into npy files that later openings map into memory."""
    arrays = folder / "arrays"
    if not (arrays / "classes.npy").is_file():
        archive = fetch(FETCHED["cifar10"][0], folder, instead, progress)
        arrays.mkdir(exist_ok=True)
        for key, value in read_cifar(archive).items():
            part = arrays / f".{key}.{os.getpid()}"
            with part.open("wb") as file:
                np.lib.format.write_array(file, value, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            part.replace(arrays / f"{key}.npy")
    return open_npy(arrays, section, name="cifar10")


def read_cifar(archive: Path) -> dict[str, np.ndarray]:
    """`x_train (50000, 32, 32, 3)` uint8, `y_train`, `x_test`, `y_test`, `classes` (last) from the binary archive."""
    batches: dict[str, np.ndarray] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            base = member.name.rsplit("/", 1)[-1]
            if member.isfile() and base.endswith(".bin") and member.size == CIFAR_ROWS * CIFAR_RECORD:
                file: Any = tar.extractfile(member)
                batches[base] = np.frombuffer(file.read(member.size), np.uint8).reshape(CIFAR_ROWS, CIFAR_RECORD)
    expected = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    if sorted(batches) != sorted(expected):
        raise DataError.of(archive, f"batches {sorted(batches)}", f"expected {expected}", "fetch the file again")
    arrays = {}
    for part, names in (("train", expected[:5]), ("test", expected[5:])):
        rows = np.concatenate([batches[name] for name in names])
        images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        arrays[f"x_{part}"] = np.ascontiguousarray(images)
        arrays[f"y_{part}"] = rows[:, 0].astype(np.int64)
    arrays["classes"] = np.array(CLASSES["cifar10"])
    return arrays
