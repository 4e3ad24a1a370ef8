"""Layers that stand still though they were to be trained: their path to the loss is cut, or no optimiser was given them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.preflight.parameters import hidden_tensors
from dressage.watch.telemetry import Probe, Telemetry

LEAST = 3
"""Probes from which a layer is told to stand still."""
VALUES = 64
"""Weights from which it is told whether they are as torch draws them."""
DRAWN = 0.1
"""Relative difference of the spread of a sample from that of its distribution."""
KINDS = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def cut_off(seen: Telemetry, model: nn.Module, optimizer: Optimizer) -> list[Finding]:
    """The first layers that a pass calls never get a gradient, those behind them do, and the optimiser was to train both.

    A body that is kept on purpose was trained before: its weights are not as torch draws them.
    """
    if len(seen.probes) < LEAST:
        return []
    still, moved = (_layers_of(seen.probes, moved=m) for m in (False, True))
    order = [layer.name for layer in seen.probes[-1].layers]
    places = [order.index(name) for name in moved if name in order]
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    cut = [
        name
        for name in order
        if name in still and places and order.index(name) < min(places) and _is_new(model.get_submodule(name), held)
    ]
    if not cut or set(order[: min(places)]) & still != set(cut):
        return []
    return [
        Finding(
            "optim.frozen_params",
            "warning",
            cut[0],
            f"{', '.join(cut[:4])} {'run' if len(cut) > 1 else 'runs'} in each step and never got a gradient, nor moved, in "
            f"{seen.step} steps, though the optimiser holds {'them' if len(cut) > 1 else 'it'}; the weights are as they were drawn",
            "their path to the loss is cut: by detach, .data, no_grad, or a computation outside of torch",
            "keep the computation in torch's tensors, without .detach() or .numpy()",
            step=seen.probes[0].step,
            code="h = torch.sparse.mm(adjacency, x)  # not torch.from_numpy(a @ x.detach().numpy())",
            confidence=0.9,
        )
    ]


def thawed_alone(first: nn.Module, model: nn.Module, optimizer: Optimizer, step: int) -> list[Finding]:
    """Parameters that were asked for a gradient while the training ran, get one, and are what they were at `first`."""
    before = dict(first.named_parameters())
    found = [
        name
        for name in _left_standing(before, dict(model.named_parameters()), optimizer)
        if not before[name].requires_grad
    ]
    if not found:
        return []
    return [
        Finding(
            "optim.frozen_params",
            "warning",
            found[0],
            f"{len(found)} parameters ({', '.join(found[:4])}{', …' * (len(found) > 4)}) were frozen at first, are asked for a "
            f"gradient now and get one, and have not moved in {step} steps: the optimiser does not hold them",
            "they were thawed by requires_grad, and not given to the optimiser, which was made before",
            "give them to the optimiser when they are thawed",
            step=step,
            code="optimizer.add_param_group({'params': model.body.parameters()})",
            confidence=0.95,
        )
    ]


def left_out(first: nn.Module, model: nn.Module, optimizer: Optimizer, step: int) -> list[Finding]:
    """New layers of the model that get a gradient, are not held by the optimiser, and are what they were at `first`."""
    before, now = dict(first.named_parameters()), dict(model.named_parameters())
    found = [name for name in _left_standing(before, now, optimizer) if before[name].requires_grad]
    if not any(_is_uniform(now[name].detach()) for name in found):
        return []  # trained before, and kept on purpose
    return [
        Finding(
            "optim.frozen_params",
            "warning",
            found[0],
            f"{len(found)} parameters ({', '.join(found[:4])}{', …' * (len(found) > 4)}) get a gradient and have not moved in "
            f"{step} steps: the optimiser does not hold them, and they are as they were drawn",
            "the optimiser was made from a part of the model, and nothing trains the rest",
            "give the optimiser all that is to be trained; what is kept on purpose, say so by requires_grad_(False)",
            step=step,
            code="optimizer = torch.optim.Adam(model.parameters(), lr)",
            confidence=0.9,
        )
    ]


def held_in_lists(first: nn.Module, model: nn.Module, optimizer: Optimizer, step: int) -> list[Finding]:
    """Layers of a plain list, dict or attribute: they get a gradient, are in no optimiser, and stand as they did at `first`.

    One that is kept on purpose was trained before: only weights that are spread as those of a new layer count, or are all 0.
    """
    standing = dict(hidden_tensors(model))
    found = _left_standing(dict(hidden_tensors(first)), standing, optimizer)
    if not any(_is_uniform(standing[name].detach()) or not standing[name].any() for name in found):
        return []
    return [
        Finding(
            "optim.frozen_params",
            "warning",
            found[0],
            f"{len(found)} tensors ({', '.join(found[:4])}{', …' * (len(found) > 4)}) get a gradient and have not moved in "
            f"{step} steps: they are not among model.parameters(), and the optimiser does not hold them",
            "layers that are kept in a plain list, dict or tuple are not known to the model",
            "keep them in nn.ModuleList, nn.ModuleDict or nn.ParameterList",
            step=step,
            code="self.layers = nn.ModuleList(layers)",
            confidence=0.9,
        )
    ]


def _left_standing(before: Mapping[str, Tensor], now: Mapping[str, Tensor], optimizer: Optimizer) -> list[str]:
    """Names of those that are asked for a gradient and get one, are not held by the optimiser, and are what they were."""
    held = {p.untyped_storage().data_ptr() for group in optimizer.param_groups for p in group["params"]}
    return [
        name
        for name, p in now.items()
        if p.requires_grad
        and name in before
        and p.untyped_storage().data_ptr() not in held
        and p.grad is not None
        and bool(p.grad.any())
        and torch.equal(p.detach().cpu(), before[name].detach().cpu())
    ]


def _layers_of(probes: list[Probe], *, moved: bool) -> set[str]:
    """Names of the modules whose weight had a gradient in some step, or had none in any."""
    had = {w.name for p in probes for w in p.weights if w.gradient >= 0 or w.update > 0}
    every = {w.name for p in probes for w in p.weights}
    chosen = had if moved else every - had
    return {name.removesuffix(".weight") for name in chosen if name.endswith(".weight")}


def _is_new(module: nn.Module, held: set[int]) -> bool:
    """Whether the optimiser holds its weights, and they are what torch draws: uniform in ±1/√inputs."""
    if not isinstance(module, KINDS) or id(module.weight) not in held or module.weight.numel() < VALUES:
        return False
    weight: Tensor = module.weight.detach()
    bound = 1 / math.sqrt(weight[0].numel())
    return float(weight.abs().max()) <= bound * (1 + 1e-5) and _is_uniform(weight)


def _is_uniform(weight: Tensor) -> bool:
    """Whether enough weights are spread evenly between two ends, as those of a new layer are and trained ones are not."""
    return weight.numel() >= VALUES and abs(float(weight.std() / weight.abs().max()) * math.sqrt(3) - 1) < DRAWN
