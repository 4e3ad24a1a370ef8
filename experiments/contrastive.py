"""A network that has looked at Fashion-MNIST without labels, taken over for few labelled images (SimCLR, MoCo).

It learns from 4,000 images in two views each, 20 epochs, by NT-Xent or by InfoNCE with a queue of 1,024 keys. Then the first 10
or 50 of those of each class, with their labels, are learned for 30 epochs: from first weights, and with what was taken over at
a tenth of the rate, or frozen below the head. All arms have one network, rate and number of steps; none augments then.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sets
from compare import BARE, Comparison, accuracy, laid_over, main, trained

import dressage

FORM = {"name": "convnet", "width": 16, "depth": 1, "norm": "batch"}
SCALE = {"preprocess": ["standardize_per_channel"], "validation": 0.0}
VIEWS = {
    "model": FORM,
    "data": SCALE,
    "augment": ["simclr(strength=0.5,blur=0.0)"],
    "optim": {"lr": 3e-3},
    "train": {"epochs": 20, "batch_size": 128},
}
LATER = {"model": FORM, "data": SCALE, "optim": {"lr": 3e-3}, "train": {"epochs": 30, "batch_size": 25}}
LOSSES = {"SimCLR": "nt_xent", "MoCo": "info_nce"}
ROWS = 4000
A_CLASS = (10, 50)
WAYS = tuple(f"{name}, {layers}" for name in LOSSES for layers in ("head", "all"))
PAIRS = {f"{n} a class, {way}": f"{n} a class, from first weights" for n in A_CLASS for way in WAYS}


def measure(seed: int, quick: bool) -> dict[str, float]:
    """Test accuracy, an arm each."""
    arrays = sets.digits(seed) if quick else sets.fashion(seed, ROWS)
    scores = {}
    with TemporaryDirectory() as place:
        sources = {name: Path(place) / name for name in LOSSES}
        for name, loss in LOSSES.items():
            views = laid_over(laid_over(BARE, VIEWS), {"seed": seed, "loss": {"name": loss}})
            shortened = laid_over(views, {"train": {"epochs": 1}, "loss": {"name": loss}} if quick else {})
            dressage.train(np.asarray(arrays["x_train"]), recipe=shortened, out=sources[name])
        for count in A_CLASS:
            few = first_of_each(arrays, count)
            for way in ("from first weights", *WAYS):
                name, _, layers = way.partition(", ")
                taken = {"transfer": {"source": str(sources[name]), "layers": layers}} if name in LOSSES else {}
                found, _ = trained(few, laid_over(LATER, taken), seed, quick)
                scores[f"{count} a class, {way}"] = accuracy(found, few)
    return scores


def first_of_each(arrays: sets.Arrays, count: int) -> sets.Arrays:
    """The first `count` training rows of each class, and all test rows."""
    y = np.asarray(arrays["y_train"])
    rows = np.sort(np.concatenate([np.flatnonzero(y == label)[:count] for label in np.unique(y)]))
    return {**arrays, "x_train": np.asarray(arrays["x_train"])[rows], "y_train": y[rows]}


COMPARISON = Comparison(
    "A network that learned from views without labels beats first weights where labels are few",
    "Test accuracy in %; convnet of width 16, AdamW, 30 epochs on 10 or 50 labelled rows of each class of Fashion-MNIST",
    measure,
    PAIRS,
    seeds=3,
)

if __name__ == "__main__":
    main(COMPARISON)
