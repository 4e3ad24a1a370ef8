"""How long which trials train: successive halving, and Hyperband's brackets of it.

Each rung is a barrier: all its trials reach it, then the best go on. So nothing depends on the order in which they end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dressage.errors import RecipeError
from dressage.search.trial import Result, ranked

ETA = 3


@dataclass(frozen=True, slots=True)
class Rung:
    """So many trials train until `epochs` have passed in all."""

    trials: int
    epochs: int


def halving(trials: int, epochs: int, eta: int = ETA, first: int = 1) -> list[Rung]:
    """Rungs from `trials` at few epochs to the last at all: at each, one of `eta` goes on, for `eta` times as long.

    n_i = ⌊n η⁻ⁱ⌋, r_i = R ηⁱ⁻ᵏ, rounded; as many as leave a trial and `first` epochs.
    Jamieson & Talwalkar 2016. Raises RecipeError.
    """
    _check(trials, epochs, eta)
    deepest = 0
    while trials // eta ** (deepest + 1) >= 1 and epochs / eta ** (deepest + 1) >= first:
        deepest += 1
    return [Rung(trials // eta**i, max(1, round(epochs * eta ** (i - deepest)))) for i in range(deepest + 1)]


def hyperband(epochs: int, eta: int = ETA) -> list[list[Rung]]:
    """Brackets from many trials that begin short to few that train whole, of about equal cost; Li et al. 2018, algorithm 1.

    For s = ⌊log_η R⌋ … 0: n = ⌈(s_max + 1)/(s + 1) · ηˢ⌉ trials, r = R η⁻ˢ epochs; rung i: ⌊n η⁻ⁱ⌋ trials, r ηⁱ epochs.
    """
    _check(1, epochs, eta)
    most = 0
    while eta ** (most + 1) <= epochs:
        most += 1
    brackets = []
    for s in range(most, -1, -1):
        n = math.ceil((most + 1) * eta**s / (s + 1))
        brackets.append([Rung(n // eta**i, max(1, round(epochs * eta ** (i - s)))) for i in range(s + 1)])
    return brackets


def shared(trials: int, epochs: int, eta: int = ETA) -> list[list[Rung]]:
    """Hyperband's brackets with `trials` in all, in its proportions; brackets that get none are left out."""
    _check(trials, epochs, eta)
    brackets = hyperband(epochs, eta)
    whole = sum(bracket[0].trials for bracket in brackets)
    ends = [trials * done // whole for done in accumulate(bracket[0].trials for bracket in brackets)]
    counts = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    made = []
    for bracket, count in zip(brackets, counts, strict=True):
        if count:
            made.append([Rung(max(1, count // eta**i), rung.epochs) for i, rung in enumerate(bracket)])
    return made


def promoted(results: Sequence[Result], keep: int) -> list[int]:
    """Numbers of the trials that go on from a rung, best first: `keep` of those that count."""
    return [result.trial.number for result in ranked(results)[:keep]]


def _check(trials: int, epochs: int, eta: int) -> None:
    for name, value, least in (("trials", trials, 1), ("epochs", epochs, 1), ("eta", eta, 2)):
        if value < least:
            raise RecipeError.of(name, f"{value} given", f"expected at least {least}", f"e.g. {name} {max(least, 3)}")
