"""Which changes are worth a continuation: those that the telemetry does not refute, the best supported first."""

from __future__ import annotations

import math

from dressage.subject import Lab
from dressage.watch.case import Case
from dressage.watch.changes import Change, changes, changes_for
from dressage.watch.rules.symptoms import RISEN, gradient_ratio, last_ratio, oscillation, update_ratio
from dressage.watch.telemetry import Telemetry

SOUND = 2e-3
"""Update/weight of good trainings: 2e-3 to 1e-2 were measured, 5e-5 at a rate far too low."""
VANISHED = 0.05
"""Size of the first layer's gradient beside the last one's: above it, saturating activations let enough through."""
HARDLY = 0.9
"""Share of the first loss that has to be left, for a rate to be too low."""
LARGE, SMALL = 0.1, 1e-4
"""Update/weight that speaks of steps that are too large, or too small."""
TOO_LARGE = ("optim.lr_too_high", "optim.exploding_gradients", "model.init_too_large")


def suspects(case: Case, lab: Lab, only: tuple[str, ...]) -> list[Change]:
    """The changes of these causes that apply to a lab; without any, all that are not refuted."""
    applying = changes_for(lab, only) if only else [c for c in changes(lab) if _is_open(c, case.telemetry)]
    return sorted(applying, key=lambda c: -_support(c, case.telemetry))


def is_refuted(change: Change, before: float, after: float) -> bool:
    """Whether the loss of the training as it is, repeated, speaks against a cause: what falls, or diverges, is not too slow."""
    return change.id == "optim.lr_too_low" and not HARDLY * before < after < math.inf


def _is_open(change: Change, seen: Telemetry) -> bool:
    """Whether what was seen leaves a cause possible, however well its change does."""
    if change.id == "optim.lr_too_low":
        return is_slow(seen)
    if change.id == "optim.vanishing_gradients":
        return gradient_ratio(seen) < VANISHED
    return True


def is_slow(seen: Telemetry) -> bool:
    """Whether steps are smaller than those of good trainings, from the first or, of an optimiser that shrinks them, at last."""
    return not update_ratio(seen) > SOUND or last_ratio(seen) < SOUND / 2


def _support(change: Change, seen: Telemetry) -> float:
    """How readily a cause is believed, and 1 where the telemetry speaks for it."""
    ratio = update_ratio(seen)
    if change.id in TOO_LARGE:
        rises = len(seen.losses) > 1 and not seen.losses[-1] <= RISEN * seen.first()
        return change.prior + (ratio > LARGE or rises or seen.nonfinite is not None or bool(oscillation(seen)))
    return change.prior + (change.id == "optim.lr_too_low" and ratio < SMALL)
