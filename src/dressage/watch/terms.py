"""A loss of several parts that the loop adds: one of values that are far from unit size, beside which classes are not learned."""

from __future__ import annotations

from dressage.findings import Finding
from dressage.watch.case import Case
from dressage.watch.parted import LOOKED_AT

LONG = 100
"""Steps after which classes cost less than a guess by their shares."""
FAR = 10.0
"""Mean or deviation of values, and times that their distance is as large as what a guess of the classes costs."""


def swamped(case: Case) -> list[Finding]:
    """Classes that cost more than a guess after many steps, where values of another size are learned by the same network."""
    seen = list(case.parts)
    if len(seen) < LOOKED_AT or case.telemetry.step < LONG:
        return []
    if not all(p.classes > p.guess and p.values > FAR * p.guess and max(abs(p.mean), p.sd) > FAR for p in seen):
        return []
    last = seen[-1]
    return [
        Finding(
            "data.target_unscaled",
            "warning",
            "training targets",
            f"of the loss's parts one is of values of mean {last.mean:.4g} and sd {last.sd:.4g}, which the outputs miss by "
            f"{last.values:.4g}, one of classes, whose cross-entropy is {last.classes:.3g} after {case.telemetry.step} steps; "
            f"a guess by their shares costs {last.guess:.3g}",
            "the part of the values is so large that the steps are made for it alone, and the classes are not learned",
            "standardise the values with mean and sd of the training rows, and undo it when predicting",
            step=case.telemetry.step,
            code="mean, sd = y_train.mean(0), y_train.std(0); y = (y - mean) / sd  # predict: model(x) * sd + mean",
            confidence=0.75,
            numbers={"classes": last.classes, "guess": last.guess, "values": last.values},
        )
    ]
