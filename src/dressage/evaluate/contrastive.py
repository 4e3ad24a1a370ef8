"""Two views of each image, found again or not: what evaluation.json says of a network that learned without labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dressage.evaluate.format import Evaluation
from dressage.evaluate.intervals import bootstrap, estimate, wilson

if TYPE_CHECKING:
    from torch import Tensor


def judge_views(losses: Tensor, found: Tensor, among: int, *, part: str = "test", seed: int = 0) -> Evaluation:
    """Judges one part by the loss and by the share of its two views that were found of each sample, `(N,)` both.

    `among`: samples whose views were looked for together; an answer that looks at no input finds 1 in 2·among − 1. A sample
    counts once in the intervals, Wilson's of the share and a bootstrap of the loss: its two views are not two samples.
    """
    n, good = len(losses), losses.isfinite()
    share = float(found.where(good, 0.0).double().mean()) if n else math.nan
    terms = losses.double().cpu().numpy()[:, None]
    whole = bool(good.all()) and n > 0
    cost = (
        estimate(float(terms.mean()), *bootstrap(terms, lambda m: np.asarray(m[:, 0]), seed))
        if whole
        else estimate(math.nan)
    )
    chance = 1 / max(1, 2 * among - 1)
    return {
        "part": part,
        "task": "contrastive",
        "n": n,
        "nonfinite": int(n - int(good.sum())),
        "headline": "contrastive_accuracy",
        "metrics": {
            "contrastive_accuracy": estimate(share, *wilson(round(share * n) if n else 0, n)),
            "contrastive_loss": cost,
        },
        "baseline": {
            "name": "chance",
            "prediction": None,
            "metrics": {
                "contrastive_accuracy": estimate(chance),
                "contrastive_loss": estimate(math.log(max(1, 2 * among - 1))),
            },
        },
        "mistakes": [],
    }
