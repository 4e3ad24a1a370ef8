"""Whether a network has an output for each class, and what it learns with the right number."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.preflight import loss_form
from dressage.preflight.given import Given, gives_several, lab_given, metric_gain
from dressage.preflight.reinit import linear_layers
from dressage.preflight.statistics import statistics
from dressage.subject import Lab, Metric, Subject, labels_of

SPREAD = 0.05
"""Share of the variance of the targets that a single output a row cannot have."""


def _between_targets(y: Tensor) -> float:
    """Share of the variance of targets `(N, T)` that is left about the mean of each row."""
    rows = y.double().reshape(len(y), -1)
    return float(
        (rows - rows.mean(1, keepdim=True)).square().mean() / (rows - rows.mean(0)).square().mean().clamp_min(1e-300)
    )


def _takes_last_alike(found: Given, outputs: Tensor, low: int, high: int) -> bool:
    """Whether the last two labels cost the same, and the first something else: they were cut to the outputs that there are."""
    cost = [loss_form.value(found.loss_fn, outputs, torch.full_like(found.y, label)) for label in (low, high - 1, high)]
    return loss_form.close(cost[1], cost[2], 1e-6) and not loss_form.close(cost[0], cost[2], 1e-3)


def _takes_targets_alike(found: Given, outputs: Tensor) -> bool:
    """Whether the loss is the same with the targets of a row in another order: else each is another thing, a time and an event."""
    draw = torch.Generator().manual_seed(0)
    several = [outputs, *(size * torch.randn(outputs.shape, generator=draw).to(outputs) for size in (1.0, 3.0))]
    costs = [[loss_form.value(found.loss_fn, z, y) for y in (found.y, found.y.roll(1, 1))] for z in several]
    return all(loss_form.close(as_given, turned, 1e-3) for as_given, turned in costs)


def wrong_size(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    """Labels without an output, one output for several classes, or a shape that the loss refuses."""
    y = found.y if subject.train is None else subject.train.y
    count = outputs.shape[1] if outputs.ndim > 1 else 1
    kinds = "classes" if subject.task == "classification" else "targets"
    if gives_several(found) and loss_form.raised(found.loss_fn, outputs, found.y):
        return None  # the loss takes them all, and what one of them is for is not known
    if subject.task == "classification" and not y.is_floating_point() and y.ndim == 1:
        low, high = int(y.min()), int(y.max())
        refused = loss_form.raised(found.loss_fn, outputs, found.y)
        if count > 1 and high >= count and refused:  # a loss of thresholds has one less than labels, and takes it
            seen = f"labels go from {low} to {high}, the network has {count} outputs"
            return _sized(seen, low, "critical", high + 1, refused=True)
        if count > 1 and high >= count and _takes_last_alike(found, outputs, low, high):
            seen = f"labels go from {low} to {high}, the network has {count} outputs, and to the loss label {high} is {high - 1}"
            return _sized(seen, low, "warning", high + 1)
    if subject.task == "classification" and count == 1 and subject.classes > 2:
        if loss_form.takes_binary_logits(found.loss_fn, _halves(y[:64], outputs[:64]), outputs[:64].shape):
            return _one_output(subject, found, outputs, deadline)
        refused = loss_form.raised(found.loss_fn, outputs, found.y)
        if refused and not loss_form.raised(found.loss_fn, outputs, _halves(found.y, outputs)):
            seen = f"one output with a loss for two classes, and {subject.classes} classes ({refused})"
            return _sized(seen, 0, "critical", subject.classes)
        return None
    refused = loss_form.raised(found.loss_fn, outputs, found.y)
    per_row = y[0].numel()
    if (
        refused
        and outputs[0].numel() != per_row
        and not (outputs.ndim == 2 and y.ndim == 1 and count > 1 and kinds == "classes")
    ):
        seen = f"{outputs[0].numel()} outputs a row for {per_row} targets, which the loss refuses ({refused})"
        return _sized(seen, 0, "critical", per_row, refused=True)
    compares = (
        subject.task == "regression" and outputs[0].numel() == 1 < per_row and _takes_targets_alike(found, outputs)
    )
    if compares and (lost := _between_targets(y)) > SPREAD:
        seen = f"one output a row is compared with {per_row} targets: {lost:.0%} of their variance lies between targets of a row"
        return _sized(seen, 0, "warning", per_row)
    if outside := _beyond_bounds(subject, found, outputs, deadline):
        return outside
    if subject.task in ("classification", "binary") and count == 1 and _is_flat(found, outputs):
        return _sized(
            "one output and a softmax over it: the loss is the same whatever it is",
            0,
            "critical",
            max(2, subject.classes),
        )
    return None


def _beyond_bounds(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    """Two labels, not 0 and 1, under a binary cross-entropy of logits: for −1 it is log(1 + eᶻ) + z, which has no least value."""
    y, loss_fn = found.y, found.loss_fn
    kinds = torch.unique(y) if subject.train is None else torch.unique(subject.train.y)
    if len(kinds) != 2 or y.numel() != outputs.numel() or (float(kinds[0]) >= 0 and float(kinds[1]) <= 1):
        return None
    if not loss_form.takes_binary_logits(loss_fn, _halves(y, outputs), outputs.shape):
        return None
    if not loss_form.has_no_least(loss_fn, y, outputs.shape):
        return None
    low, high = (float(k) for k in kinds)
    between = (low + high) / 2
    lab = lab_given(subject)
    mended = replace(lab, loss_fn=lambda z, t: loss_fn(z, (t > between).to(t.dtype)))
    right = Metric("accuracy", lambda z, t: float(((z.reshape(t.shape) > 0) == (t > between)).float().mean()), True)
    points, was, after = metric_gain(lab, mended, deadline, metric=right)
    far = [loss_form.value(loss_fn, torch.full_like(outputs, z), y) for z in (-100.0, 100.0)]
    seen = (
        f"labels are {low:g} and {high:g} under a loss that wants 0 and 1: it falls to {min(far):.3g} for outputs of size 100; "
        f"{was:.0%} right after 100 steps, with labels 0 and 1 {after:.0%}"
    )
    finding = _sized(seen, 0, "warning" if points > 0.03 else "info", 1)
    said = "give the loss 0 and 1, or take one that is made for such labels (a hinge, a soft margin)"
    return replace(finding, remedy=said, code=f"y = (y > {between:g}).float()")


def class_numbers(subject: Subject, found: Given, outputs: Tensor) -> tuple[Lab, Lab | None]:
    """The training as it is, and one with an output a class and cross-entropy; None where that cannot be made."""
    lab = lab_given(subject)
    classes = subject.classes

    def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, labels_of(y, "classification"))

    if outputs.ndim == 2 and outputs.shape[1] == classes:
        return lab, replace(lab, loss_fn=cross_entropy)
    last = _last_layer(found)
    if last is None or outputs[0].numel() != 1:
        return lab, None

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        above, _, name = last.rpartition(".")
        parent = model.get_submodule(above) if above else model
        old = parent.get_submodule(name)
        assert isinstance(old, nn.Linear)
        made = nn.Linear(old.in_features, classes, device=old.weight.device)
        torch.nn.init.zeros_(made.weight)
        torch.nn.init.zeros_(made.bias)
        setattr(parent, name, made)
        optimizer.add_param_group({"params": list(made.parameters())})

    other = lab.changed(edit)
    try:
        with torch.no_grad():
            wide = other.model(found.x[:2])
    except Exception:  # the network reshapes its output to one a row
        return lab, None
    return lab, replace(other, loss_fn=cross_entropy) if wide.shape == (2, classes) else None


def _one_output(subject: Subject, found: Given, outputs: Tensor, deadline: float) -> Finding | None:
    seen = f"one output with a loss for two classes, and {subject.classes} classes"
    try:
        lab, other = class_numbers(subject, found, outputs)
        if other is None:
            return None
        points, was, after = metric_gain(lab, other, deadline)
    except RuntimeError:
        return None
    severity = "warning" if points > 0.03 else "info"
    return _sized(
        f"{seen}: {was:.0%} right after 100 steps, with an output a class {after:.0%}", 0, severity, subject.classes
    )


def _last_layer(found: Given) -> str | None:
    lines = statistics(found.model, found.x[:8], found.y[:8], lambda z, y: z.float().mean())
    names = {name for name, module, _ in linear_layers(found.model) if type(module) is nn.Linear}
    ran = [s.name for s in lines if s.kind in ("linear", "conv")]
    return ran[-1] if ran and ran[-1] in names else None


def _is_flat(found: Given, outputs: Tensor) -> bool:
    values = [
        loss_form.value(found.loss_fn, outputs * k + b, found.y) for k, b in ((1.0, 0.0), (-3.0, 2.0), (0.0, 5.0))
    ]
    return outputs.ndim == 2 and all(loss_form.close(values[0], v) for v in values[1:]) and abs(values[0]) < 1e-6


def _halves(y: Tensor, outputs: Tensor) -> Tensor:
    """Targets 0 and 1 by turns in the form of the real ones."""
    return (torch.arange(y.numel(), device=outputs.device) % 2).reshape(y.shape).to(y.dtype)


def _sized(evidence: str, low: int, severity: str, wanted: int, *, refused: bool = False) -> Finding:
    more = "; if labels start at 1, subtract 1" if low == 1 else ""
    return Finding(
        "model.wrong_output_size",
        severity,  # type: ignore[arg-type]
        "outputs",
        evidence,
        "the network does not have the outputs that the targets ask for",
        f"give the last layer {wanted} outputs{more}",
        code=f"nn.Linear(width, {wanted})",
        confidence=0.95,
        numbers={"refused": float(refused)},
    )
