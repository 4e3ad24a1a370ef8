"""RepVGG in its form for training: a plain chain of blocks, each a 3×3 and a 1×1 convolution and the identity, added
(Ding et al. 2021).

Every branch ends in a batch norm, which is an affine map once training is over; so the three fuse into one 3×3
convolution with a bias, and the network into a plain chain of those. Three stages of `depth` blocks with w = `width`,
2w and 4w channels, the side halved at the start of stages two and three; the mean over all places, dropout and a
linear output. A block from m to n channels takes 10mn + 4n parameters, and 2n more where it has the identity.
"""

from __future__ import annotations

from torch import Tensor, nn

from dressage import recipe
from dressage.layers import activations, norms
from dressage.models.parts import pieces, require_norm, units, widened
from dressage.models.shapes import image_shape

STAGES = 3


class Block(nn.Module):
    """`act(norm3(conv3(x)) + norm1(conv1(x)) + norm0(x))`: `(N, C, H, W)` to `(N, width, ⌈H/stride⌉, ⌈W/stride⌉)`.

    The identity is there where input and output have one shape; convolutions have no bias, since the norm has one.
    """

    def __init__(self, channels: int, width: int, stride: int, section: recipe.Model) -> None:
        super().__init__()
        self.pieces, wide = pieces(section), units(section, width)
        self.conv3 = nn.Conv2d(channels, wide, 3, stride, 1, bias=False)
        self.norm3 = norms.catalogue.build(section.norm, wide, 2)
        self.conv1 = nn.Conv2d(channels, wide, 1, stride, bias=False)
        self.norm1 = norms.catalogue.build(section.norm, wide, 2)
        same = channels == width and stride == 1
        self.norm0 = norms.catalogue.build(section.norm, wide, 2) if same else None
        self.activation = activations.catalogue.build(section.activation)

    def forward(self, x: Tensor) -> Tensor:
        total = self.norm3(self.conv3(x)) + self.norm1(self.conv1(x))
        if self.norm0 is not None:
            total = total + self.norm0(widened(x, self.pieces))
        out: Tensor = self.activation(total)
        return out


def repvgg(shape: tuple[int, ...], outputs: int, section: recipe.Model, dropout: float) -> nn.Module:
    """`(N, C, H, W)` to `(N, outputs)`; `section.width` channels in the first stage, `section.depth` blocks a stage.

    Raises RecipeError for another norm than batch norm, without which the branches cannot be fused.
    """
    channels = image_shape("repvgg", shape, section)[0]
    require_norm(
        "repvgg", section, ("batch", "batch_renorm", "sync_batch"), "its branches are fused by their batch norms"
    )
    layers: list[nn.Module] = []
    for stage in range(STAGES):
        width = section.width * 2**stage
        for block in range(section.depth):
            layers += [Block(channels, width, 2 if stage > 0 and block == 0 else 1, section)]
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout > 0:
        layers += [nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(channels, outputs))
