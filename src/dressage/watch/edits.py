"""What a continuation can change: rate, momentum, regularisation, batches, inputs, first weights and activations of a lab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.preflight.calls import Rewired, drop_nothing, drops_by_calls
from dressage.subject import Lab
from dressage.subject.inputs import keeps_numbers

LARGER = 32
"""Rows from which batch norm takes sound statistics."""
FAR = 4.0
"""Times that weights are larger or smaller than He's or Xavier's before their size is suspected; torch's own are 0.41 of He's."""
PASSING = (nn.Identity, nn.Dropout, nn.LayerNorm, nn.BatchNorm1d)
"""What may stand between two linear layers that are one."""
TENTH, UNIT = 0.1, 0.5
"""Of their size, that embeddings are given; and what is near torch's own size."""
Edit = Callable[[Lab], Lab | None]
"""The lab with one thing changed; None where the change does not apply."""


def rate(factor: float) -> Edit:
    """The rate times a factor."""
    return lambda lab: lab.with_rate(factor)


def standardized(lab: Lab) -> Lab | None:
    """Only where the inputs are far from unit size, far from zero, or their columns far from one another."""
    x = lab.x
    if keeps_numbers(lab.model):
        return None
    if not x.is_floating_point() or any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in lab.model.modules()):
        return None
    channels_first = any(isinstance(m, nn.Conv1d) and m.in_channels == x.shape[1] for m in lab.model.modules())
    dims = (0, 2, 3) if x.ndim == 4 else ((0, 2) if channels_first else (0, 1)) if x.ndim == 3 else (0,)
    x = x if x.dtype == torch.float64 else x.float()
    mean, sd = x.mean(dims, keepdim=True), x.std(dims, keepdim=True)
    whole, columns = float(x.std()), sd[sd > 0]
    far = float(x.mean().abs()) > 3 * whole or not 0.05 < whole < 5
    centres = (mean.flatten()[sd.flatten() > 0] / columns.flatten()).abs()
    uneven = (
        x.ndim < 4
        and columns.numel() > 1
        and (float(columns.quantile(0.9) / columns.quantile(0.1)) > 30 or float(centres.max()) > 30)
    )
    if not (far or uneven):
        return None
    return replace(lab, x=((x - mean) / sd.clamp_min(1e-6 * float(sd.max().clamp_min(1e-12)))).to(lab.x.dtype))


def unregularized(lab: Lab) -> Lab | None:
    """Without weight decay, dropout and penalty; None where there are none."""
    decays = any(group.get("weight_decay", 0) > 0 for group in lab.optimizer.param_groups)
    drops = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0.05 for m in lab.model.modules())
    called = not drops and drops_by_calls(lab.model, lab.x[: lab.batch_size])
    if not (decays or drops or called or lab.penalty or lab.after_step):
        return None

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            if "weight_decay" in group:
                group["weight_decay"] = 0.0
        drop_nothing(model)

    changed = replace(lab.changed(edit), penalty=None, after_step=None)
    return replace(changed, model=Rewired(changed.model, _kept_whole)) if called else changed


def _kept_whole(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
    return args[0] if kind == "dropout" and args else call()


def less_momentum(lab: Lab) -> Lab | None:
    """A momentum of 0.9, where it is 0.96 or more."""
    if all(_momentum(group) < 0.96 for group in lab.optimizer.param_groups):
        return None

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (0.9, group["betas"][1])
            elif "momentum" in group:
                group["momentum"] = 0.9

    return lab.changed(edit)


def _momentum(group: Mapping[str, object]) -> float:
    betas = group.get("betas")
    if isinstance(betas, tuple | list) and betas:
        return float(betas[0])
    value = group.get("momentum", 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def clipped(lab: Lab) -> Lab | None:
    """Gradients clipped to norm 1, where they are not yet."""
    has_sparse = any(getattr(m, "sparse", False) for m in lab.model.modules())  # gradients that torch does not clip
    return None if lab.clip_norm or has_sparse else replace(lab, clip_norm=1.0)


def initialized(larger: bool) -> Edit:
    """He (Xavier under tanh and sigmoid) for layers, Xavier for bare matrices, where weights are far larger, or smaller."""

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        for weight, sd in _own_sizes(model):
            with torch.no_grad():
                weight.normal_(0, sd)
        for module in model.modules():
            bias = getattr(module, "bias", None)
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and isinstance(bias, Tensor):
                with torch.no_grad():
                    bias.zero_()
        optimizer.state.clear()

    def change(lab: Lab) -> Lab | None:
        ratios = [float(weight.detach().std() / sd) for weight, sd in _own_sizes(lab.model)]
        fits = any(r > FAR for r in ratios) if larger else any(r < 1 / FAR for r in ratios)
        return lab.changed(edit) if fits else None

    return change


def _own_sizes(model: nn.Module) -> list[tuple[nn.Parameter, float]]:
    """Each trained matrix or kernel and the standard deviation that fits it; embeddings and norms are left alone."""
    rectified = not any(isinstance(m, nn.Tanh | nn.Sigmoid) for m in model.modules())
    left = {id(p) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) for p in m.parameters()}
    layers = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)}
    found = []
    for p in model.parameters():
        if p.ndim < 2 or not p.requires_grad or id(p) in left or min(p.shape[:2]) < 2:
            continue
        fan_in, fan_out = p[0].numel(), p.numel() // p.shape[1]
        he = rectified and id(p) in layers
        found.append((p, (2 / fan_in) ** 0.5 if he else (2 / (fan_in + fan_out)) ** 0.5))
    return found


def smaller_embeddings(lab: Lab) -> Lab | None:
    """Of about unit size, as torch draws them: too large where they are multiplied with one another."""

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        with torch.no_grad():
            for weight in _embeddings(model):
                weight.mul_(TENTH)
        optimizer.state.clear()

    return lab.changed(edit) if any(float(w.detach().std()) > UNIT for w in _embeddings(lab.model)) else None


def _embeddings(model: nn.Module) -> list[nn.Parameter]:
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    return [p for m in tables for p in m.parameters() if p.requires_grad and p.numel() > 1]


def rectified(lab: Lab) -> Lab | None:
    """ReLUs between linear layers of a Sequential that follow one another with none."""

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        for parent, name, layer in _unrectified(model):
            setattr(parent, name, nn.Sequential(layer, nn.ReLU()))

    return lab.changed(edit) if _unrectified(lab.model) else None


def _unrectified(model: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    """Of each pair of them the place of the first."""
    rows = [
        [(p, n, c) for n, c in p.named_children() if not isinstance(c, PASSING)]
        for p in model.modules()
        if isinstance(p, nn.Sequential)
    ]
    return [a for row in rows for a, b in pairwise(row) if isinstance(a[2], nn.Linear) and isinstance(b[2], nn.Linear)]


def other_activations(lab: Lab) -> Lab | None:
    """ReLU for saturating activations inside the network, leaky ReLU for ReLU."""
    places = [
        (parent, name, child)
        for parent in lab.model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Sigmoid | nn.Tanh | nn.Hardtanh | nn.ReLU)
    ]
    saturating = [p for p in places if not isinstance(p[2], nn.ReLU)]
    if not saturating:
        return None

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        leaves = [m for m in model.modules() if not any(True for _ in m.children())]
        for parent in model.modules():
            for name, child in parent.named_children():
                is_head = leaves and child is leaves[-1]
                if isinstance(child, nn.Sigmoid | nn.Tanh | nn.Hardtanh) and not is_head:
                    setattr(parent, name, nn.ReLU())

    return lab.changed(edit)


def larger_batch(lab: Lab) -> Lab | None:
    """Batches of 32, where batch norm takes its statistics from eight rows or fewer."""
    normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in lab.model.modules())
    return replace(lab, batch_size=min(LARGER, len(lab.x))) if normed and lab.batch_size <= 8 else None
