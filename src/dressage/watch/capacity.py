"""Whether a network is too small for its rows: a copy with its narrowest layer widened learns what it cannot."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import torch
from torch import nn

from dressage.findings import Finding
from dressage.subject import Lab, advance, copy_of
from dressage.subject.untouched import generators_kept
from dressage.watch.case import Case
from dressage.watch.rules.curves import still_falling

POINTS = 0.05
WIDER = 8
LEAST_WIDTH = 48
LAG = 0.1
"""Points behind a simple model that are no accident of when the training ended."""
LONG = 100
"""Steps from which a training, and the continuations that were tried in its place, can be called settled."""
NARROW = 4
"""Times that a bottleneck is narrower than the inputs or the widest layer."""
RATE = 5e-3


def too_small(case: Case) -> list[Finding]:
    """The training metric is below what simple models reach on new rows: a bottleneck if widening mends it, or underfitting."""
    _, metric = case.now()
    known = case.baselines
    if known is None or math.isnan(metric) or not known.tells:
        return []
    lag = known.best.score - metric
    if lag < max(POINTS, 2 * known.best.error):
        return _bottleneck(case, metric) if lag > 0 else []
    found = _bottleneck(case, metric)
    if found:
        return found
    settled = lag >= LAG and case.telemetry.step >= LONG and still_falling(case.telemetry.losses) == 0
    return [
        Finding(
            "eval.underfit",
            "warning" if settled and case.was_raced(LONG) else "info",
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


def _bottleneck(case: Case, metric: float) -> list[Finding]:
    lab = case.lab(start=True)
    if lab is None:
        return []
    wider = widened(lab)
    if wider is None:
        return []
    name, width, plain, other = wider

    def both() -> tuple[float, float]:
        steps = min(400, max(150, case.telemetry.step))
        changed = advance(other, steps, deadline=case.deadline(4))
        as_it_is = advance(plain, changed.steps)
        return changed.metric, as_it_is.metric

    scores = case.proven(f"wider {case.telemetry.step}", both)
    if not isinstance(scores, tuple) or not scores[0] > max(_or_worst(scores[1]), metric) + POINTS:
        return []
    return [
        Finding(
            "model.bottleneck",
            "warning",
            name,
            f"{name} has {width} units; with {max(width * WIDER, LEAST_WIDTH)} the training rows are fitted to {scores[0]:.3f} "
            f"instead of {max(_or_worst(scores[1]), metric):.3f}",
            "a layer is too narrow for what has to pass through it",
            "widen it",
            {"model.width": max(width * WIDER, LEAST_WIDTH)},
            step=case.telemetry.step,
            confidence=0.85,
        )
    ]


def _or_worst(metric: float) -> float:
    """What diverged has no metric, and is worse than any."""
    return -math.inf if math.isnan(metric) else metric


def widened(lab: Lab) -> tuple[str, int, Lab, Lab] | None:
    """The narrowest hidden linear layer, its width, and two labs that begin anew: as it is, and with it eight times as wide.

    None for a network that has no such layer. Both take Adam at one rate, so that nothing but the width differs.
    """
    order = [
        (n, m)
        for n, m in lab.model.named_modules()
        if isinstance(m, nn.Linear | nn.modules.batchnorm._BatchNorm | nn.LayerNorm)
    ]
    linear = [(n, m) for n, m in order if isinstance(m, nn.Linear)]
    hidden = [(n, m) for (n, m), (_, after) in pairwise(linear) if after.in_features == m.out_features]
    if not hidden:
        return None
    name, narrow = min(hidden, key=lambda pair: pair[1].out_features)
    width = narrow.out_features
    wide = max(width * WIDER, LEAST_WIDTH)
    if width * NARROW > max(m.out_features for _, m in linear) and width * NARROW > linear[0][1].in_features:
        return None
    model, plain = copy_of(lab.model), copy_of(lab.model)
    with generators_kept():
        torch.default_generator.manual_seed(0)
        narrows = {n for n, m in hidden if m.out_features == width}  # widening one of them alone would not help
        passed = False
        for place, module in order:
            if isinstance(module, nn.Linear):
                before = wide if passed else module.in_features
                after = wide if place in narrows else module.out_features
                if passed or place in narrows:
                    _replace(model, place, nn.Linear(before, after, module.bias is not None))
                passed = place in narrows
            elif passed and isinstance(module, nn.BatchNorm1d) and module.num_features == width:
                _replace(model, place, nn.BatchNorm1d(wide))
            elif passed and isinstance(module, nn.LayerNorm):
                return None
        for layer in (*model.modules(), *plain.modules()):
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    labs = [replace(lab, model=m, optimizer=torch.optim.Adam(m.parameters(), lr=RATE)) for m in (plain, model)]
    return name, width, labs[0], labs[1]


def _replace(model: nn.Module, place: str, module: nn.Module) -> None:
    parent, _, name = place.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
