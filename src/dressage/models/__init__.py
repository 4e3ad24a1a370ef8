"""Networks. `catalogue[name].build(shape, outputs, section, dropout)`: from one sample's shape to `(N, outputs)`."""

from __future__ import annotations

from torch import nn

from dressage import recipe
from dressage.catalogue import Catalogue, Entry, parse
from dressage.layers.init import initialise
from dressage.models.convnet import convnet
from dressage.models.mlp import mlp
from dressage.models.resnet import resnet

catalogue: Catalogue[nn.Module] = Catalogue(
    "model",
    Entry(
        "mlp",
        mlp,
        "Multilayer perceptron: `depth` hidden layers of `width` units, for rows of numbers and small images.",
        "(linear → norm → activation → dropout) × depth → linear",
        "C784, CMU3; Rumelhart, Hinton & Williams 1986",
    ),
    Entry(
        "convnet",
        convnet,
        "Small convolutional network for images of about 28 to 32 pixels: three stages of `depth` layers.",
        "((conv 3×3 → norm → activation) × depth → max pool) × 3 → dropout → linear",
        "L6, C784; LeCun 1998, Simonyan & Zisserman 2015",
    ),
    Entry(
        "resnet",
        resnet,
        "Residual network in its form for CIFAR: three stages of `depth` blocks, 6·depth + 2 layers.",
        "x ← activation(x + norm(conv(activation(norm(conv(x))))))",
        "L6, R5; He et al. 2015",
    ),
)


def build_model(section: recipe.Model, shape: tuple[int, ...], outputs: int, dropout: float) -> nn.Module:
    """The network that `section` names, with its first weights; draws from torch's default generator.

    `shape` is one sample as the network gets it, `(D,)` or `(C, H, W)`; `outputs` the classes, or the targets of a
    regression.
    """
    model = catalogue.build(section.name, shape, outputs, section, dropout)
    initialise(model, section.init, parse(section.activation)[0])
    return model
