"""The bias/variance recipe: which gap between the errors of the parts is largest beyond its noise (lecture note R5; Ng 2018).

From the error that can be reached at best, over training, train-dev and validation, to test, each step up has a cause of
its own: avoidable bias, variance, rows of another kind, choices made by the validation part. A step within its noise
says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Literal

from dressage.evaluate.intervals import Z, wilson
from dressage.evaluate.words import number

Name = Literal["avoidable_bias", "variance", "data_mismatch", "validation_overfit"]
CHAIN = ("train", "train_dev", "validation", "test")
SHARE, RMSE = "share wrong", "RMSE"


@dataclass(frozen=True, slots=True)
class Error:
    """The error of one part with its 95 % interval: the share of `n` rows that is answered wrong, or an RMSE."""

    value: float
    low: float
    high: float
    n: int = 0

    @staticmethod
    def of_counts(wrong: int, n: int) -> Error:
        """A share of rows with Wilson's interval."""
        return Error(wrong / n, *wilson(wrong, n), n)

    @staticmethod
    def exact(value: float) -> Error:
        """A number that is known."""
        return Error(value, value, value)


@dataclass(frozen=True, slots=True)
class Gap:
    """A step from one error to the next. All gaps of a diagnosis lie in their intervals together 95 % of the time."""

    name: Name
    start: str
    """The part it begins at; "target" is the error that can be reached at best."""
    end: str
    value: float
    low: float
    high: float

    @property
    def is_beyond_noise(self) -> bool:
        """Whether it is larger than 0 by more than chance makes it."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the errors of the parts of ONE network say."""

    unit: str
    """What an error is: "share wrong" or "RMSE"."""
    errors: Mapping[str, Error]
    """Part → its error; "target" among them, 0 where none was given."""
    is_target_known: bool
    gaps: tuple[Gap, ...]
    largest: Gap | None
    """The largest of the gaps beyond their noise."""
    rivals: tuple[Gap, ...] = ()
    """Smaller gaps beyond their noise that cannot be told from the largest."""
    left_out: tuple[str, ...] = ()
    """Parts that were judged by another network than the rest."""

    @property
    def real(self) -> list[Gap]:
        """The gaps beyond their noise, the largest first."""
        return sorted((g for g in self.gaps if g.is_beyond_noise), key=lambda g: -g.value)


def diagnose(evaluation: Mapping[str, Any], target_error: float = 0.0) -> Diagnosis | None:
    """The diagnosis of a run's evaluation; None where fewer than two errors are known.

    `target_error`: a person's, or the best that is known to be reached, as a share of rows or as an RMSE; 0: not known.
    """
    parts = {name: e for name in CHAIN if isinstance(e := evaluation.get(name), Mapping)}
    network = next((e.get("network") for e in parts.values()), None)
    errors = {name: found for name, e in parts.items() if (found := error_of(e)) is not None}
    left_out = tuple(name for name in errors if parts[name].get("network") != network)
    unit = RMSE if any(e.get("task") == "regression" for e in parts.values()) else SHARE
    kept = {name: e for name, e in errors.items() if name not in left_out}
    return bias_variance(kept, target_error, unit, left_out) if "train" in kept or len(kept) > 1 else None


def bias_variance(
    errors: Mapping[str, Error], target: Error | float = 0.0, unit: str = SHARE, left_out: Iterable[str] = ()
) -> Diagnosis:
    """Forms the gaps of the parts that are there: `errors` by the names train, train_dev, validation, test.

    `target`: the error that can be reached, with its interval where it was measured; 0: not known.
    """
    goal = target if isinstance(target, Error) else Error.exact(target)
    chain = [("target", goal)] if "train" in errors else []
    chain += [(name, errors[name]) for name in CHAIN if name in errors]
    held, steps = dict(chain), list(pairwise(name for name, _ in chain))
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, len(steps)))  # Bonferroni: the intervals hold together
    gaps = []
    for start, end in steps:
        low, high = combined((-1.0, 1.0), (held[start], held[end]), z)
        gaps.append(Gap(_name(start, end), start, end, held[end].value - held[start].value, low, high))
    real = sorted((g for g in gaps if g.is_beyond_noise), key=lambda g: -g.value)
    rivals = tuple(g for g in real[1:] if not _is_larger(real[0], g, held, z))
    return Diagnosis(unit, held, goal.high > 0, tuple(gaps), real[0] if real else None, rivals, tuple(left_out))


def combined(weights: Sequence[float], errors: Sequence[Error], z: float = Z) -> tuple[float, float]:
    """Interval of Σ wᵢ eᵢ of independent estimates from the 95 % limits of each (Zou & Donner 2008, Stat. Med. 27).

    L = Σ wᵢeᵢ − √Σ(wᵢeᵢ − lᵢ)², where lᵢ is the lower limit of wᵢeᵢ, and U alike; for two shares of rows it is
    Newcombe's interval of a difference (1998, Stat. Med. 17, method 10). For another `z` the distances are stretched.
    """
    middle = sum(w * e.value for w, e in zip(weights, errors, strict=True))
    down = up = 0.0
    for w, e in zip(weights, errors, strict=True):
        below, above = w * (e.value - e.low), w * (e.high - e.value)
        if w < 0:
            below, above = -above, -below
        down, up = down + below**2, up + above**2
    return middle - z / Z * math.sqrt(down), middle + z / Z * math.sqrt(up)


def error_of(evaluation: Mapping[str, Any]) -> Error | None:
    """The error of a judged part: 1 − accuracy, or the RMSE; None where it is not defined."""
    metrics = evaluation.get("metrics")
    name = "rmse" if evaluation.get("task") == "regression" else "accuracy"
    score = metrics.get(name) if isinstance(metrics, Mapping) else None
    if not isinstance(score, Mapping):
        return None
    value, low, high = (number(score.get(key)) for key in ("value", "low", "high"))
    n = int(number(evaluation.get("n")) or 0)
    if value is None or low is None or high is None:
        return None
    return Error(value, low, high, n) if name == "rmse" else Error(1 - value, 1 - high, 1 - low, n)


def _name(start: str, end: str) -> Name:
    if start == "target":
        return "avoidable_bias"
    if start == "train":
        return "variance"
    return "data_mismatch" if start == "train_dev" else "validation_overfit"


def _is_larger(one: Gap, other: Gap, errors: Mapping[str, Error], z: float) -> bool:
    """Whether a gap is larger than another beyond noise; gaps that meet in a part share its error."""
    weights = dict.fromkeys((one.start, one.end, other.start, other.end), 0.0)
    for name, weight in ((one.end, 1.0), (one.start, -1.0), (other.end, -1.0), (other.start, 1.0)):
        weights[name] += weight
    return combined(list(weights.values()), [errors[name] for name in weights], z)[0] > 0
