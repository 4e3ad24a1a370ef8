"""A network as a chain: linear layers, activations that look at single numbers, and noise between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from dressage.layers.activations import SigmoidGELU
from dressage.layers.dropped import VanillaDropout
from dressage.layers.noise import GaussianNoise
from dressage.regularize.places import After

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, SigmoidGELU)
NOISE = (nn.Dropout, VanillaDropout, GaussianNoise)


@dataclass(frozen=True, slots=True)
class Chain:
    """The layers in order, and the noise behind each of them."""

    layers: tuple[nn.Module, ...]
    noise: dict[int, list[nn.Module]]
    """By the place of the layer before it; -1: on the input."""

    def slots(self) -> list[nn.Module | None]:
        """The noise in the order in which it is drawn, as in all chains of the same `text`: with None where dropout is left out."""
        made: list[nn.Module | None] = []
        for at in range(-1, len(self.layers)):
            here = self.noise.get(at, [])
            made += here if here and type(here[-1]) is nn.Dropout else [*here, None]
        return made

    def places(self) -> list[int]:
        """For each slot the layer that it stands behind."""
        count = [
            len([m for m in self.noise.get(at, []) if type(m) is not nn.Dropout]) + 1
            for at in range(-1, len(self.layers))
        ]
        return [at for at, n in enumerate(count, start=-1) for _ in range(n)]

    def shapes(self) -> list[tuple[int]]:
        """Of what is drawn behind each layer for a row; the last is that of the input, so that place -1 finds it."""
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        found = [linear[0].in_features]
        for layer in self.layers:
            found.append(layer.out_features if isinstance(layer, nn.Linear) else found[-1])
        return [(width,) for width in (*found[1:], found[0])]

    @property
    def text(self) -> str:
        """The same for chains whose layers, and noise but for `nn.Dropout`, are of the same kinds."""
        kinds = {at: [type(m).__name__ for m in ms if type(m) is not nn.Dropout] for at, ms in self.noise.items()}
        return f"{self.layers} { ({at: each for at, each in kinds.items() if each}) }"


def chain_of(model: nn.Module) -> Chain | None:
    """None for a network that is something else."""
    layers: list[nn.Module] = []
    noise: dict[int, list[nn.Module]] = {}
    for module in _pieces(model):
        hooked = module._forward_hooks or module._forward_pre_hooks
        if hooked or type(module) not in (nn.Linear, nn.Flatten, *ELEMENTWISE, *NOISE):
            return None
        if isinstance(module, NOISE):
            noise.setdefault(len(layers) - 1, []).append(module)
        elif isinstance(module, nn.Flatten):
            if layers:
                return None
        else:
            layers.append(module)
    if not any(isinstance(layer, nn.Linear) for layer in layers) or any(
        nn.Dropout in map(type, n[:-1]) for n in noise.values()
    ):
        return None
    return Chain(tuple(layers), noise)


def _pieces(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) not in (nn.Sequential, After) or module._forward_hooks or module._forward_pre_hooks:
        yield module
        return
    for child in module.children():
        yield from _pieces(child)
