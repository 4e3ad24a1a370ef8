"""The same layers with first weights that keep the size of a signal: what an initialisation is judged against."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dressage.subject import generators_kept

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def reinitialise(model: nn.Module, *, last: nn.Module | None = None, only: set[nn.Module] | None = None) -> None:
    """Draws the weights of a copy anew, in place: He for linear layers (a tenth of it in the last), torch's rule elsewhere.

    `only`: the modules that are drawn anew; all without it. He et al. 2015.
    """
    with generators_kept(), torch.no_grad():
        torch.default_generator.manual_seed(0)
        for module in model.modules():
            if only is not None and module not in only:
                continue
            if isinstance(module, LINEAR) and isinstance(module.weight, nn.Parameter):
                fan_in = module.weight[0].numel() if not module_is_transposed(module) else module.weight[:, 0].numel()
                scale = 0.1 if module is last else math.sqrt(2)
                module.weight.normal_(0.0, scale / math.sqrt(max(fan_in, 1)))
                if module.bias is not None:
                    module.bias.zero_()
                continue
            for name in ("reset_parameters", "_reset_parameters"):
                reset = getattr(module, name, None)
                if callable(reset):
                    reset()
                    break


def module_is_transposed(module: nn.Module) -> bool:
    """Whether its weight is laid out `(in, out, ...)`."""
    return isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)


def linear_layers(model: nn.Module) -> list[tuple[str, nn.Module, Tensor]]:
    """Name, module and weight of each linear or convolution layer, in the order in which the model holds them."""
    return [
        (name, m, m.weight)
        for name, m in model.named_modules()
        if isinstance(m, LINEAR) and isinstance(m.weight, Tensor) and m.weight.numel()
    ]


def spread_of(weight: Tensor) -> float:
    """Root mean square of a weight `(out, in, ...)` × √fan_in: about 1 where the size of a signal is kept."""
    with torch.no_grad():
        return float(weight.float().square().mean().sqrt()) * math.sqrt(max(1, weight[0].numel()))
