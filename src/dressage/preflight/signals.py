"""First weights: sizes of signal and gradient, saturated and dead units, equal units; each with the harm that it does."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dressage.findings import Finding, Severity
from dressage.preflight.calls import Rewired, brought_to_size, head_call, relu_in_place_of
from dressage.preflight.equal_units import alike, redraw, redraw_bare, trained, twins
from dressage.preflight.first_loss import neutral_loss
from dressage.preflight.gates import gates
from dressage.preflight.given import STEPS, Given, Race, given, lab_given, outputs_given, race
from dressage.preflight.matrices import multiplied, spreads_of_matrices, tables
from dressage.preflight.padding import lost_in_padding
from dressage.preflight.reinit import linear_layers, reinitialise, spread_of
from dressage.preflight.result import Seen
from dressage.preflight.statistics import LayerStatistics, backward_gain, forward_gain, statistics
from dressage.preflight.unrolled import exploding_through_time
from dressage.subject import Lab, Subject

ROWS = 256
SMALL, LARGE = 0.3, 3.0  # spread of weights (1: keeps the size of a signal) that is looked into; harm decides
HARM = 0.15  # share of the loss that mending must save, in every seed
DEEP, FEW_TIMES, EXPLODES = 6, 5.0, 70.0
"""Layers from which gains multiply; spread up to which no single layer is at fault; gain of the gradient back to the first."""
STUCK = 0.75  # share of the loss of outputs that say nothing that is still there after a short training


@dataclass(frozen=True, slots=True)
class _Start:
    """What is known of a network at its first step."""

    found: Given
    lines: list[LayerStatistics]
    layers: list[tuple[str, nn.Module, Tensor]]
    loss: float
    neutral: float
    spreads: dict[str, float]
    """Of the weights of layers and of other matrices, by name: about 1 keeps the size of a signal."""
    gates: list[LayerStatistics]

    @property
    def hidden(self) -> list[tuple[str, nn.Module, Tensor]]:
        return self.layers[:-1]


def signals(subject: Subject, deadline: float) -> list[Finding]:
    """Judges the first weights by forward sd, saturated and dead units and backward gain; harm by drawing them anew."""
    start = _start(given(subject, ROWS))
    said = _said(start)
    if not math.isfinite(start.loss):
        return Seen(said=said)
    lab = lab_given(subject)
    early = alike(lab, deadline) or exploding_through_time(start.found, start.neutral, lab, deadline)
    early = early or lost_in_padding(subject, lab, deadline)
    noted = [early] if early else []
    if early and early.is_harmful:
        return Seen(noted, said)
    every = (_symmetric, _dead, _exploding, _large, _small, _vanishing, _saturated)
    for rule in every if start.layers else (_dead, _large, _saturated):
        if finding := rule(start, lab, deadline):
            return Seen([*(f for f in noted if f.id != finding.id), finding], said)
    return Seen(noted, said)


def _start(found: Given) -> _Start:
    lines = statistics(found.model, found.x, found.y, found.loss_fn)
    outputs = outputs_given(found)
    loss = float(found.loss_fn(outputs, found.y).mean())
    ran = {s.name: i for i, s in enumerate(lines) if s.kind in ("linear", "conv")}
    layers = sorted((n for n in linear_layers(found.model) if n[0] in ran), key=lambda n: ran[n[0]])
    spreads = {f"{name}.weight".lstrip("."): spread_of(weight) for name, _, weight in layers}
    spreads |= spreads_of_matrices(found.model, found.x[:2])
    return _Start(found, lines, layers, loss, neutral_loss(found, outputs), spreads, gates(found.model, found.x))


def _said(start: _Start) -> str:
    sds = [s.sd for s in start.lines if s.kind in ("linear", "conv")]
    if not sds:
        return "no linear layer was seen to run"
    return (
        f"sd {sds[0]:.3g} at the first layer, {sds[-1]:.3g} at the last; gradient gain {backward_gain(start.lines):.3g}"
    )


def _redrawn(start: _Start, lab: Lab, deadline: float) -> Race:
    return race(lab, _anew(start, lab), deadline)


def _anew(start: _Start, lab: Lab) -> Lab:
    """With the weights of its layers, and of matrices outside of layers, drawn anew."""

    def edit(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        reinitialise(model, last=dict(model.named_modules())[start.layers[-1][0]] if start.layers else None)
        redraw_bare(model)
        redraw(model, tables(model) & set(multiplied(start.found.model, start.found.x[:2])))

    return lab.changed(edit)


def _harm(found: Race, start: _Start, least: float = STUCK) -> Severity:
    """A warning where mending saves much of the loss and without it most of the loss that says nothing is left."""
    return "warning" if found.gain >= HARM and not found.left < least * start.neutral else "info"


def _symmetric(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    after: dict[str, Tensor] | None = None
    everywhere = all(twins(weight) > 0.5 for _, _, weight in start.layers)
    for name, _, weight in start.hidden:
        equal = twins(weight)
        if len(weight) < 2 or equal <= 0.5:
            continue
        if after is None:
            after = trained(lab, deadline)
        key = f"{name}.weight".lstrip(".")
        stays = key in after and twins(after[key]) > 0.5
        if not stays and float(weight.abs().max()) == 0 and not everywhere:
            continue  # a residual branch that starts at zero
        found = _redrawn(start, lab, deadline)
        if found.gain < (0.05 if stays else 0.3):
            continue
        return Finding(
            "model.symmetric_init",
            "warning",
            name,
            f"{equal:.0%} of the {len(weight)} units have the weights of another one"
            f"{', and still after 10 steps' if stays else ''}; {found}",
            "units that start equal get equal gradients and stay equal: the layer works like one unit",
            "draw the first weights at random (He or Xavier)",
            edit={"model.init": "he"},
            code=f"nn.init.kaiming_normal_(model.{name}.weight)",
            confidence=0.95 if stays else 0.8,
            numbers={"equal": equal, "gain": found.gain},
        )
    return None


def _dead(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    worst = max((s for s in start.lines if s.kind == "relu"), key=lambda s: s.dead, default=None)
    if worst is None or worst.dead < 0.8:
        return None
    found = _redrawn(start, lab, deadline)
    return Finding(
        "model.dead_relu",
        _harm(found, start),
        worst.name,
        f"{worst.dead:.0%} of the units give 0 on all {len(start.found.x)} rows; {found}",
        "units that are 0 on every row get no gradient and cannot learn",
        "start biases at 0 and weights by He's rule; or use a leaky ReLU or batch norm",
        edit={"model.init": "he"},
        code="nn.init.zeros_(layer.bias)",
        confidence=0.9,
        numbers={"dead": worst.dead, "gain": found.gain},
    )


def _exploding(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    """Many layers, none of them far too large, whose gains multiply: a depth that few weights would not blow up."""
    worst, back = max((spread_of(w) for _, _, w in start.layers), default=0.0), backward_gain(start.lines)
    if len(start.layers) < DEEP or worst > FEW_TIMES or not back > EXPLODES or not start.loss > 2 * start.neutral > 0:
        return None
    found = _redrawn(start, lab, deadline)
    return Finding(
        "optim.exploding_gradients",
        _harm(found, start),
        start.layers[0][0],
        f"the gradient grows {back:.3g}-fold back through {len(start.layers)} layers, first loss {start.loss:.4g} where "
        f"{start.neutral:.4g} is implied; {found}",
        "each layer passes on somewhat more than it gets, and through many layers that multiplies",
        "draw the first weights by He's rule, add norms or residual connections, or clip the gradient",
        edit={"model.init": "he", "optim.clip_norm": 1.0},
        code="nn.init.kaiming_normal_(layer.weight)",
        confidence=0.9,
        numbers={"backward": back, "spread": worst, "loss": start.loss, "implied": start.neutral, "gain": found.gain},
    )


def _large(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    spreads = start.spreads
    if not spreads:
        return None
    name = max(spreads, key=lambda n: spreads[n])
    saturated = max((s.saturated for s in (*start.lines, *start.gates)), default=0.0)
    loss_is_large = start.loss > 2 * start.neutral > 0
    if spreads[name] < LARGE or not (loss_is_large or saturated > 0.3):
        return None
    found = _redrawn(start, lab, deadline)
    return Finding(
        "model.init_too_large",
        _harm(found, start),
        name.removesuffix(".weight"),
        f"weights {spreads[name]:.3g} times the size that keeps a signal's; first loss {start.loss:.4g} where "
        f"{start.neutral:.4g} is implied, {saturated:.0%} saturated; {found}",
        "first weights so large that outputs or activations start far outside their useful range",
        "draw the first weights by He's or Xavier's rule",
        edit={"model.init": "he"},
        code=f"nn.init.kaiming_normal_(model.{name})",
        confidence=0.9,
        numbers={"spread": spreads[name], "loss": start.loss, "implied": start.neutral, "gain": found.gain},
    )


def _small(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    if not start.hidden:
        return None
    spreads = sorted(spread_of(weight) for _, _, weight in start.hidden)
    middle, forward, back = spreads[len(spreads) // 2], forward_gain(start.lines), backward_gain(start.lines)
    if middle > SMALL or min(forward, back) > 0.1:
        return None
    found = _redrawn(start, lab, deadline)
    return Finding(
        "model.init_too_small",
        _harm(found, start),
        start.hidden[0][0],
        f"weights {middle:.2g} times the size that keeps a signal's: its sd changes {forward:.2g}-fold from the first to "
        f"the last hidden layer, the gradient {back:.2g}-fold back; {found}",
        "first weights so small that signal and gradient vanish on their way through the layers",
        "draw the first weights by He's or Xavier's rule, or use batch norm",
        edit={"model.init": "he"},
        code="nn.init.kaiming_normal_(layer.weight)",
        confidence=0.9,
        numbers={"spread": middle, "forward": forward, "backward": back, "gain": found.gain},
    )


def _vanishing(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    back = backward_gain(start.lines)
    squashing = [s for s in start.lines if s.kind in ("tanh", "sigmoid")]
    if not 0 < back <= 1e-2 or len(start.layers) < 4:  # none at all: it is cut, and does not vanish
        return None
    last = start.layers[-1][0]
    ends = max((s.number for s in start.lines if s.name == last), default=-1)
    inner = [s for s in squashing if s.number < ends]
    other = _anew(start, lab)
    if inner:
        head = max((s.number for s in squashing if s.number > ends), default=-1)
        other = replace(other, model=Rewired(other.model, relu_in_place_of("tanh", "sigmoid", but=head)))
    found = race(lab, other, deadline, steps=200)
    what = f"{len(inner)} {inner[0].kind} layers" if inner else f"{len(start.layers)} layers"
    return Finding(
        "optim.vanishing_gradients",
        _harm(found, start),
        start.layers[0][0],
        f"the gradient shrinks {back:.2g}-fold through {what}; {found}",
        "each layer passes on only a part of the gradient, and the first ones get next to nothing",
        "use ReLU (or GELU) with He's rule, residual connections, or batch norm",
        edit={"model.activation": "relu", "model.init": "he"},
        code="nn.ReLU()",
        confidence=0.9,
        numbers={"backward": back, "gain": found.gain},
    )


def _saturated(start: _Start, lab: Lab, deadline: float) -> Finding | None:
    head = squashing_head(start.found.model, start.found.x, start.lines)
    worst = most_saturated([*start.lines, *start.gates], head)
    if worst is None or worst.saturated < 0.5:
        return None
    found = race(lab, _anew(start, lab), deadline, steps=200 if worst in start.gates else STEPS)
    if found.gain < HARM:  # not the weights of layers: what else makes the sums large
        other = _anew(start, lab)
        other = replace(other, model=brought_to_size(other.model, start.found.x, "tanh", "sigmoid", but=head))
        found = race(lab, other, deadline, steps=200)
    if found.gain < HARM:
        other = replace(lab, model=Rewired(lab.model, relu_in_place_of("tanh", "sigmoid", but=head)))
        found = race(lab, other, deadline, steps=200)
    return Finding(
        "model.saturated_activation",
        _harm(found, start),
        worst.name,
        f"{worst.saturated:.0%} of the values of this {worst.kind} are at its ends; {found}",
        "an activation at its ends has next to no slope, so little gradient passes it",
        "scale the inputs, draw smaller first weights, use batch norm or ReLU",
        edit={"model.activation": "relu"},
        code="nn.ReLU()",
        confidence=0.7,
        numbers={"saturated": worst.saturated, "gain": found.gain},
    )


def squashing_head(model: nn.Module, x: Tensor, lines: list[LayerStatistics]) -> int:
    """Number of the call of a tanh or sigmoid behind the last layer, or that gives the outputs themselves; −1 without one."""
    ends = max((s.number for s in lines if s.kind in ("linear", "conv")), default=-1)
    squashing = [s.number for s in lines if s.kind in ("tanh", "sigmoid")]
    if ends >= 0:
        return max((n for n in squashing if n > ends), default=-1)
    head = head_call(model, x[:8])
    return head.number if head is not None and head.number in squashing else -1


def most_saturated(lines: list[LayerStatistics], head: int) -> LayerStatistics | None:
    """The tanh or sigmoid inside the network that has most of its values at its ends."""
    inner = [s for s in lines if s.kind in ("tanh", "sigmoid") and (head < 0 or s.number < head)]
    return max(inner, key=lambda s: s.saturated, default=None)
