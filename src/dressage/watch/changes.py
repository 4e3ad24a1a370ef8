"""The changes that a continuation can try, one for each cause: what is edited, where it applies, and what to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.preflight.calls import Rewired, drop_nothing, drops_by_calls
from dressage.subject import Lab
from dressage.subject.inputs import keeps_numbers

PASSING = (nn.Identity, nn.Dropout, nn.LayerNorm, nn.BatchNorm1d)
"""What may stand between two linear layers that are one."""
RECTIFIED = "ReLU between linear layers"
TENTH, UNIT = 0.1, 0.5
"""Of their size, that embeddings are given; and what is near torch's own size."""
EMBEDDINGS = "embeddings a tenth as large"
LARGER = 32
"""Rows from which batch norm takes sound statistics."""
FAR = 4.0
"""Times that weights are larger or smaller than He's or Xavier's before their size is suspected; torch's own are 0.41 of He's."""
Edit = Callable[[Lab], Lab | None]
"""The lab with one thing changed; None where the change does not apply."""


@dataclass(frozen=True, slots=True)
class Change:
    """A remedy that can be tried."""

    id: str
    name: str
    edit: Edit
    where: str
    cause: str
    remedy: str
    code: str = ""
    recipe: Mapping[str, object] = field(default_factory=dict)
    prior: float = 0.5
    """How readily it is believed where several help alike: what is nearer to the data comes first."""


def changes(lab: Lab) -> list[Change]:
    """Every change that applies to a lab. What it makes of the lab is made again when it is tried: a copy at a time."""
    return [change for change in CHANGES if change.edit(lab) is not None]


def _rate(factor: float) -> Edit:
    return lambda lab: lab.with_rate(factor)


def _standardized(lab: Lab) -> Lab | None:
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


def _unregularized(lab: Lab) -> Lab | None:
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


def _less_momentum(lab: Lab) -> Lab | None:
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


def _clipped(lab: Lab) -> Lab | None:
    has_sparse = any(getattr(m, "sparse", False) for m in lab.model.modules())  # gradients that torch does not clip
    return None if lab.clip_norm or has_sparse else replace(lab, clip_norm=1.0)


def _initialized(larger: bool) -> Edit:
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


def _smaller_embeddings(lab: Lab) -> Lab | None:
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


def _rectified(lab: Lab) -> Lab | None:
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


def _other_activations(lab: Lab) -> Lab | None:
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


def _larger_batch(lab: Lab) -> Lab | None:
    normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in lab.model.modules())
    return replace(lab, batch_size=min(LARGER, len(lab.x))) if normed and lab.batch_size <= 8 else None


CHANGES = (
    Change(
        "data.unscaled_inputs",
        "standardised inputs",
        _standardized,
        "inputs",
        "the columns of the inputs have sizes far from 1, or far from one another",
        "standardise the inputs with the statistics of the training part",
        "x = (x - x_train.mean(0)) / x_train.std(0)",
        {"data.preprocess": ["standardize"]},
        0.9,
    ),
    Change(
        "optim.momentum_too_high",
        "momentum 0.9",
        _less_momentum,
        "optimiser",
        "the momentum sums over so many steps that the training overshoots and swings back",
        "take a momentum of 0.9",
        "momentum=0.9",
        {"optim.momentum": 0.9},
        0.8,
    ),
    Change(
        "optim.over_regularised",
        "no regularisation",
        _unregularized,
        "regularisation",
        "weight decay, dropout or a penalty holds the network back from the training rows themselves",
        "regularise less",
        "weight_decay=1e-4, dropout 0.1",
        {"regularize.weight_decay": 1e-4, "regularize.dropout": 0.0},
        0.8,
    ),
    Change(
        "optim.bn_small_batch",
        "batches of 32",
        _larger_batch,
        "batch norm",
        "batch norm takes its statistics from a few rows",
        "take larger batches, or group norm",
        "DataLoader(..., batch_size=32)",
        {"train.batch_size": 32},
        0.8,
    ),
    Change(
        "optim.exploding_gradients",
        "gradients clipped to norm 1",
        _clipped,
        "gradients",
        "single gradients are so large that one step undoes many",
        "clip the gradient's norm",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        {"optim.clip_norm": 1.0},
        0.45,
    ),
    *(
        Change(
            "optim.lr_too_high",
            f"a rate {1 / factor:.0f} times lower",
            _rate(factor),
            "optimiser",
            "the steps are so large that the training overshoots",
            f"lower the learning rate to about 1/{1 / factor:.0f}",
            prior=0.7,
        )
        for factor in (0.1, 0.01)
    ),
    *(
        Change(
            "optim.lr_too_low",
            f"a rate {factor:.0f} times higher",
            _rate(factor),
            "optimiser",
            "the steps are so small that the training hardly moves",
            f"raise the learning rate about {factor:.0f} times",
            prior=0.6,
        )
        for factor in (10.0, 100.0, 1e3, 1e4, 1e5)
    ),
    *(
        Change(
            f"model.init_too_{'large' if larger else 'small'}",
            "He or Xavier initialisation",
            _initialized(larger),
            "initial weights",
            f"the first weights are so {'large' if larger else 'small'} that signals and gradients do not pass well",
            "initialise by He (ReLU) or Xavier (tanh)",
            "nn.init.kaiming_normal_(layer.weight)",
            {"model.init": "he"},
            0.75,
        )
        for larger in (True, False)
    ),
    Change(
        "model.init_too_large",
        EMBEDDINGS,
        _smaller_embeddings,
        "embeddings",
        "the first embeddings are so large that what is made of them drowns what the rows say",
        "draw them smaller",
        "nn.init.normal_(embedding.weight, std=0.1)",
        prior=0.7,
    ),
    Change(
        "model.missing_nonlinearity",
        RECTIFIED,
        _rectified,
        "layers",
        "linear layers that follow one another are one linear layer",
        "put an activation after each hidden layer",
        "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))",
        prior=0.7,
    ),
    Change(
        "optim.vanishing_gradients",
        "ReLU in place of saturating activations",
        _other_activations,
        "activations",
        "saturating activations shrink the gradient layer by layer",
        "take ReLU, or add normalisation or shortcuts",
        "nn.ReLU()",
        {"model.activation": "relu"},
        0.4,
    ),
)
