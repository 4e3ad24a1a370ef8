"""A small convolutional network for images of about 28 to 32 pixels.

Three stages of `depth` 3×3 convolutions (each: convolution → norm → activation) with `width`, 2·width and 4·width
channels; the side is halved by max pooling between stages; then dropout and a linear output that sees every place.
Larger images are averaged to 8×8 places first. (A mean over all places costs 4 points on Fashion-MNIST after 4
epochs, .879 against .919.)
"""

from __future__ import annotations

from torch import nn

from dressage import recipe
from dressage.catalogue import parse
from dressage.layers import activations, norms
from dressage.models.shapes import image_shape

STAGES = 3
PLACES = 8


def convnet(shape: tuple[int, ...], outputs: int, section: recipe.Model, dropout: float) -> nn.Module:
    """`(N, C, H, W)` to `(N, outputs)`; `section.width` channels in the first stage, `section.depth` layers a stage."""
    channels, height, width = image_shape("convnet", shape, section)
    bias = parse(section.norm)[0] != "batch"  # batch norm subtracts the mean and with it any bias
    layers: list[nn.Module] = []
    for stage in range(STAGES):
        maps = section.width * 2**stage
        if stage > 0:
            layers += [nn.MaxPool2d(2, ceil_mode=True)]  # ceil: a side of 1 stays 1, so any image fits
            height, width = (height + 1) // 2, (width + 1) // 2
        for _ in range(section.depth):
            layers += [nn.Conv2d(channels, maps, 3, padding=1, bias=bias)]
            if parse(section.norm)[0] != "none":
                layers += [norms.catalogue.build(section.norm, maps, 2)]
            layers += [activations.catalogue.build(section.activation)]
            channels = maps
    if max(height, width) > PLACES:
        height, width = min(height, PLACES), min(width, PLACES)
        layers += [nn.AdaptiveAvgPool2d((height, width))]
    layers += [nn.Flatten()]
    if dropout > 0:
        layers += [nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(channels * height * width, outputs))
