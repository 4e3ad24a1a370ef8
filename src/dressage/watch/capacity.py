"""Whether a network is too small for its rows: a copy with its narrowest layer widened learns what it cannot."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from torch import nn

from dressage.findings import Finding
from dressage.subject import Outcome, advance
from dressage.watch.case import Case
from dressage.watch.rules.curves import still_falling
from dressage.watch.widen import FEW, LEAST_WIDTH, NARROW, WIDER, narrowest, widened

POINTS = 0.05
LAG = 0.1
"""Points behind a simple model that are no accident of when the training ended."""
FAR, SOME = 0.3, 30
"""Points behind that need no long continuations to be believed, and the steps that these have taken at least."""
LEVEL = 0.1
"""Share of the whole fall of the loss that came in the last fifth, of one that has levelled."""
ROWS, HIGH = 32, 0.3
"""Rows of a batch from which classes are counted, and the share of log C at which a loss has missed much."""
LONG = 100
"""Steps from which a training, and the continuations that were tried in its place, can be called settled."""


def too_small(case: Case) -> list[Finding]:
    """The training metric is below what simple models reach on new rows: a bottleneck if widening mends it, or underfitting."""
    _, metric = case.now()
    known = case.baselines
    if known is None and not math.isnan(metric) and _is_narrow_beside_classes(case):
        return bottleneck(case, metric, LAG)
    if known is None or math.isnan(metric) or not known.tells:
        return []
    lag = known.best.score - metric
    if lag < max(POINTS, 2 * known.best.error):
        return bottleneck(case, metric) if lag > 0 else []
    found = bottleneck(case, metric)
    if found:
        return found
    is_level = still_falling(case.telemetry.losses) == 0 or _is_as_far_behind_later(case, known.best.score)
    half_way = (known.constant.score + known.best.score) / 2
    says_nothing = case.subject.task != "regression" and metric < half_way and _has_fallen(case.telemetry.losses)
    is_whole = all(p.requires_grad for p in case.model.parameters())  # else what is kept as it is was chosen
    settled = is_whole and not says_nothing and lag >= LAG and case.telemetry.step >= LONG and is_level
    return [
        Finding(
            "eval.underfit",
            "warning" if settled and (case.was_raced(LONG) or (lag >= FAR and case.was_raced(SOME))) else "info",
            "training",
            f"training metric {metric:.3f} after {case.telemetry.step} steps; {known.best.name} "
            f"reaches {known.best.score:.3f} on rows that it has not seen",
            "the network fits its own training rows worse than a simple model fits new ones",
            "a larger network, another rate, less regularisation, or features that the simple model has",
            step=case.telemetry.step,
            confidence=0.6,
            numbers={"metric": metric, "baseline": known.best.score},
        )
    ]


def _is_narrow_beside_classes(case: Case) -> bool:
    """Whether a few units have to tell many classes, of places that no simple model answers: letters, pixels."""
    lab = case.lab(start=True)
    narrow = None if lab is None or case.subject.task != "classification" else narrowest(lab)
    return narrow is not None and narrow[1] <= FEW and case.subject.classes >= NARROW * narrow[1]


def narrow_alone(case: Case) -> list[Finding]:
    """Where no copy can be trained: a few units on the way to many classes, and a loss that has levelled while it is high."""
    seen, pair = case.telemetry, case.pair
    if pair is None or not isinstance(case.kind, nn.CrossEntropyLoss) or pair[0].ndim != 2 or pair[1].ndim != 1:
        return []
    if seen.step < LONG or not seen.probes or still_falling(seen.losses) > LEVEL:
        return []
    classes, left = len(torch.unique(pair[1])), fmean(seen.recent())
    parts = dict(case.model.named_modules())
    widths = [
        (m.out_features, layer.name)
        for layer in seen.probes[-1].layers
        if isinstance(m := parts[layer.name], nn.Linear)
    ]
    width, name = min(widths[:-1], default=(classes, ""))
    if not (width <= FEW and classes >= NARROW * width and len(pair[1]) >= ROWS and left > HIGH * math.log(classes)):
        return []
    return [
        Finding(
            "model.bottleneck",
            "warning",
            name,
            f"all that tells {classes} classes apart passes through {width} units; the loss has levelled at "
            f"{left:.3g} by step {seen.step}, where knowing nothing costs {math.log(classes):.3g}",
            "a layer is so narrow that what the later ones would need is lost in it",
            "make the layer wider",
            step=seen.step,
            code=f"nn.Linear(..., {max(LEAST_WIDTH, classes)})",
            confidence=0.7,
            numbers={"width": float(width), "loss": left},
        )
    ]


def _has_fallen(losses: list[float]) -> bool:
    """Whether the loss has lost a third: outputs that are near chance all the same mean something else to a metric."""
    return len(losses) >= LONG and fmean(losses[-LONG // 5 :]) < 0.67 * fmean(losses[:3])


def _is_as_far_behind_later(case: Case, best: float) -> bool:
    """Whether a longer training was tried, and would still be far behind."""
    longer = [run for key, run in case.memory.items() if key.startswith("longer ")]
    return any(isinstance(run, Outcome) and run.metric < best - LAG for run in longer)


def bottleneck(case: Case, metric: float, points: float = POINTS) -> list[Finding]:
    """A narrow layer, where a copy with it widened fits the training rows better than `metric`, and than as it is, by `points`."""
    lab = case.lab(start=True)
    narrow = None if lab is None else narrowest(lab)
    if lab is None or narrow is None:
        return []

    def both() -> tuple[float, float] | None:
        labs = widened(lab)
        if labs is None:
            return None
        steps = min(400, max(150, case.telemetry.step))
        changed = advance(labs[1], steps, deadline=case.deadline(4))
        as_it_is = advance(labs[0], changed.steps)
        return changed.metric, as_it_is.metric

    scores = case.proven(f"wider {case.telemetry.step}", both)
    if not isinstance(scores, tuple) or not scores[0] > max(_or_worst(scores[1]), metric) + points:
        return []
    name, width = narrow
    wide = max(width * WIDER, LEAST_WIDTH)
    return [
        Finding(
            "model.bottleneck",
            "warning",
            name,
            f"{name} has {width} units; with {wide} the training rows are fitted to {scores[0]:.3f} "
            f"instead of {max(_or_worst(scores[1]), metric):.3f}",
            "a layer is too narrow for what has to pass through it",
            "widen it",
            {"model.width": wide},
            step=case.telemetry.step,
            confidence=0.85,
            numbers={"wider": scores[0], "as_it_is": max(_or_worst(scores[1]), metric)},
        )
    ]


def _or_worst(metric: float) -> float:
    """What diverged has no metric, and is worse than any."""
    return -math.inf if math.isnan(metric) else metric
