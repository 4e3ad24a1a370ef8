"""Changes made to training batches, in order; never to validation or test data.

`catalogue.build(written, classes)` gives a transform, `transform(batch, draw) -> Batch`. Batches are whole tensors;
each sample has its own draw, keyed by its row (see `draw`).
"""

from __future__ import annotations

from collections.abc import Callable

from dressage.augment.batch import Batch as Batch
from dressage.augment.draw import Draw as Draw
from dressage.augment.draw import key as key
from dressage.augment.geometry import horizontal_flip, random_crop
from dressage.augment.mixing import mixup
from dressage.catalogue import Catalogue, Entry

Transform = Callable[[Batch, Draw], Batch]

catalogue: Catalogue[Transform] = Catalogue(
    "augment",
    Entry(
        "horizontal_flip",
        horizontal_flip,
        "Left and right exchanged with probability `p`: for scenes and objects, not for digits and letters.",
        "x[h, w] ← x[h, W−1−w] where u < p",
        "L6, R5, DR10; Krizhevsky et al. 2012",
    ),
    Entry(
        "random_crop",
        random_crop,
        "The image padded by `padding` black pixels on each side, and a crop of its own size taken at random.",
        "x[h, w] ← x[h+a−padding, w+b−padding], a, b uniform in 0 … 2·padding",
        "L6, R5, DR10; He et al. 2015",
    ),
    Entry(
        "mixup",
        mixup,
        "Each sample and its label mixed with another of the batch, by a share from Beta(alpha, alpha).",
        "x ← λx + (1−λ)x', y ← λy + (1−λ)y', λ ~ Beta(α, α), α > 0",
        "DR10; Zhang et al. 2018",
    ),
)
