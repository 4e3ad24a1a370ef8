"""Rules for the first weights. They draw from torch's default generator: seed it before.

`catalogue[name].build(weight, activation)` fills `weight (out, in, ...)` in place and returns it. `activation` is the
name of the nonlinearity that the layer feeds; `output` stands for none, the last layer of a network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dressage.catalogue import Catalogue, Entry
from dressage.errors import RecipeError

OUTPUT = "output"
GAINS = {"relu": math.sqrt(2), "gelu": math.sqrt(2), "tanh": 5 / 3, "sigmoid": 1.0, OUTPUT: 0.1}
"""Factor on the standard deviation that keeps the size of a signal through the activation (He 2015; torch's 5/3 for
tanh).

0.1 for the output: a new network then gives all classes about the same probability, so the first loss is near ln C
(near the variance of the target in a regression), and every layer still gets a gradient, which zeros would not give
it.
"""


def he(weight: Tensor, activation: str) -> Tensor:
    """Normal with sd gain/√fan_in."""
    fan_in = weight[0].numel()
    return nn.init.normal_(weight, 0.0, GAINS.get(activation, 1.0) / math.sqrt(max(fan_in, 1)))


def xavier(weight: Tensor, activation: str) -> Tensor:
    """Normal with sd √(2/(fan_in + fan_out)), whatever the activation; a tenth of it in the output layer."""
    return nn.init.xavier_normal_(weight, GAINS[OUTPUT] if activation == OUTPUT else 1.0)


def orthogonal(weight: Tensor, activation: str) -> Tensor:
    """A random orthogonal matrix (of the weight as `(out, in·…)`) times the gain."""
    return nn.init.orthogonal_(weight, GAINS.get(activation, 1.0))


def normal(weight: Tensor, activation: str, *, std: float = 0.01) -> Tensor:
    """Normal with a fixed sd in every layer, the output layer too."""
    if not 0 <= std < math.inf:
        raise RecipeError.of("normal.std", f"{std} given", "expected a number from 0 on", "e.g. normal(std=0.01)")
    return nn.init.normal_(weight, 0.0, std)


def initialise(model: nn.Module, rule: str, activation: str) -> None:
    """Fills the weight of every linear and convolution layer by `rule`; biases 0, norms at scale 1 and shift 0.

    The last linear or convolution layer (in the order in which the model holds its layers) is the output: it gets the
    rule's small form, a gain of 0.1 (see `GAINS`).
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [m for m in model.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        for layer in layers:
            catalogue.build(rule, layer.weight, OUTPUT if layer is layers[-1] else activation)
            if layer.bias is not None:
                layer.bias.zero_()
        for module in model.modules():
            if isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm) and module.weight is not None:
                module.weight.fill_(1.0)
                module.bias.zero_()


catalogue: Catalogue[Tensor] = Catalogue(
    "init",
    Entry(
        "he",
        he,
        "Keeps the size of the signal through relu layers; gain √2 for relu and gelu, 5/3 for tanh, 1 for sigmoid.",
        "w ~ N(0, gain²/fan_in)",
        "L6, C784, R5, DR10; He et al. 2015",
    ),
    Entry(
        "xavier",
        xavier,
        "Keeps signal and gradient of about the same size through layers that are linear near zero (tanh).",
        "w ~ N(0, 2/(fan_in + fan_out))",
        "L6, C784, R5; Glorot & Bengio 2010",
    ),
    Entry(
        "orthogonal",
        orthogonal,
        "Keeps lengths and angles exactly in a linear network; same gains as he.",
        "w = gain·Q, QᵀQ = I or QQᵀ = I",
        "C784; Saxe et al. 2014",
    ),
    Entry(
        "normal",
        normal,
        "One standard deviation for every layer: small networks only, the signal vanishes in deep ones.",
        "w ~ N(0, std²)",
        "L6, C784",
    ),
)
