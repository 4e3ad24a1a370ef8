"""What was seen of the network from the first, and did little harm in short trials, is the cause where the end is bad."""

from __future__ import annotations

import math
from dataclasses import replace

from dressage.findings import Finding
from dressage.preflight.unrolled import faded
from dressage.watch.case import Case
from dressage.watch.struggle import gives_nothing_back
from dressage.watch.suspects import VANISHED

LAG = 0.05
"""Points by which another simple model has to beat the linear one, for the missing of activations to be a loss."""
REASONS = (
    "optim.frozen_params",
    "model.missing_nonlinearity",
    "optim.vanishing_gradients",
    "optim.exploding_gradients",
    "model.saturated_activation",
    "model.init_too_small",
    "model.init_too_large",
)
"""In the order in which they are believed: a part that stands still, or a network that is a line, is that with certainty."""


def underfits_for_a_reason(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, with the reason of an underfitting that stands alone in its place, and the underfitting as a note.

    A network that gives back no more than the mean of its inputs underfits without a simple model that says so.
    """
    harm = [f for f in found if f.is_harmful and not f.is_symptom]
    why = gives_nothing_back(case) if not harm else harm[0].evidence if harm[0].id == "eval.underfit" else ""
    if len(harm) > 1 or not why:
        return found
    seen = [f for name in REASONS for f in found if f.id == name and not f.is_harmful and _explains(case, f)]
    seen = seen or faded_through_time(case)
    if not seen:
        return found
    cause = replace(
        seen[0],
        severity="warning",
        evidence=f"{seen[0].evidence}; {why}",
        confidence=max(0.7, seen[0].confidence),
    )
    told = [replace(f, severity="info") if f in harm else f for f in found if f is not seen[0]]
    return [cause, *told]


def faded_through_time(case: Case) -> list[Finding]:
    """A recurrent network whose first inputs got next to no gradient at the start and get little now: they are not learned."""
    if case.start is None or case.subject.train is None or case.loss_fn is None:
        return []
    first = faded(replace(case.subject, model=case.start[0]))
    now = None if first is None else faded(replace(case.subject, model=case.model), VANISHED)
    if first is None or now is None:
        return []
    name, growth, steps = now
    return [
        Finding(
            "optim.vanishing_gradients",
            "info",
            name,
            f"of the gradient at the last of {steps} steps the first ones get {growth:.2g} (at the start {first[1]:.2g})",
            "each step passes on only a part of the gradient, and the first inputs get next to nothing",
            "take a GRU or an LSTM whose forget gate begins open, or begin with an orthogonal matrix",
            step=case.telemetry.step,
            code="nn.GRU(inputs, width, batch_first=True)",
            confidence=0.7,
            numbers={"growth": growth},
        )
    ]


def _explains(case: Case, finding: Finding) -> bool:
    """Whether it can be the reason: what is frozen by request, or worth keeping, is none; nor lines where lines do best."""
    if finding.id == "optim.frozen_params":
        return (
            "by request" not in finding.where
            and finding.numbers.get("gain", 0.0) > 0
            and "on purpose" not in finding.remedy
        )
    if finding.id == "model.missing_nonlinearity":
        known = case.baselines
        linear = [s.score for s in known.scores if s.name == "linear"] if known is not None else []
        return known is not None and bool(linear) and known.best.score > linear[0] + LAG
    gain = finding.numbers.get("gain", -math.inf)
    return gain == -math.inf or gain > 0  # it was not tried, or it helped
