"""The residual network for small images (He et al. 2015, section 4.2).

A 3×3 convolution, then three stages of `depth` blocks with `width`, 2·width and 4·width channels, the side halved at
the start of stages two and three; the mean over all places and a linear output: 6·depth + 2 layers. Shortcuts are
option A of the paper: every second pixel and zeros for the new channels, no parameters. Norm after each convolution;
without a layer for it each branch is multiplied by a learned number that starts at 0 (SkipInit, De & Smith 2020), since
sums of unscaled branches explode with depth.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dressage import recipe
from dressage.layers import activations, norms
from dressage.models.parts import needs_bias, pieces, units, widened
from dressage.models.shapes import image_shape

STAGES = 3


class Block(nn.Module):
    """`act(branch(x) + shortcut(x))`: `(N, C, H, W)` to `(N, width, H/stride, W/stride)`."""

    def __init__(self, channels: int, width: int, stride: int, section: recipe.Model) -> None:
        super().__init__()
        self.stride, self.added = stride, width - channels
        self.pieces, wide = pieces(section), units(section, width)
        bias = needs_bias(section)
        self.conv1 = nn.Conv2d(channels, wide, 3, stride, 1, bias=bias)
        self.norm1 = norms.catalogue.build(section.norm, wide, 2)
        self.act1 = activations.catalogue.build(section.activation)
        self.conv2 = nn.Conv2d(width, wide, 3, 1, 1, bias=bias)
        self.norm2 = norms.catalogue.build(section.norm, wide, 2)
        self.survival = nn.Identity()  # where stochastic depth leaves the branch out
        self.act2 = activations.catalogue.build(section.activation)
        self.scale = None if norms.follows(section.norm) else nn.Parameter(torch.zeros(()))
        self.branch_end = ("conv2", "norm2")  # for first weights that let a branch begin small

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        if self.scale is not None:
            branch = branch * self.scale
        branch = self.survival(branch)
        if self.stride > 1:
            # Every second pixel. Slicing would give the same, but its gradient comes in another memory layout, and the
            # activation before it then takes thirty times as long to go back through.
            x = F.avg_pool2d(x, 1, self.stride)
        if self.added > 0:
            x = F.pad(x, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        out: Tensor = self.act2(branch + widened(x, self.pieces))
        return out


def resnet(shape: tuple[int, ...], outputs: int, section: recipe.Model, dropout: float) -> nn.Module:
    """`(N, C, H, W)` to `(N, outputs)`; `section.width` channels in the first stage, `section.depth` blocks a stage."""
    channels = image_shape("resnet", shape, section)[0]
    width = section.width
    layers: list[nn.Module] = [
        nn.Conv2d(channels, units(section, width), 3, padding=1, bias=needs_bias(section)),
        norms.catalogue.build(section.norm, units(section, width), 2),
        activations.catalogue.build(section.activation),
    ]
    channels = width
    for stage in range(STAGES):
        for block in range(section.depth):
            width = section.width * 2**stage
            layers += [Block(channels, width, 2 if stage > 0 and block == 0 else 1, section)]
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout > 0:
        layers += [nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(channels, outputs))
