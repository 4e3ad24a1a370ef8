"""Which layers of a network that takes over weights are trained, and from which epoch on: a pure function of the epoch.

`catalogue.build(written)` gives `since(layers, epochs)`: for each of so many layers, the head first and then downwards, the
epoch (from 0) from which it is trained in a run of so many, or None where it stays as it was taken over.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dressage.catalogue import Catalogue, Entry, parse
from dressage.errors import RecipeError
from dressage.optim.curves import check, check_length, numbers

Since = Callable[[int, int], list[int | None]]
EXAMPLE = "staged(at='0.25,0.5')"


def head() -> Since:
    """The last layer alone."""
    return lambda layers, epochs: [0, *[None] * (layers - 1)]


def top(*, layers: int = 2) -> Since:
    """The last `layers` layers. Raises RecipeError for less than one."""
    check("top.layers", layers, layers >= 1, "expected 1 or more", "e.g. top(layers=2)")
    return lambda count, epochs: [0 if place < layers else None for place in range(count)]


def every() -> Since:
    """All layers, from the first step on."""
    return lambda layers, epochs: [0] * layers


def staged(*, at: str = "0.25,0.5") -> Since:
    """The head first; at each place of `at` the next part of the layers below it is freed, from the top down.

    Places are shares of the epochs below 1, numbers of epochs from 1 on, and rise; the layers below the head are cut into
    as many parts, as equal as can be, the upper ones larger. Raises RecipeError for places that do not rise.
    """
    places = numbers("staged.at", at, f"e.g. {EXAMPLE}")
    for place in places:
        check_length("staged.at", place, f"e.g. {EXAMPLE}")

    def since(layers: int, epochs: int) -> list[int | None]:
        begins = [_epoch(place, epochs) for place in places]
        if begins != sorted(begins):
            raise RecipeError.of("staged.at", f"'{at}' given", "expected places that rise", f"e.g. {EXAMPLE}")
        if begins[-1] >= epochs:
            found = f"epoch {begins[-1]} given in a run of {epochs}"
            raise RecipeError.of("staged.at", found, f"expected less than {epochs}", f"write shares, e.g. {EXAMPLE}")
        below = layers - 1
        return [0, *(begins[place * len(begins) // below] for place in range(below))]

    return since


def in_proportion(written: str, before: int, after: int) -> str:
    """A `staged` whose places are numbers of epochs, with the same shares of another number of epochs."""
    name, options = parse(written)
    if name != "staged" or "at" not in options:
        return written
    places = numbers("staged.at", str(options["at"]), f"e.g. {EXAMPLE}")
    shares = [place if place < 1 else place / before for place in places]
    return f"staged(at='{','.join(f'{share:.6g}' for share in shares)}')" if shares != places else written


def _epoch(place: float, epochs: int) -> int:
    if place >= 1:
        return int(place)
    # A share is before the end in any run, however short; a written share is rounded (2 of 3 is 0.666667).
    return min(math.ceil(place * epochs - 1e-4), epochs - 1)


catalogue: Catalogue[Since] = Catalogue(
    "transfer",
    Entry(
        "head",
        head,
        "The last layer alone, all others stay as they were: for few rows that are like the source's.",
        "layer 0 from epoch 0; layers 1, 2, … never",
        "L6; Donahue et al. 2014, Sharif Razavian et al. 2014",
    ),
    Entry(
        "top",
        top,
        "The last layers, those nearest to the outputs: for some more rows.",
        "layers 0 … layers − 1 from epoch 0, all others never; rate of layer k ≥ 1: lr·rate·decay^(k−1)",
        "L6; Yosinski et al. 2014",
    ),
    Entry(
        "all",
        every,
        "All layers, those that were taken over at a small share of the rate: for many rows, or such as are not alike.",
        "all layers from epoch 0; rate of layer k ≥ 1: lr·rate·decay^(k−1)",
        "L6; Girshick et al. 2014, Yosinski et al. 2014",
    ),
    Entry(
        "staged",
        staged,
        "The head first, then what lies below it part by part, when the head no longer sends back noise.",
        "layer k ≥ 1 of K from epoch e_j, j = ⌊(k−1)·n/K⌋ of the n places of `at`; its rate: lr·rate·decay^(k−1)",
        "L6; Howard & Ruder 2018",
    ),
)
