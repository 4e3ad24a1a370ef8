"""Units that are shut when a training ends, whatever function shuts them: with them open, a copy learns what the network cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from dressage.findings import Finding
from dressage.preflight.calls import brought_to_size
from dressage.preflight.signals import most_saturated, squashing_head
from dressage.preflight.statistics import LayerStatistics, statistics
from dressage.subject import Lab, copy_of, evaluated
from dressage.watch.case import Case
from dressage.watch.changes import changes

SATURATED = 0.5
"""Share of values at the ends of an activation that is looked into; a trained network's may have a third there."""
DEAD = 0.25
"""Share of units that are zero on every row, the same."""
POINTS = 0.05
"""Of the metric, by which open units have to win."""
ROWS = 256
LITTLE = 0.01
"""Points by which rows that are known are answered better too: fewer steps would help a network that has them by heart."""
LONG = 400
"""Steps that are gone on for at most."""


class Scores(NamedTuple):
    """Metric on training rows, and on validation rows where there are enough; else the same."""

    train: float
    held: float


Continued = Callable[[Lab, int], Scores]
"""What a lab reaches in so many steps."""


def shut_units(case: Case, go_on: Continued) -> list[Finding]:
    """Saturated activations or dead units that the training has not overcome; each with the harm that it does."""
    lab = case.lab(start=False)
    if lab is None or case.subject.metric is None:
        return []
    lines = lines_of(case, lab)
    return _saturated(case, lab, lines, go_on) or _dead(case, lab, lines, go_on)


def lines_of(case: Case, lab: Lab) -> list[LayerStatistics]:
    """What each layer and activation of the network gives as it is now, plain calls of functions included."""
    model = evaluated(case.model)
    device = next(model.parameters()).device
    return statistics(model, lab.x[:ROWS].to(device), lab.y[:ROWS].to(device), lab.loss_fn)


def _saturated(case: Case, lab: Lab, lines: list[LayerStatistics], go_on: Continued) -> list[Finding]:
    head = squashing_head(copy_of(case.model).eval(), lab.x, lines)
    worst = most_saturated(lines, head)
    if worst is None or worst.saturated < SATURATED or _has_nearer_cause(case):
        return []
    device = next(lab.model.parameters()).device
    opened = replace(lab, model=brought_to_size(lab.model, lab.x[:ROWS].to(device), "tanh", "sigmoid", but=head))
    steps = min(LONG, max(120, case.telemetry.step))
    now, as_it_is, reached = go_on(lab, 0), go_on(lab, steps), go_on(opened, steps)
    if not reached.held > max(as_it_is.held, now.held) + POINTS:
        return []
    told = f"{worst.saturated:.0%} of the values of this {worst.kind} lie at its ends; as many steps again with what enters it "
    told += f"brought to mean 0 and deviation 1 reach {reached.held:.3f}, as it is {as_it_is.held:.3f}"
    return [
        Finding(
            "model.saturated_activation",
            "warning",
            worst.name,
            told,
            "an activation at its ends has next to no slope, so little gradient passes it",
            "scale what enters it, draw smaller first weights, use batch norm or ReLU",
            {"model.activation": "relu"},
            step=case.telemetry.step,
            confidence=0.85,
            code="nn.BatchNorm1d(width)",
            numbers={"saturated": worst.saturated, "mended": reached.held, "as_it_is": as_it_is.held},
        )
    ]


def _has_nearer_cause(case: Case) -> bool:
    """Whether first weights are of a size that saturates: these are asked about by themselves."""
    start = case.lab(start=True)
    return start is not None and any(c.id in ("data.unscaled_inputs", "model.init_too_large") for c in changes(start))


def _dead(case: Case, lab: Lab, lines: list[LayerStatistics], go_on: Continued) -> list[Finding]:
    """The training itself, begun anew without what the loop did on its way, does better and keeps its units."""
    worst = max((s for s in lines if s.kind == "relu"), key=lambda s: s.dead, default=None)
    start = case.lab(start=True)
    if worst is None or worst.dead < DEAD or start is None:
        return []
    shut = {(s.name, s.number): s.dead for s in _at_first(case, lab)}.get((worst.name, worst.number), 1.0)
    if shut > worst.dead / 2:
        return []  # they were dead when the watch began, or data and layer are such
    now, anew = go_on(lab, 0), go_on(start, min(LONG, case.telemetry.step))
    if not (anew.held > now.held + POINTS and anew.train > now.train + LITTLE):
        return []
    rates = [rate for _, rate in case.telemetry.rates]
    told = f"{worst.dead:.0%} of the units of this {worst.kind} are zero on all rows, where it was {shut:.0%} at first; trained "
    told += f"anew at the rate that the optimiser began with a copy reaches {anew.held:.3f}, the network {now.held:.3f}"
    return [
        Finding(
            "model.dead_relu",
            "warning",
            worst.name,
            told + (f"; the loop's rates went up to {max(rates):.3g}" if rates else ""),
            "steps that were too large pushed rectifiers so far below zero that no row opens them",
            "lower the rate, above all at the start; leaky ReLU or batch norm",
            step=case.telemetry.step,
            confidence=0.75,
            code="nn.LeakyReLU()",
            numbers={"dead": worst.dead, "mended": anew.held},
        )
    ]


def _at_first(case: Case, lab: Lab) -> list[LayerStatistics]:
    assert case.start is not None
    model = evaluated(case.start[0])
    device = next(model.parameters()).device
    return statistics(model, lab.x[:ROWS].to(device), lab.y[:ROWS].to(device), lab.loss_fn)
