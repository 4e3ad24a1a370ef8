"""Small sets, each split into train, validation and test by a fixed seed: real ones, and laws and sequences made here."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(os.environ.get("DRESSAGE_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


class Missing(Exception):
    """A set that is not on this machine."""


class Split(NamedTuple):
    """Inputs and targets of the three parts."""

    x: Tensor
    y: Tensor
    xv: Tensor
    yv: Tensor
    xt: Tensor
    yt: Tensor


def cached(make: Callable[..., Split]) -> Callable[..., Split]:
    """Makes a set once a process; each caller gets tensors of its own."""
    kept = lru_cache(maxsize=None)(make)
    return lambda *args, **named: Split(*(t.clone() for t in kept(*args, **named)))


def split(x: Any, y: Any, *, seed: int = 0, shares: tuple[float, float] = (0.6, 0.2)) -> Split:
    """Shuffled, then cut; floats become float32."""
    order = np.random.default_rng(seed).permutation(len(x))
    a, b = int(shares[0] * len(x)), int(sum(shares) * len(x))
    parts = []
    for rows in (order[:a], order[a:b], order[b:]):
        for values in (x, y):
            chosen = torch.from_numpy(np.ascontiguousarray(np.asarray(values)[rows]))
            parts.append(chosen.float() if chosen.is_floating_point() else chosen.long())
    return Split(*parts)


def standard(data: Split, targets: bool = False) -> Split:
    """Columns (and targets, if asked) with the training rows' mean 0 and sd 1."""
    mean, sd = data.x.mean(0), data.x.std(0).clamp_min(1e-6)
    x, xv, xt = ((t - mean) / sd for t in (data.x, data.xv, data.xt))
    if not targets:
        return Split(x, data.y, xv, data.yv, xt, data.yt)
    mean, sd = data.y.mean(0), data.y.std(0)
    y, yv, yt = ((t - mean) / sd for t in (data.y, data.yv, data.yt))
    return Split(x, y, xv, yv, xt, yt)


@cached
def raw(name: str) -> Split:
    """A set of scikit-learn as it comes: wine, iris, breast_cancer, diabetes, digits."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    return split(found.data, found.target)


def table(name: str) -> Split:
    """A table of scikit-learn, standardised (the targets of a regression too)."""
    return standard(raw(name), targets=name == "diabetes")


def digits(image: bool = False) -> Split:
    """Digits of 8×8 pixels in [0, 1]: `(N, 64)` or `(N, 1, 8, 8)`."""
    data = raw("digits")
    x, xv, xt = (t / 16 for t in (data.x, data.xv, data.xt))
    if image:
        x, xv, xt = (t.reshape(-1, 1, 8, 8) for t in (x, xv, xt))
    return Split(x, data.y, xv, data.yv, xt, data.yt)


@cache
def _idx(path: str) -> np.ndarray:
    file = FOLDER / path
    if not file.exists():
        raise Missing(path)
    content = gzip.decompress(file.read_bytes())
    sides = content[3]
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(sides)]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * sides).reshape(shape)


@cached
def images(name: str = "mnist", rows: int = 2500) -> Split:
    """The first `rows` of MNIST or Fashion-MNIST, `(N, 1, 28, 28)` with pixels from 0 to 255."""
    folder = {"mnist": "mnist", "fashion": "fashion-mnist"}[name]
    x, y = (_idx(f"{folder}/train-{kind}-ubyte.gz")[:rows] for kind in ("images-idx3", "labels-idx1"))
    return split(x[:, None].astype(np.float32), y.astype(np.int64))


@cached
def cifar(rows: int = 2500) -> Split:
    """The first `rows` of CIFAR-10, `(N, 3, 32, 32)` with pixels from 0 to 255."""
    file = FOLDER / "cifar10-original-first1017.npz"
    if not file.exists():
        raise Missing(file.name)
    with np.load(file, allow_pickle=False) as found:
        x, y = found["x_train"][:rows], found["y_train"][:rows]
    return split(x.transpose(0, 3, 1, 2).astype(np.float32), y.astype(np.int64))


def scaled(data: Split, by: float = 255.0) -> Split:
    """Inputs divided by a number."""
    return Split(data.x / by, data.y, data.xv / by, data.yv, data.xt / by, data.yt)


@cached
def classes(rows: int = 1200, columns: int = 20, count: int = 3, sep: float = 1.0, seed: int = 0, **more: Any) -> Split:
    """Clusters of scikit-learn's make_classification."""
    from sklearn.datasets import make_classification

    informative = more.pop("informative", min(columns, 8))
    if "weights" in more:
        more["weights"] = list(more["weights"])
    x, y = make_classification(
        rows,
        columns,
        n_informative=informative,
        n_redundant=0,
        n_classes=count,
        class_sep=sep,
        random_state=seed,
        **more,
    )
    return split(x, y, seed=seed)


@cached
def moons(rows: int = 800, noise: float = 0.15, kind: str = "moons") -> Split:
    """Two moons, or two circles."""
    from sklearn.datasets import make_circles, make_moons

    made = (
        make_moons(rows, noise=noise, random_state=0)
        if kind == "moons"
        else make_circles(rows, noise=noise, factor=0.5, random_state=0)
    )
    return split(*made)


@cached
def friedman(rows: int = 1000, noise: float = 0.5, columns: int = 10) -> Split:
    """Friedman's first law, targets standardised: y = 10 sin(πx₁x₂) + 20(x₃ − ½)² + 10x₄ + 5x₅ + noise."""
    from sklearn.datasets import make_friedman1

    return standard(split(*make_friedman1(rows, columns, noise=noise, random_state=0)), targets=True)


@cached
def law(rows: int = 1000, noise: float = 0.05) -> Split:
    """A pendulum's law in plain units: y = sin(3x₁)·exp(−x₂) + x₃², `(N, 3)` in [−1, 1], `(N,)`."""
    draw = np.random.default_rng(1)
    x = draw.uniform(-1, 1, (rows, 3))
    y = np.sin(3 * x[:, 0]) * np.exp(-x[:, 1]) + x[:, 2] ** 2 + noise * draw.standard_normal(rows)
    return split(x, y)


@cached
def linear_law(rows: int = 600, noise: float = 0.3, columns: int = 6) -> Split:
    """y = Xw + noise, `(N,)`."""
    draw = np.random.default_rng(2)
    x = draw.standard_normal((rows, columns))
    return split(x, x @ draw.standard_normal(columns) + noise * draw.standard_normal(rows))


@cached
def labels(rows: int = 1200, columns: int = 20, count: int = 6) -> Split:
    """Several labels a row: which of `count` half-planes and products it lies in, `(N, count)` of 0 and 1."""
    draw = np.random.default_rng(3)
    x = draw.standard_normal((rows, columns))
    a, b = draw.standard_normal((2, columns, count)) / np.sqrt(columns)
    return split(x, (x @ a + 0.7 * (x @ b) ** 2 > 0.6).astype(np.float32))
