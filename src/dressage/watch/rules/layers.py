"""Layers that pass nothing on: units that are zero on every row, activations at their ends, gradients that are gone or grow."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from dressage.findings import Finding
from dressage.watch.telemetry import Telemetry, WeightNumbers

DEAD = 0.9
"""Share of a layer's units that are zero on all rows. (90 % of zeros in all is healthy: other units on other rows.)"""
VANISHED, STANDS, LONG = 1e-4, 1e-6, 200
"""Gradient of the first matrix beside that of the last, its update beside its size, and steps from which that is told."""
RECURRENT = "weight_hh"
GROWN, PART = 100.0, 0.5
"""Times that a recurrence's gradient grows between two probes, where it explodes; update beside the weights that may do so."""
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
    told = f"{share:.0%} of the units that reach {name} are zero on all rows, since step {first}"
    return _exploded(seen, told, first) or [
        Finding(
            "model.dead_relu",
            "warning",
            name,
            told,
            "rectifiers were pushed so far below zero that no row opens them, and no gradient passes any more",
            "lower the rate, initialise by He with zero biases, or take leaky ReLU or batch norm",
            {"model.init": "he"},
            step=first,
            code="nn.LeakyReLU()",
            confidence=0.9,
            numbers={"dead": share, "since": float(first)},
        )
    ]


def _exploded(seen: Telemetry, told: str, since: int) -> list[Finding]:
    """Units of a recurrence that are dead since its gradient grew a hundredfold within a step that moved it by a part of its size.

    A step that is larger than the weights themselves is a rate that is too high.
    """
    seen_of: dict[str, list[tuple[int, WeightNumbers]]] = {}
    for p in seen.probes:
        for w in p.weights:
            if RECURRENT in w.name and p.step <= since:
                seen_of.setdefault(w.name, []).append((p.step, w))
    for (_, w), (step, after) in (pair for line in seen_of.values() for pair in pairwise(line)):
        if not after.gradient > GROWN * w.gradient > 0 or w.ratio > PART:
            continue
        return [
            Finding(
                "optim.exploding_gradients",
                "warning",
                w.name,
                f"an update that changed {w.name} by {w.ratio:.2g} of its size made its gradient {after.gradient / w.gradient:.3g} "
                f"times as large ({w.gradient:.3g}, at step {step} {after.gradient:.3g}); {told}",
                "the recurrence multiplies its gradient at each place of the sequence, and one step by it threw the weights out",
                "clip the gradient's norm, and lower the rate; or take gates (GRU, LSTM)",
                {"optim.clip_norm": 1.0},
                step=step,
                code="torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)",
                confidence=0.85,
                numbers={"before": w.gradient, "after": after.gradient, "update": w.ratio},
            )
        ]
    return []


def standing_first_layers(seen: Telemetry) -> list[Finding]:
    """A loss that does not fall, with next to no gradient at the first matrix: what is seen where no copy can be trained."""
    last = [
        [w for w in p.weights if "bias" not in w.name and w.gradient >= 0] for p in seen.probes[len(seen.probes) // 2 :]
    ]
    last = [weights for weights in last if len(weights) > 2 and weights[-1].gradient > 0]
    if len(last) < 3 or seen.step < LONG or not all(0 < w[0].gradient < VANISHED * w[-1].gradient for w in last):
        return []
    moved = median(w[0].ratio for w in last)
    if moved > STANDS:
        return []
    share = median(w[0].gradient / w[-1].gradient for w in last)
    return [
        Finding(
            "optim.vanishing_gradients",
            "warning",
            last[-1][0].name,
            f"the loss has not fallen in {seen.step} steps; the gradient of {last[-1][0].name} is {share:.2g} of that of "
            f"{last[-1][-1].name}, and a step changes it by {moved:.2g} of its size",
            "each layer passes on only a part of the gradient, and the first ones get next to nothing",
            "use ReLU (or GELU) with He's rule, residual connections, or a norm layer",
            {"model.activation": "relu"},
            step=seen.step,
            code="nn.ReLU()",
            confidence=0.75,
            numbers={"ratio": share, "update": moved},
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
