"""Double descent: the test error of a model falls, rises to a peak where it just fits its rows, and falls again beyond.

The model is a network of one hidden layer whose first weights stay as they were drawn: P random ReLU features, and the last
layer of least squares, of all that fit the least in norm (Belkin et al. 2019; Mei & Montanari 2022). So every width is solved
exactly, with no optimiser, rate or epochs between. 1,000 images of Fashion-MNIST, drawn by the seed, of whose labels a fifth
become another class; right ones beside them. That the peak lies where features equal rows was claimed before anything was
measured; 0.1 and 6 features a row are held against it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import sets
from compare import Comparison, Measure, given, main
from label_noise import with_wrong_labels

ROWS, TRIED, TESTED, WRONG = 1000, 200, 3000, 0.2
SHARES = (0.03, 0.1, 0.3, 0.6, 0.9, 1.0, 1.1, 1.5, 3.0, 6.0)
"""Features a row."""


@cache
def errors(seed: int, quick: bool) -> dict[str, float]:
    """Test error in % of each width, by wrong labels and by right ones."""
    arrays = given(sets.fashion, seed, quick)
    rows = TRIED if quick else ROWS
    y = arrays["y_train"][:rows]
    noisy = with_wrong_labels({**arrays, "x_train": arrays["x_train"][:rows], "y_train": y}, WRONG, seed)
    learned = {"": np.concatenate([noisy["y_train"], noisy["y_validation"]]), ", right labels": y}
    classes = int(arrays["y_train"].max()) + 1
    flat = [np.float64(arrays[name][:most]).reshape(-1, arrays["x_train"][0].size) for name, most in
            (("x_train", rows), ("x_test", TESTED))]  # fmt: skip
    x, tested = ((part - flat[0].mean(0)) / flat[0].std() for part in flat)
    targets = np.concatenate([np.eye(classes)[labels] - 1 / classes for labels in learned.values()], 1)
    first = np.random.default_rng([seed, 2]).normal(size=(x.shape[1], round(max(SHARES) * rows))) / x.shape[1] ** 0.5
    found = {}
    for share in SHARES:
        width = round(share * rows)
        last = np.linalg.lstsq(np.maximum(x @ first[:, :width], 0), targets, rcond=1e-12)[0]
        answers = np.maximum(tested @ first[:, :width], 0) @ last
        for i, name in enumerate(learned):
            said = answers[:, i * classes : (i + 1) * classes].argmax(1)
            found[f"{share:g} features a row{name}"] = 100 * float((said != arrays["y_test"][:TESTED]).mean())
    return found


def by_labels(right: bool) -> Measure:
    """The scores of one kind of labels."""
    return lambda seed, quick: {name: v for name, v in errors(seed, quick).items() if ("right" in name) == right}


ENDS = {"0.1 features a row": "1 features a row", "6 features a row": "1 features a row"}
SCORE = (
    "Test error in % on 3,000 right labels; least squares on P random ReLU features of 1,000 images of Fashion-MNIST"
)
COMPARISONS = [
    Comparison(
        "With 20% wrong labels the test error has its peak where features equal rows, and falls again beyond",
        SCORE,
        by_labels(right=False),
        ENDS,
        seeds=5,
        lower=True,
    ),
    Comparison(
        "With right labels the peak is there too",
        SCORE,
        by_labels(right=True),
        {f"{a}, right labels": f"{b}, right labels" for a, b in ENDS.items()},
        seeds=5,
        lower=True,
    ),
]

if __name__ == "__main__":
    main(*COMPARISONS)
