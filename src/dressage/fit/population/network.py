"""A network that is no chain, as a function of its weights, of the noise in it and of rows, for `torch.func.vmap` over members."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dressage.layers.noise import GaussianNoise

NOISE = (nn.Dropout, GaussianNoise)
CLOSE = {torch.float32: 1e-3, torch.float64: 1e-9}
"""How near the outputs of members must come to those of the network itself."""
BASE = frozenset(vars(nn.Module()))
"""Attributes that every module has."""
PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, type(None))
"""Values that are what they show."""
Given = Sequence[tuple[type[nn.Module], Tensor]]


class Drawn(nn.Module):
    """In the place of noise: takes what was drawn for it, in the order of the calls."""

    def __init__(self, queue: list[Iterator[tuple[type[nn.Module], Tensor]]]) -> None:
        super().__init__()
        self.queue = queue

    def forward(self, x: Tensor) -> Tensor:
        """`x` with its noise in training; `x` in evaluation."""
        if not self.training:
            return x
        kind, drawn = next(self.queue[0])
        return x + drawn if issubclass(kind, GaussianNoise) else x * drawn

    def extra_repr(self) -> str:
        return "noise"


@dataclass(slots=True)
class Network:
    """The network without its noise, and where in it each draw is made."""

    skeleton: nn.Module
    queue: list[Iterator[tuple[type[nn.Module], Tensor]]]
    calls: list[nn.Module] = field(default_factory=list)
    """The noise of the network itself, in the order in which it is drawn."""
    sizes: list[tuple[int, ...]] = field(default_factory=list)
    """Of what each is given, for a row."""
    text: str = ""
    """The same for networks that are the same functions of weights and noise."""

    def slots(self) -> list[nn.Module | None]:
        """The noise in the order in which it is drawn."""
        return [*self.calls]

    def places(self) -> list[int]:
        """Each by its number."""
        return list(range(len(self.calls)))

    def shapes(self) -> list[tuple[int, ...]]:
        """Of what is drawn for a row, by place."""
        return self.sizes

    def __call__(self, weights: Mapping[str, Tensor], noise: Given, x: Tensor) -> Tensor:
        """Outputs of one member."""
        self.queue[:] = [iter(noise)]
        return functional_call(self.skeleton, dict(weights), (x,))  # type: ignore[no-any-return]


_known: WeakKeyDictionary[nn.Module, Network | str] = WeakKeyDictionary()


def network_of(model: nn.Module, rows: Callable[[], Tensor]) -> Network | str:
    """The function, or why `vmap` cannot stand for the network; `rows`: two of what it is given, to try it with."""
    if model not in _known:
        _known[model] = _tried(model, rows)
    return _known[model]


def stands_for(other: nn.Module, model: nn.Module) -> None:
    """Takes for a copy what is known of the model."""
    if model in _known:
        _known[other] = _known[model]


def _tried(model: nn.Module, rows: Callable[[], Tensor]) -> Network | str:
    named = list(model.named_modules())
    for kind, what in ((Tensor, "a tensor"), (np.ndarray, "an array")):
        if names := [name for name, module in named if any(isinstance(v, kind) for v in vars(module).values())]:
            return f"its module {names[0] or 'network'} keeps {what} that is no parameter"
    if stateful := [name for name, _ in model.named_buffers()]:
        return f"its network keeps statistics or constants ({stateful[0]})"
    if any(type(module) is nn.Dropout and module.inplace for _, module in named):
        return "its dropout changes what it is given"
    found = torch.default_generator.get_state()
    try:
        return _network(copy.deepcopy(model), rows())  # the network itself is the user's, and may count its calls
    except Exception as error:  # whatever a network does that vmap has no rule for
        said = (str(error).splitlines() or [repr(error)])[0]
        return f"its network does not go through torch.func.vmap ({said})"
    finally:
        torch.default_generator.set_state(found)


def _network(model: nn.Module, x: Tensor) -> Network | str:
    queue: list[Iterator[tuple[type[nn.Module], Tensor]]] = []
    skeleton = copy.deepcopy(model)
    noisy = [name for name, module in skeleton.named_modules() if type(module) in NOISE]
    for name in noisy:
        skeleton.set_submodule(name, Drawn(queue))
    network = Network(skeleton, queue)
    apart = _watch(network, model, x, noisy)
    weights = {name: torch.stack([p.detach(), p.detach()]) for name, p in model.named_parameters()}
    noise = [
        (type(m), x.new_full((len(x), *size), float(type(m) is not GaussianNoise)))
        for m, size in zip(network.calls, network.sizes, strict=True)
    ]
    before = torch.default_generator.get_state()
    with torch.no_grad():
        for is_training in (True, False):
            skeleton.train(is_training)
            each = vmap(lambda own, rows: network(own, noise, rows), randomness="different")
            outputs = each(weights, torch.stack([x, x]))
    if apart or not torch.equal(before, torch.default_generator.get_state()):
        return "its network draws noise of its own"
    expected = _evaluated(model, x)
    if outputs.dim() != 3:
        return f"its network gives {tuple(outputs.shape[1:])} for two rows"
    near = CLOSE.get(outputs.dtype, 1e-2)
    if not torch.allclose(outputs[0], expected, rtol=near, atol=near) or not torch.equal(
        expected, _evaluated(model, x)
    ):
        return "its network gives something else under torch.func.vmap"
    network.text = _text(network)
    return network


def _text(network: Network) -> str:
    modules = [m for m in network.skeleton.modules() if not isinstance(m, Drawn)]
    own = [{k: v for k, v in vars(m).items() if k not in BASE} for m in modules]
    kinds = [type(m) for m in network.calls]
    return " ".join([str(network.skeleton), *map(_told, ([type(m) for m in modules], own, kinds, network.sizes))])


def _told(value: object) -> str:
    """The same for values that are the same; what cannot be looked into is like nothing but itself."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        return f"{type(value).__name__}({', '.join(map(_told, value))})"
    if isinstance(value, Mapping):
        return f"{type(value).__name__}({', '.join(f'{_told(k)}: {_told(v)}' for k, v in value.items())})"
    if isinstance(value, FunctionType | type) and "<" not in value.__qualname__:
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__name__} {id(value)}"


def _watch(network: Network, model: nn.Module, x: Tensor, noisy: Sequence[str]) -> bool:
    """Notes the network's draws; whether one of them is laid out so that it cannot be drawn apart."""
    apart = False

    def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal apart
        network.calls.append(module)
        network.sizes.append(tuple(given[0].shape[1:]))
        apart = apart or len(given[0]) != len(x) or not given[0].is_contiguous()

    handles = [model.get_submodule(name).register_forward_pre_hook(look) for name in noisy]
    with torch.no_grad():
        model.train()(x)
    for handle in handles:
        handle.remove()
    return apart


def _evaluated(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model.eval()(x)  # type: ignore[no-any-return]
