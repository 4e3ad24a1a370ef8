"""How the members of an ensemble come about, as edits of one recipe. All share the split of its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dressage.catalogue import Catalogue, Entry

Edit = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Way:
    """From a seed and a number of members to what each training changes of the recipe, by path."""

    edits: Callable[[int, int], list[Edit]]


def seeds() -> Way:
    """Independent trainings: each has first weights, an order and noise of its own, keyed by a seed of its own."""
    return Way(lambda seed, count: [_of_seed(seed, k) for k in range(count)])


def bagging() -> Way:
    """Independent trainings, each on as many training rows drawn with replacement; the rows it did not draw judge it.

    A member sees 63 % of the rows. The out-of-bag score asks of each training row only the members that have not seen it.
    """
    return Way(lambda seed, count: [{**_of_seed(seed, k), "data.bootstrap": True} for k in range(count)])


def snapshots() -> Way:
    """One training whose rate falls and rises again in waves; the weights at the end of each wave are a member."""
    return Way(lambda seed, count: [{"train.snapshots": count}])


def _of_seed(seed: int, k: int) -> Edit:
    return {"seed": seed + k, "data.split_seed": seed}


catalogue: Catalogue[Way] = Catalogue(
    "members",
    Entry(
        "seeds",
        seeds,
        "Independent trainings of one recipe on one split, each with a seed of its own.",
        "θ_k = train(recipe, seed + k), k = 0 … K − 1",
        "L6, R5; Lakshminarayanan et al. 2017",
    ),
    Entry(
        "bagging",
        bagging,
        "Independent trainings, each on a bootstrap sample of the training rows, with an out-of-bag score.",
        "D_k: n draws with replacement from n rows; a row is in D_k with 1 − (1 − 1/n)^n → 0.632",
        "R5; Breiman 1996",
    ),
    Entry(
        "snapshots",
        snapshots,
        "The weights at the end of each wave of one training's rate: an ensemble for the price of one.",
        "θ_k = θ(step kT/K), rate: warm_restarts(first=1/K)",
        "L6; Huang et al. 2017",
    ),
)
