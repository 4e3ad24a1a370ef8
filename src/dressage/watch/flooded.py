"""Where no copy can be trained: a network whose first activations lie at their ends from the first step to the last."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from dressage.findings import Finding
from dressage.watch.case import Case

AT_THE_ENDS = 0.8
"""Share of the outputs of the first saturating layer that lie at its ends: healthy ones have a third there, when trained."""
LONG, LOOKS = 100, 4
"""Steps, and probes, from which it is told."""
USUAL = 2.0
"""Deviation of weights, times √fan_in, up to which their size is a usual one: He's is 1.41, torch's own 0.58."""


def flooded(case: Case) -> list[Finding]:
    """What reaches the first tanh or sigmoid is so large that it gives its ends for nearly all rows: inputs, or first weights."""
    seen = case.telemetry
    if case.start is None or seen.step < LONG or len(seen.probes) < LOOKS:
        return []
    found = next(
        ((a, b) for a, b in pairwise(seen.probes[0].layers) if b.kind in ("Tanh", "Sigmoid", "Hardtanh")), None
    )
    if found is None or seen.probes[0].layers[0] is not found[0]:
        return []
    before, layer = found
    if layer is seen.probes[0].layers[-1]:
        return []  # answers may be as sure as that
    shares = [x.saturated for p in seen.probes for x in p.layers if x.name == layer.name]
    module = dict(case.start[0].named_modules()).get(before.name)
    if min(shares) < AT_THE_ENDS or not isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        return []
    size = float(module.weight.detach().std()) * math.sqrt(module.weight[0].numel())
    is_input = size < USUAL
    return [
        Finding(
            "data.unscaled_inputs" if is_input else "model.init_too_large",
            "warning",
            "inputs" if is_input else before.name,
            f"{min(shares):.0%} of the outputs of {layer.name} ({layer.kind}) lie at its ends in each of {len(shares)} steps "
            f"that were looked at, from step {seen.probes[0].step} to {seen.probes[-1].step}; what reaches it has a deviation of "
            f"{before.sd:.3g} at first, by weights of a deviation of {size:.2g}/√fan_in",
            f"the {'inputs' if is_input else 'first weights'} are so large that nearly all rows give the same few values, and "
            "hardly any gradient passes",
            "standardise the inputs with the statistics of the training part" if is_input else "initialise by Xavier",
            {"data.preprocess": ["standardize"]} if is_input else {"model.init": "xavier"},
            step=seen.step,
            code="x = (x - x_train.mean(0)) / x_train.std(0)" if is_input else "nn.init.xavier_normal_(layer.weight)",
            confidence=0.8,
            numbers={"saturated": min(shares), "reaches": before.sd, "weights": size},
        )
    ]
