"""What one sees, whatever the cause: reasons to look, from the losses and probes alone."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np

from dressage.findings import Finding
from dressage.watch.telemetry import Probe, Telemetry

LEAST = 10
"""Steps below which a curve says nothing."""
FLAT = 0.97
"""Share of the first loss that is left: a training that has not lost 3 % does not learn yet."""
RISEN = 1.5
"""Times the first loss: noise of a batch stays below it in healthy trainings once a few are averaged."""


def symptoms(seen: Telemetry) -> list[Finding]:
    """Non-finite loss, rising loss, a loss that does not fall, oscillation, updates out of the healthy range."""
    if seen.nonfinite is not None:
        return [_nonfinite(seen)]
    if len(seen.losses) < LEAST:
        return []
    return [*_trend(seen), *oscillation(seen), *_updates(seen)]


def _nonfinite(seen: Telemetry) -> Finding:
    assert seen.nonfinite is not None
    step, where = seen.nonfinite
    before = [x for x in seen.losses if math.isfinite(x)][-3:]
    told = ", ".join(f"{x:.4g}" for x in before) or "none"
    return Finding(
        "sym.nonfinite_loss",
        "critical",
        where,
        f"the loss is not a finite number at step {step}; the losses before: {told}",
        "numbers grew until they overflowed, or the data or the loss gives one that is not finite",
        "see the causes named beside; keep the weights from before that step",
        step=step,
    )


def _trend(seen: Telemetry) -> list[Finding]:
    first, last = seen.first(), fmean(seen.recent())
    numbers = {"first": first, "last": last}
    evidence = f"mean loss of the first steps {first:.4g}, of the last {last:.4g}, after {seen.step} steps"
    if first > 0 and last > RISEN * first:
        return [
            Finding(
                "sym.loss_increasing",
                "info",
                "loss",
                evidence,
                "the training loss is higher than it began",
                "see the causes named beside",
                step=seen.step,
                numbers=numbers,
            )
        ]
    if first > 0 and last > FLAT * first:
        return [
            Finding(
                "sym.loss_not_decreasing",
                "info",
                "loss",
                evidence,
                "the training loss does not fall",
                "see the causes named beside",
                step=seen.step,
                numbers=numbers,
            )
        ]
    return []


def oscillation(seen: Telemetry) -> list[Finding]:
    """Slow waves: the smoothed loss turns back again and again by more than its noise."""
    losses = np.asarray(seen.losses[len(seen.losses) // 4 :])
    width = max(3, len(losses) // 40)
    windows = losses[: len(losses) // width * width].reshape(-1, width)
    if len(windows) < 12:
        return []
    if not np.isfinite(windows).all():
        return []  # what is said of numbers that are not finite says it better
    smooth = windows.mean(1)
    noise = (windows - smooth[:, None]).std() / width**0.5
    moves = np.diff(smooth)
    clear = np.minimum(abs(moves[:-1]), abs(moves[1:])) > 3 * noise
    turns = int(((moves[:-1] * moves[1:] < 0) & clear).sum())
    if turns < 4 or smooth.max() < 1.5 * max(smooth.min(), 1e-12):
        return []
    return [
        Finding(
            "sym.oscillation",
            "info",
            "loss",
            f"the smoothed loss turned {turns} times, between {smooth.min():.4g} and {smooth.max():.4g}",
            "the training overshoots and comes back",
            "see the causes named beside",
            step=seen.step,
        )
    ]


def _updates(seen: Telemetry) -> list[Finding]:
    """Outside [1e-5, 0.1]: healthy trainings were measured at 2e-3 to 1e-2, a rate far too low at 5e-5.

    (DR10 has 0.01 as about okay and wants 0.001: a band is meant, and a number outside it is no fault without other evidence.)
    """
    ratio = update_ratio(seen)
    if math.isnan(ratio) or 1e-5 <= ratio <= 0.1:
        return []
    return [
        Finding(
            "sym.update_ratio_out_of_range",
            "info",
            "weights",
            f"an update changes the weights by {ratio:.2g} of their size (median over layers and steps)",
            "the steps are far smaller or larger than those of trainings that learn",
            "see the causes named beside",
            step=seen.step,
            numbers={"ratio": ratio},
        )
    ]


def gradient_ratio(seen: Telemetry) -> float:
    """Smallest ratio over the probes of the first matrix's gradient to the last one's (root mean squares); 1 without any."""
    ratios = []
    for probe in seen.probes:
        sizes = [w.gradient for w in probe.weights if "bias" not in w.name and w.gradient >= 0]
        if len(sizes) > 1 and sizes[-1] > 0:
            ratios.append(sizes[0] / sizes[-1])
    return min(ratios, default=1.0)


def update_ratio(seen: Telemetry) -> float:
    """Median update/weight of the matrices over the probes after the first; NaN without any."""
    return _typical(seen.probes[1:])


def last_ratio(seen: Telemetry) -> float:
    """The same of the last third of the probes: some optimisers (Adagrad) take ever smaller steps."""
    return _typical(seen.probes[1:][-max(2, len(seen.probes) // 3) :])


def _typical(probes: list[Probe]) -> float:
    ratios = sorted(
        w.ratio for p in probes for w in p.weights if w.weight > 1e-12 and "bias" not in w.name and w.update > 0
    )
    return ratios[len(ratios) // 2] if ratios else math.nan
