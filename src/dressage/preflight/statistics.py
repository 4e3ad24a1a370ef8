"""Forward and backward signals of a network on one batch, a line a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dressage.layers.maxout import Maxout
from dressage.preflight.calls import Call, watched
from dressage.subject import first_output

SHOWN = ("linear", "conv", "relu", "tanh", "sigmoid", "embedding", "norm")
SMOOTH = ("leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "softplus", "hardtanh", "hardswish", "mish")
BINS = 40


@dataclass(slots=True)
class LayerStatistics:
    """What one call of one layer or activation gives, over rows."""

    name: str
    kind: str
    number: int
    mean: float
    sd: float
    saturated: float
    """Share of values with |tanh| > 0.95, or a sigmoid outside 0.025 to 0.975; 0 for other kinds."""
    dead: float
    """Share of units of a ReLU that give 0 on every row (and place); 0 for other kinds."""
    gradient: float = 0.0
    """L2 norm of the loss's gradient at the output."""
    reached: bool = True
    """Whether a gradient goes back to it: none does where all up to here is frozen."""
    histogram: tuple[int, ...] = ()
    """How many of the finite values lie in each of 40 equal steps from `low` to `high`."""
    low: float = 0.0
    high: float = 0.0


def statistics(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: Callable[[Tensor, Tensor], Any]
) -> list[LayerStatistics]:
    """Statistics of each linear layer, convolution, norm and activation of a copy, in the order in which they run.

    In the mode in which the copy is; gradients of its parameters are left as they were.
    """
    lines: list[LayerStatistics] = []
    state = {"conv": False}

    modules = dict(model.named_modules())

    def see(call: Call) -> Tensor | None:
        kind = _kind(call, modules)
        if kind not in SHOWN + SMOOTH + ("maxout",) or not call.output.is_floating_point():
            return None
        if kind in ("linear", "conv"):
            state["conv"] = kind == "conv"
        line = _line(call, kind, state["conv"])
        lines.append(line)
        line.reached = call.output.requires_grad
        if line.reached:
            call.output.register_hook(lambda g: _note_gradient(line, g))  # type: ignore[no-untyped-call]
        return None

    with torch.enable_grad(), watched(model, see):
        outputs = first_output(model(x))
    loss = loss_fn(outputs, y).mean()
    parameters = [p for p in model.parameters() if p.requires_grad]
    if loss.requires_grad and parameters:
        torch.autograd.grad(loss, parameters, allow_unused=True)
    return lines


def backward_gain(lines: list[LayerStatistics]) -> float:
    """Gradient at the first linear layer's output over that at the last's; 1 with fewer than two, or without gradient.

    Frozen layers, to which none goes back, are left out.
    """
    sizes = [s.gradient for s in lines if s.kind in ("linear", "conv") and s.reached]
    return sizes[0] / sizes[-1] if len(sizes) > 1 and sizes[-1] > 0 else 1.0


def forward_gain(lines: list[LayerStatistics]) -> float:
    """sd of the last hidden linear layer's output over the first's; 1 with fewer than two hidden layers."""
    sizes = [s.sd for s in lines if s.kind in ("linear", "conv")][:-1]
    return sizes[-1] / sizes[0] if len(sizes) > 1 and sizes[0] > 0 else 1.0


def _kind(call: Call, modules: Mapping[str, nn.Module]) -> str:
    """The kind of a call; of a smooth one the name of its function."""
    if call.kind != "smooth":
        return call.kind
    return "maxout" if isinstance(modules.get(call.where), Maxout) else call.function.rstrip("_")


def _line(call: Call, kind: str, channels_first: bool) -> LayerStatistics:
    value = call.output.detach().float()
    saturated = dead = 0.0
    if kind == "tanh":
        saturated = float((value.abs() > 0.95).float().mean())
    elif kind == "sigmoid":
        saturated = float(((value < 0.025) | (value > 0.975)).float().mean())
    elif kind == "relu" and value.ndim > 1:
        units = value.movedim(1 if channels_first and value.ndim > 2 else -1, 0).flatten(1)
        dead = float((units == 0).all(1).float().mean())
    sd = float(value.std()) if value.numel() > 1 else 0.0
    line = LayerStatistics(call.where or kind, kind, call.number, float(value.mean()), sd, saturated, dead)
    finite = value[value.isfinite()]
    if finite.numel():
        line.low, line.high = (float(v) for v in finite.aminmax())
        line.histogram = tuple(int(n) for n in torch.histc(finite.double(), BINS))
    return line


def _note_gradient(line: LayerStatistics, gradient: Tensor) -> None:
    line.gradient = float(gradient.float().norm())
