"""Networks. `catalogue[name].build(shape, outputs, section, dropout)`: from one sample's shape to `(N, outputs)`."""

from __future__ import annotations

from torch import nn

from dressage import recipe
from dressage.catalogue import Catalogue, Entry
from dressage.layers.init import initialise
from dressage.layers.norms import reparametrise
from dressage.models.convnet import convnet
from dressage.models.highway import highway
from dressage.models.mlp import mlp
from dressage.models.projection import projected
from dressage.models.recurrent import recurrent
from dressage.models.repvgg import repvgg
from dressage.models.resnet import resnet
from dressage.models.vit import vit

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
    Entry(
        "highway",
        highway,
        "Deep multilayer perceptron whose layers learn how much of their input they let through.",
        "y = T(x)·H(x) + (1 − T(x))·x, T(x) = σ(Wx + b), b from `gate` on",
        "CMU3; Srivastava, Greff & Schmidhuber 2015",
    ),
    Entry(
        "repvgg",
        repvgg,
        "Plain chain of convolutions that is trained with three branches a block; `dressage.fuse` makes one convolution of them.",
        "x ← activation(bn(conv 3×3(x)) + bn(conv 1×1(x)) + bn(x))",
        "L6; Ding et al. 2021",
    ),
    Entry(
        "vit",
        vit,
        "Small vision transformer: patches of the image look at each other; wants more data than a convnet.",
        "x ← x + softmax(QKᵀ/√d)V; x ← x + W₂ activation(W₁x), each after a layer norm",
        "L6; Dosovitskiy et al. 2021, Vaswani et al. 2017",
    ),
    Entry(
        "recurrent",
        recurrent,
        "GRU or LSTM with layer norm after each layer, for sequences given as arrays (N, T, D).",
        "x ← norm(cell(x)) × depth; linear of the last moment, or of the mean over time",
        "R5; Hochreiter & Schmidhuber 1997, Cho et al. 2014, Ba, Kiros & Hinton 2016",
    ),
)


def build_model(
    section: recipe.Model, shape: tuple[int, ...], outputs: int, dropout: float, *, projects: bool = False
) -> nn.Module:
    """The network that `section` names, with its first weights; draws from torch's default generator.

    `shape` is one sample as the network gets it, `(D,)` or `(C, H, W)`; `outputs` the classes, or the targets of a
    regression. `projects`: whether its head is a `Projection`, for views that are held against each other.
    """
    model = catalogue.build(section.name, shape, outputs, section, dropout)
    if projects:
        projected(model, section.name)
    initialise(model, section.init, section.activation)
    reparametrise(model, section.norm)
    return model
