"""Recipes with a planted fault: what `benchmarks/repair.py` mends. One half was tuned on, the other is for reporting alone;
the third, `fresh`, was written after the second had been looked at."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

Recipe = dict[str, Any]
Data = tuple[object, object]
"""What `dressage.train` takes as data and y."""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault in a recipe."""

    half: Literal["tune", "report", "fresh"]
    data: str
    fault: Recipe
    beside: Recipe = field(default_factory=dict)
    """What else was written, and does no harm: the twin without the fault has it too."""

    @property
    def paths(self) -> set[str]:
        """The values that are at fault."""
        return paths_of(self.fault)


def paths_of(recipe: Recipe) -> set[str]:
    """`{"optim": {"lr": 1}}` as `{"optim.lr"}`."""
    nested = {f"{section}.{name}" for section, values in recipe.items() if isinstance(values, dict) for name in values}
    return nested | {name for name, value in recipe.items() if not isinstance(value, dict)}


def _digit_images() -> Data:
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images * 15).astype(np.uint8), found.target


def _fashion() -> Data:
    """The first 2000 training images, and the first 1000 test images."""
    folder = Path(os.environ.get("DRESSAGE_TEST_DATA", SHARED)) / "fashion-mnist"
    read = {name: gzip.decompress((folder / f"{name}-ubyte.gz").read_bytes()) for name in FASHION}
    x, y, xt, yt = (np.frombuffer(content, np.uint8, offset=16 if "images" in n else 8) for n, content in read.items())
    images = {"x_train": x.reshape(-1, 28, 28)[:2000], "x_test": xt.reshape(-1, 28, 28)[:1000]}
    return {**images, "y_train": y[:2000].astype(int), "y_test": yt[:1000].astype(int)}, None


FASHION = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
OPENED: Mapping[str, Callable[[], Data]] = {"digit images": _digit_images, "fashion": _fashion}
"""Sets that are not known to dressage by name."""
SMALL: Mapping[str, Recipe] = {
    name: {"data": {"test": share}} for name, share in (("wine", 0.4), ("iris", 0.4), ("diabetes", 0.3))
}
"""A test part of 60 rows or more, so that one row is less than two points."""


def opened(name: str) -> Data:
    """The data of a plant."""
    return OPENED[name]() if name in OPENED else (name, None)


def _tune(data: str, fault: Recipe, beside: Recipe | None = None) -> Plant:
    return Plant("tune", data, fault, beside or {})


def _report(data: str, fault: Recipe, beside: Recipe | None = None) -> Plant:
    return Plant("report", data, fault, beside or {})


def _fresh(data: str, fault: Recipe, beside: Recipe | None = None) -> Plant:
    return Plant("fresh", data, fault, beside or {})


PLANTS: Mapping[str, Plant] = {
    "rate 1e-7": _tune("digits", {"optim": {"lr": 1e-7}}),
    "rate 1e-6, breast": _tune("breast_cancer", {"optim": {"lr": 1e-6}}),
    "rate 3": _tune("digits", {"optim": {"lr": 3.0}}),
    "sgd at 300": _tune("wine", {"optim": {"lr": 300.0}}, {"optim": {"name": "sgd"}}),
    "sgd at 1e4": _tune("diabetes", {"optim": {"lr": 1e4}}, {"optim": {"name": "sgd"}, "schedule": {"warmup": 0}}),
    "momentum 0.999": _tune("digits", {"optim": {"momentum": 0.999}}, {"optim": {"name": "momentum", "lr": 0.02}}),
    "decay 1000": _tune("digits", {"regularize": {"weight_decay": 1000.0}}),
    "dropout 0.98, breast": _tune("breast_cancer", {"regularize": {"dropout": 0.98}}),
    "dropout 0.97": _tune("digits", {"regularize": {"dropout": 0.97}}),
    "width 1": _tune("digits", {"model": {"width": 1}}),
    "width 1, wine": _tune("wine", {"model": {"width": 1}}),
    "two epochs": _tune("digits", {"train": {"epochs": 2}}),
    "raw inputs, wine": _tune("wine", {"data": {"preprocess": []}}, {"optim": {"name": "sgd", "lr": 0.01}}),
    "raw inputs, breast": _tune("breast_cancer", {"data": {"preprocess": []}}, {"optim": {"name": "sgd", "lr": 0.01}}),
    "12 sigmoid layers": _tune("digits", {"model": {"activation": "sigmoid", "depth": 12}}),
    "first weights of sd 2": _tune("wine", {"model": {"init": "normal(std=2)"}}, {"model": {"depth": 4, "width": 48}}),
    "rate gone at once": _tune("breast_cancer", {"schedule": {"name": "step(every=0.03,factor=0.001)"}}),
    "rate 1e-6 among choices": _tune(
        "digits",
        {"optim": {"lr": 1e-6}},
        {"model": {"width": 96, "activation": "tanh"}, "regularize": {"dropout": 0.2}, "train": {"batch_size": 64}},
    ),
    "smoothing 0.85": _tune("digit images", {"loss": {"label_smoothing": 0.85}}),
    "rate x100, diabetes": _report("diabetes", {"optim": {"lr": 0.2}}),
    "rate /1000, iris": _report("iris", {"optim": {"lr": 2e-6}}),
    "rate /1000, images": _report("digit images", {"optim": {"lr": 3e-6}}),
    "rate x100, fashion": _report("fashion", {"optim": {"lr": 0.3}}),
    "momentum 0.999, breast": _report(
        "breast_cancer", {"optim": {"momentum": 0.999}}, {"optim": {"name": "momentum", "lr": 0.02}}
    ),
    "decay 10, fashion": _report("fashion", {"regularize": {"weight_decay": 10.0}}),
    "decay 10, diabetes": _report("diabetes", {"regularize": {"weight_decay": 10.0}}),
    "dropout 0.95, wine": _report("wine", {"regularize": {"dropout": 0.95}}),
    "dropout 0.95, images": _report("digit images", {"regularize": {"dropout": 0.95}}),
    "first weights of sd 1": _report("digits", {"model": {"init": "normal(std=1)"}}, {"model": {"depth": 4}}),
    "first weights of sd 1e-4": _report(
        "breast_cancer", {"model": {"init": "normal(std=0.0001)"}}, {"model": {"depth": 4}}
    ),
    "10 sigmoid layers": _report("breast_cancer", {"model": {"activation": "sigmoid", "depth": 10}}),
    "width 1, iris": _report("iris", {"model": {"width": 1}}),
    "width 1, diabetes": _report("diabetes", {"model": {"width": 1}}),
    "two epochs, fashion": _report("fashion", {"train": {"epochs": 2}}),
    "two epochs, breast": _report("breast_cancer", {"train": {"epochs": 2}}),
    "raw inputs, iris": _report("iris", {"data": {"preprocess": []}}, {"optim": {"name": "sgd", "lr": 0.01}}),
    "batch norm, batches of 4": _report("digits", {"train": {"batch_size": 4}}, {"model": {"norm": "batch"}}),
    "rate gone, images": _report("digit images", {"schedule": {"name": "step(every=0.05,factor=0.01)"}}),
    "rate gone, wine": _report("wine", {"schedule": {"name": "step(every=0.05,factor=0.01)"}}),
    "smoothing 0.9": _report("digits", {"loss": {"label_smoothing": 0.9}}),
    "clipped to nothing": _report("digits", {"optim": {"clip_norm": 1e-4}}, {"optim": {"name": "sgd", "lr": 0.05}}),
    "crops beyond the image": _report("digit images", {"augment": ["random_crop(padding=8)"]}),
    "rate 1e-6 and dropout 0.95": _report("digits", {"optim": {"lr": 1e-6}, "regularize": {"dropout": 0.95}}),
    "rate 30 among choices": _report(
        "digits",
        {"optim": {"lr": 30.0}},
        {"optim": {"name": "nesterov"}, "model": {"width": 96}, "regularize": {"dropout": 0.2}},
    ),
    "all weights zero, wine": _fresh("wine", {"model": {"init": "zeros"}}),
    "tanh of sd 3, breast": _fresh(
        "breast_cancer", {"model": {"init": "normal(std=3)"}}, {"model": {"activation": "tanh", "depth": 3}}
    ),
    "rate /400, diabetes": _fresh("diabetes", {"optim": {"lr": 5e-6}}),
    "rate x1000, breast": _fresh("breast_cancer", {"optim": {"lr": 2.0}}),
    "beta1 0.9999": _fresh("digits", {"optim": {"beta1": 0.9999}}),
    "clip 1e-5, breast": _fresh(
        "breast_cancer", {"optim": {"clip_norm": 1e-5}}, {"optim": {"name": "momentum", "lr": 0.02}}
    ),
    "one epoch, diabetes": _fresh("diabetes", {"train": {"epochs": 1}}),
    "l2 of 50, wine": _fresh("wine", {"regularize": {"techniques": ["l2(strength=50)"]}}),
    "no longer than 0.001, iris": _fresh("iris", {"regularize": {"techniques": ["max_norm(limit=0.001)"]}}),
    "noise of sd 30": _fresh("digits", {"augment": ["gaussian_noise(sd=30)"]}),
    "one batch and 10 epochs, iris": _fresh("iris", {"train": {"batch_size": 60, "epochs": 10}}),
    "rate 1e-6 and width 1, wine": _fresh("wine", {"optim": {"lr": 1e-6}, "model": {"width": 1}}),
}
