"""A network that has learned five classes of Fashion-MNIST, taken over for few rows of the other five (L6).

It learns classes 0 to 4 (upper parts and trousers) from 6,000 images for 3 epochs. Then 20 or 200 images of each of classes 5 to
9 (shoes, bags, shirts), drawn by the seed, are learned for 30 epochs from first weights, and by each way of taking over, with
the catalogue's defaults: what was taken over at a tenth of the rate. All arms have one network, rate and number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import sets
from compare import BARE, Comparison, accuracy, laid_over, main, trained

import dressage

FORM = {"name": "convnet", "width": 16, "depth": 1, "norm": "batch"}
SCALE = {"preprocess": ["standardize_per_channel"], "validation": 0.0}
FIRST = {"model": FORM, "data": SCALE, "optim": {"lr": 3e-3}, "train": {"epochs": 3, "batch_size": 64}}
LATER = {"model": FORM, "data": SCALE, "optim": {"lr": 3e-3}, "train": {"epochs": 30, "batch_size": 25}}
ROWS = 6000
A_CLASS = (20, 200)
WAYS = ("from first weights", "head", "top", "all", "staged")
PAIRS = {f"{n} a class, {way}": f"{n} a class, {WAYS[0]}" for n in A_CLASS for way in WAYS[1:]}


def measure(seed: int, quick: bool) -> dict[str, float]:
    """Test accuracy on the five new classes, an arm each."""
    arrays = sets.digits(seed) if quick else sets.fashion(seed, 60_000)
    scores = {}
    with TemporaryDirectory() as place:
        source = Path(place) / "first"
        first = laid_over(laid_over(BARE, FIRST), {"seed": seed, "train": {"epochs": 1} if quick else {}})
        dressage.train(of_classes(arrays, range(5), ROWS // 5), recipe=first, out=source)
        for count in A_CLASS:
            few = of_classes(arrays, range(5, 10), count)
            numbered = {"y_test": few["y_test"] - 5}  # as outputs are
            for way in WAYS:
                taken = {"transfer": {"source": str(source), "layers": way}} if way != WAYS[0] else {}
                found, _ = trained(few, laid_over(LATER, taken), seed, quick)
                scores[f"{count} a class, {way}"] = accuracy(found, numbered)
    return scores


def of_classes(arrays: Mapping[str, Any], classes: range, most: int) -> sets.Arrays:
    """Up to so many training rows of each of the classes, in their order; all test rows of theirs."""
    x, y, xt, yt = (np.asarray(arrays[name]) for name in ("x_train", "y_train", "x_test", "y_test"))
    rows = np.sort(np.concatenate([np.flatnonzero(y == label)[:most] for label in classes]))
    held = np.isin(yt, classes)
    return {"x_train": x[rows], "y_train": y[rows], "x_test": xt[held], "y_test": yt[held]}


COMPARISON = Comparison(
    "Taking over a network trained on other classes beats first weights",
    "Test accuracy in %; convnet of width 16, AdamW, 30 epochs on 20 or 200 rows of each of five classes of Fashion-MNIST",
    measure,
    PAIRS,
    seeds=5,
)

if __name__ == "__main__":
    main(COMPARISON)
