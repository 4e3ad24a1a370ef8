"""Layers with nothing between them: a network that is one linear map, and what it learns with ReLUs put in."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.calls import ACTIVATIONS, LINEAR, Call, Rewired, calls_of, relu_after
from dressage.preflight.equal_units import bare_matrices
from dressage.preflight.given import given, lab_given, outputs_given, unseen_gain
from dressage.preflight.loss_form import asks_for_means
from dressage.preflight.reinit import linear_layers
from dressage.preflight.result import NotChecked, Seen
from dressage.subject import Lab, Metric, Subject, first_output

FEW = 0.02  # points of the metric that ReLUs must bring
SHARE = 0.1  # of what the loss falls by without them, by which it must fall further where it is the judge
EXACT = 1e-5  # of the changes of the outputs, to which a network is a line


def nonlinearity(subject: Subject, deadline: float) -> list[Finding]:
    """Judges whether f(a) + f(b) = f(a + b) + f(0) up to the last layer, and whether the same layers learn more with ReLUs."""
    found = given(subject, 64)
    if not found.x.is_floating_point():
        raise NotChecked("inputs are no real numbers")
    calls = calls_of(found.model, found.x[:4])
    layers = [c for c in calls if c.kind in (*LINEAR, "matmul")]
    if len(layers) < 2:
        return Seen(said=f"{len(layers)} linear layers")
    multiplied = any(c.kind == "matmul" for c in layers)
    if multiplied and len(bare_matrices(found.model)) + len(linear_layers(found.model)) < 2:
        return Seen(said="one trained matrix")
    between = [c for c in calls if c.kind in ACTIVATIONS and c.number < layers[-1].number]
    error = _affine_error(found.model, found.x, layers[-1])
    said = f"{len(layers)} linear layers, {len(between)} activations between them; {error:.2g} from linear"
    unused = bool(between) and error < EXACT  # what they give is thrown away, or all of it lies where they are a line
    if (between and not unused) or (error > 1e-3 and (multiplied or not _has_pool_only(found.model, calls))):
        return Seen(said=said)
    lab, few, unit = lab_given(subject), FEW, "metric"
    if judged_by_loss := not asks_for_means(subject):  # then R² is no judge
        lab, unit = replace(lab, metric=Metric("loss", lambda z, y: float(found.loss_fn(z, y)), False)), "loss"
    least, was, after = unseen_gain(lab, with_relus(lab), deadline, steps=200)
    if judged_by_loss:
        few = SHARE * abs(float(found.loss_fn(outputs_given(found), found.y)) - was)
    if unused and not least > few:
        return Seen(said=said)
    finding = Finding(
        "model.missing_nonlinearity",
        "warning" if least > few else "info",
        layers[0].where,
        f"{len(layers)} linear layers with no activation {'that is used ' if unused else ''}between them; "
        f"after 200 steps the {unit} on unseen rows is {was:.3g}, with ReLU between them {after:.3g}",
        "linear layers in a row are one linear layer",
        "put an activation after each hidden layer",
        code="h = torch.relu(self.fc1(x))",
        confidence=0.95,
        numbers={"before": was, "after": after},
    )
    return Seen([finding], said)


def with_relus(lab: Lab) -> Lab:
    """The same network with a ReLU after each linear layer but the last."""
    layers = [c for c in calls_of(lab.model, lab.x[:4]) if c.kind in (*LINEAR, "matmul")]
    return replace(lab, model=Rewired(lab.model, relu_after(frozenset(c.number for c in layers[:-1]))))


def _affine_error(model: torch.nn.Module, x: Tensor, last: Call) -> float:
    """Largest |f(a) + f(b) − f(a + b) − f(0)| over the size of f's changes, at the output of the last layer."""
    a, b = x[: len(x) // 2], x[len(x) // 2 : len(x) // 2 * 2]
    with torch.no_grad():
        batch = torch.cat([a, b, a + b, torch.zeros_like(a)])
        calls = calls_of(model, batch)
        out = next((c.output for c in calls if c.number == last.number), first_output(model(batch)))
    if len(out) != len(batch):
        return 1.0
    fa, fb, fab, f0 = out.double().chunk(4)
    size = (fab - f0).abs().max()
    return float((fa + fb - fab - f0).abs().max() / size) if size > 0 else 1.0


def _has_pool_only(model: torch.nn.Module, calls: list[Call]) -> bool:
    """Whether the only thing that is not linear is max-pooling, which is no activation between all of its layers."""
    kinds = {c.kind for c in calls}
    recurrent = any(isinstance(m, torch.nn.RNNBase) for m in model.modules())
    return "conv" in kinds and not recurrent and not kinds & {"matmul", "embedding"}
