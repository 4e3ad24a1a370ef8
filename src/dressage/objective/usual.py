"""What is usual for a training on two views of each image: strong changes, many others to be told from, many epochs."""

from __future__ import annotations

SMALL_SIDE = 64  # pixels


def usual_of_views(side: int, rows: int, keys: int) -> dict[str, tuple[object, str]]:
    """Values of the recipe by path, each with its reason, for so many images of `side` pixels, and keys of a queue.

    Source: Chen, Kornblith et al. 2020; He et al. 2020.
    """
    small = side <= SMALL_SIDE
    view = "simclr(strength=0.5,blur=0.0)" if small else "simclr"
    why = "SimCLR's, for small images as for CIFAR-10: half the colours, no blur" if small else "SimCLR's"
    return {
        "augment": ([view], why),
        "regularize.dropout": (0.0, "the views differ enough"),
        "train.batch_size": (
            256,
            f"a view is told from {keys} others, however many" if keys else "a view is told from 510 others",
        ),
        "train.epochs": (max(20, min(200, round(1_000_000 / rows))), f"for {rows} images"),
        "train.monitor": ("loss", "it says more than the share of views that are found again"),
        "train.refit": (False, "another training takes the network over"),
        "watch.diagnose": (False, "its rules judge by labels"),
    }
