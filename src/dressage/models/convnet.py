"""A small convolutional network for images of about 28 to 32 pixels.

Three stages of `depth` 3×3 convolutions (each: convolution → norm → activation) with `width`, 2·width and 4·width
channels; between stages the side is halved by max pooling; then the mean over all places, dropout and a linear
output. Mean pooling makes the parameters independent of the image's size, and three stages see 22 pixels at depth 1,
36 at depth 2.
"""

from __future__ import annotations

from torch import nn

from dressage import recipe
from dressage.catalogue import parse
from dressage.layers import activations, norms
from dressage.models.shapes import image_shape

STAGES = 3


def convnet(shape: tuple[int, ...], outputs: int, section: recipe.Model, dropout: float) -> nn.Module:
    """`(N, C, H, W)` to `(N, outputs)`; `section.width` channels in the first stage, `section.depth` layers a stage."""
    channels = image_shape("convnet", shape, section)[0]
    bias = parse(section.norm)[0] != "batch"  # batch norm subtracts the mean and with it any bias
    layers: list[nn.Module] = []
    for stage in range(STAGES):
        width = section.width * 2**stage
        if stage > 0:
            layers += [nn.MaxPool2d(2, ceil_mode=True)]  # ceil: a side of 1 stays 1, so any image fits
        for _ in range(section.depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=bias)]
            if parse(section.norm)[0] != "none":
                layers += [norms.catalogue.build(section.norm, width, 2)]
            layers += [activations.catalogue.build(section.activation)]
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout > 0:
        layers += [nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(channels, outputs))
