"""How the learning rate moves: pure functions of the step, so a resumed run needs only its step number.

`catalogue.build(written)` gives `factor(step, total)`, the number that the learning rate is multiplied by at `step`
(from 0) of `total`. Convention: the curve is at 1 at step 0 and would reach its floor at step `total`, just after the
last step, so that no step is wasted at a rate of 0. Steps past the end stay at the floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dressage.catalogue import Catalogue, Entry
from dressage.errors import RecipeError

Curve = Callable[[int, int], float]


def constant() -> Curve:
    """1 at every step."""
    return lambda step, total: 1.0


def step(*, every: float = 0.3, factor: float = 0.1) -> Curve:
    """`factor` once more after each `every`: a share of the steps below 1, a number of steps from 1 on."""
    _check("step.every", every, every > 0, "expected a share or number of steps above 0", "e.g. step(every=0.3)")
    _check("step.factor", factor, 0 < factor <= 1, "expected 0 < factor ≤ 1", "e.g. step(factor=0.1)")

    def curve(step: int, total: int) -> float:
        length = max(1, round(every * total) if every < 1 else int(every))
        return float(factor ** (min(step, total) // length))

    return curve


def cosine(*, floor: float = 0.0) -> Curve:
    """Half a cosine wave from 1 to `floor`."""
    _check_floor("cosine", floor)
    return lambda step, total: floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * _progress(step, total)))


def linear(*, floor: float = 0.0) -> Curve:
    """A straight line from 1 to `floor`."""
    _check_floor("linear", floor)
    return lambda step, total: 1 - (1 - floor) * _progress(step, total)


def schedule(written: str, warmup: float, total_steps: int) -> Callable[[int], float]:
    """The factor on the learning rate as a function of the step: `written` after a linear warm-up.

    `warmup` is a share of `total_steps` below 1, a number of steps from 1 on. In its w steps the factor is (t+1)/w,
    so the first step moves too; the curve then runs over the steps that are left. Raises RecipeError for a warm-up as
    long as the run.
    """
    curve = catalogue.build(written)
    warm = round(warmup * total_steps) if warmup < 1 else int(warmup)
    if warmup >= 1 and warm >= total_steps:
        raise RecipeError.of(
            "schedule.warmup",
            f"{warm} steps of warm-up in a run of {total_steps} steps",
            "expected fewer steps than the run has",
            "write a share, e.g. schedule.warmup = 0.05, or train longer",
        )
    warm = min(warm, total_steps - 1)

    def factor(step: int) -> float:
        return (step + 1) / warm if step < warm else curve(step - warm, total_steps - warm)

    return factor


def _progress(step: int, total: int) -> float:
    return min(max(step / max(total, 1), 0.0), 1.0)


def _check(where: str, value: float, fits: bool, expected: str, repair: str) -> None:
    if not (math.isfinite(value) and fits):
        raise RecipeError.of(where, f"{value} given", expected, repair)


def _check_floor(name: str, floor: float) -> None:
    _check(
        f"{name}.floor", floor, 0 <= floor <= 1, "expected a share of the top rate, 0 to 1", f"e.g. {name}(floor=0.01)"
    )


catalogue: Catalogue[Curve] = Catalogue(
    "schedule",
    Entry("constant", constant, "The same rate throughout.", "1", "L6, C784"),
    Entry(
        "step",
        step,
        "The rate is multiplied by `factor` after each `every` (a share of all steps, or a number of them).",
        "factor^⌊t/every⌋",
        "L6, C784, DR10; He et al. 2015",
    ),
    Entry(
        "cosine",
        cosine,
        "Half a cosine wave from the top rate to `floor` times it.",
        "floor + (1 − floor)·½(1 + cos(πt/T))",
        "L6, DR10; Loshchilov & Hutter 2017",
    ),
    Entry(
        "linear", linear, "A straight line from the top rate to `floor` times it.", "1 − (1 − floor)·t/T", "L6, DR10"
    ),
)
