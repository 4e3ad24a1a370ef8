"""Layers that pass nothing on: units that are zero on every row, activations at their ends, gradients that are gone or grow."""

from __future__ import annotations

from statistics import median

from dressage.findings import Finding
from dressage.watch.telemetry import Telemetry

DEAD = 0.9
"""Share of a layer's units that are zero on all rows. (90 % of zeros in all is healthy: other units on other rows.)"""
SATURATED = 0.6
"""Share of a layer's outputs that lie at an end; a healthy tanh layer of a trained network has up to a third there."""


def dead_units(seen: Telemetry) -> list[Finding]:
    """A layer whose units are nearly all zero on every row of the last probed batches."""
    last = seen.probes[-3:]
    if len(last) < 2:
        return []
    found = []
    for layer in last[-1].layers:
        shares = [x.dead for p in last for x in p.layers if x.name == layer.name]
        if layer.kind in ("Linear", "Conv2d", "Conv1d", "ReLU", "ReLU6") and min(shares) >= DEAD and layer.sd < 1e9:
            found.append((layer.name, median(shares)))
    if not found:
        return []
    name, share = found[0]
    first = next(
        (p.step for p in seen.probes if any(x.name == name and x.dead >= DEAD for x in p.layers)), last[-1].step
    )
    return [
        Finding(
            "model.dead_relu",
            "warning",
            name,
            f"{share:.0%} of the units that reach {name} are zero on all rows, since step {first}",
            "rectifiers were pushed so far below zero that no row opens them, and no gradient passes any more",
            "lower the rate, initialise by He with zero biases, or take leaky ReLU or batch norm",
            {"model.init": "he"},
            step=first,
            code="nn.LeakyReLU()",
            confidence=0.9,
            numbers={"dead": share, "since": float(first)},
        )
    ]


def saturated(seen: Telemetry) -> list[Finding]:
    """Tanh or sigmoid layers inside the network whose outputs lie at their ends in the last probed batches."""
    last = seen.probes[-3:]
    if len(last) < 2:
        return []
    names = [x.name for x in last[-1].layers]
    for place, layer in enumerate(last[-1].layers):
        shares = [x.saturated for p in last for x in p.layers if x.name == layer.name]
        if place < len(names) - 1 and min(shares) >= SATURATED:
            return [
                Finding(
                    "model.saturated_activation",
                    "warning",
                    layer.name,
                    f"{median(shares):.0%} of the outputs of {layer.name} ({layer.kind}) lie at its ends",
                    "a saturated activation hardly changes with its input, so that hardly any gradient passes",
                    "scale the inputs, initialise smaller, lower the rate, or take ReLU",
                    {"model.activation": "relu"},
                    step=seen.step,
                    confidence=0.75,
                    numbers={"saturated": median(shares)},
                )
            ]
    return []
