"""A multilayer perceptron: linear → norm → activation → dropout, `depth` times, then a linear output."""

from __future__ import annotations

import math

from torch import nn

from dressage import recipe
from dressage.catalogue import parse
from dressage.layers import activations, norms


def mlp(shape: tuple[int, ...], outputs: int, section: recipe.Model, dropout: float) -> nn.Module:
    """`(N, *shape)`, flattened, through `section.depth` hidden layers of `section.width` units, to `(N, outputs)`."""
    layers: list[nn.Module] = [nn.Flatten()] if len(shape) != 1 else []
    features = math.prod(shape)
    bias = parse(section.norm)[0] != "batch"  # batch norm subtracts the mean and with it any bias
    for _ in range(section.depth):
        layers += [nn.Linear(features, section.width, bias=bias)]
        if parse(section.norm)[0] != "none":
            layers += [norms.catalogue.build(section.norm, section.width, 0)]
        layers += [activations.catalogue.build(section.activation)]
        if dropout > 0:
            layers += [nn.Dropout(dropout)]
        features = section.width
    return nn.Sequential(*layers, nn.Linear(features, outputs))
