"""The functions that a network calls as it runs, modules and plain calls alike: looked at, or replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dressage.subject import copy_of, generators_kept

_SMOOTH = (
    *("leaky_relu", "leaky_relu_", "gelu", "silu", "elu", "elu_", "selu", "celu", "softplus", "hardtanh", "hardtanh_"),
    *(
        "relu6",
        "mish",
        "rrelu",
        "prelu",
        "hardswish",
        "hardsigmoid",
        "softsign",
        "logsigmoid",
        "glu",
        "clamp",
        "clamp_",
    ),
    *("clamp_min", "abs", "exp", "log", "sin", "cos", "maximum", "minimum", "where", "square", "pow", "sqrt", "rsqrt"),
    *("multi_head_attention_forward", "scaled_dot_product_attention", "sort", "topk", "amax"),
)
_NAMES = {
    "relu": ["relu", "relu_"],
    "tanh": ["tanh", "tanh_"],
    "sigmoid": ["sigmoid", "sigmoid_"],
    "softmax": ["softmax"],
    "log_softmax": ["log_softmax"],
    "smooth": [*_SMOOTH],
    "linear": ["linear", "addmm", "mm"],
    "matmul": ["matmul", "bmm", "einsum", "__matmul__", "baddbmm", "bilinear"],
    "conv": ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"],
    "dropout": ["dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"],
    "embedding": ["embedding", "embedding_bag"],
    "norm": ["batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"],
    "detach": ["detach", "detach_"],
}
KINDS: Mapping[Any, str] = {
    getattr(home, name): kind
    for kind, names in _NAMES.items()
    for name in names
    for home in (torch, F, Tensor)
    if hasattr(home, name)
} | {Tensor.data.__get__: "detach"}  # type: ignore[attr-defined]
ACTIVATIONS = ("relu", "tanh", "sigmoid", "softmax", "log_softmax", "smooth")
LINEAR = ("linear", "conv")


@dataclass(slots=True)
class Call:
    """One call of one function."""

    kind: str
    where: str
    """The module in which it was made."""
    number: int
    """Which of the calls of a known kind it is, from 0."""
    output: Tensor = field(repr=False)
    function: str = ""
    """Its name, e.g. `leaky_relu_`."""


class _Mode(TorchFunctionMode):
    def __init__(self, seen: Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]) -> None:
        super().__init__()
        self._seen = seen
        self._count = 0
        self.function = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kind = KINDS.get(func)
        if kind is None and getattr(func, "__name__", "") == "__get__" and func == Tensor.data.__get__:  # type: ignore[attr-defined]
            kind = "detach"
        if kind is None:
            return func(*args, **kwargs)
        number, self._count = self._count, self._count + 1
        self.function = getattr(func, "__name__", "")
        return self._seen(kind, number, lambda: func(*args, **kwargs), args)


@contextmanager
def watched(model: nn.Module, see: Callable[[Call], Tensor | None]) -> Iterator[None]:
    """Tells `see` of every call of a known kind inside; a tensor that it returns takes the place of the output."""
    place: list[str] = [""]
    handles = []

    def leave(module: nn.Module, given: object, output: object) -> None:
        place.pop()

    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda m, i, name=name: place.append(name)))
        handles.append(module.register_forward_hook(leave, always_call=True))

    def seen(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        output = call()
        if not isinstance(output, Tensor):
            if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
                see(Call(kind, place[-1], number, output[0], mode.function))
            return output
        changed = see(Call(kind, place[-1], number, output, mode.function))
        return output if changed is None else changed

    mode = _Mode(seen)
    try:
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


def calls_of(model: nn.Module, x: Tensor) -> list[Call]:
    """The calls of known kinds that a copy of a network makes for `x`, in order; outputs without graph."""
    found: list[Call] = []
    with torch.no_grad(), watched(model, found.append):
        model(x)
    return found


def drop_nothing(model: nn.Module) -> None:
    """Sets the share that its dropout modules drop to 0."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0


def drops_by_calls(model: nn.Module, x: Tensor) -> bool:
    """Whether a network drops units by plain calls, such as `F.dropout(h, 0.5, self.training)`; False where it cannot be run."""
    copied = copy_of(model).train()
    drop_nothing(copied)
    changed: list[bool] = []

    def see(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if kind != "dropout" or not args:
            return call()
        before, output = args[0].clone(), call()
        changed.append(not torch.equal(before, output))
        return output

    try:
        with torch.no_grad(), generators_kept():
            Rewired(copied, see)(x.to(next(copied.parameters()).device))
    except Exception:  # of the user's network
        return False
    return any(changed)


class Rewired(nn.Module):
    """A network in which `change(kind, number, call, args)` answers for every call of a known kind."""

    def __init__(self, inner: nn.Module, change: Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]) -> None:
        super().__init__()
        self.inner = inner
        self._change = change

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the network within."""
        with _Mode(self._change):
            return self.inner(*args, **kwargs)


def skipping(*numbers: int) -> Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]:
    """A change that gives the first argument of these calls in place of their output."""

    def change(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        return args[0] if number in numbers and args else call()

    return change


def softplus_at(wanted: int) -> Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]:
    """A change that answers one call by log(1 + exp) of its argument: positive values without an upper end."""

    def change(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        return torch.nn.functional.softplus(args[0]) if number == wanted and args else call()

    return change


def relu_in_place_of(*kinds: str, but: int = -1) -> Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]:
    """A change that answers calls of these kinds by ReLU of their argument; all but call number `but`."""

    def change(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        return torch.relu(args[0]) if kind in kinds and number != but and args else call()

    return change


def brought_to_size(model: nn.Module, x: Tensor, *kinds: str, but: int = -1) -> Rewired:
    """The network with what enters calls of these kinds (not call `but`) brought to mean 0 and sd 1, by what it is for `x`."""
    sizes: dict[int, tuple[Tensor, Tensor]] = {}

    def measure(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if kind in kinds and number != but and args:
            sizes[number] = (args[0].detach().mean(), args[0].detach().std().clamp_min(1e-12))
            return call_of(kind, args[0], sizes[number])
        return call()

    def change(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        known = kind in kinds and number in sizes and args  # in the other mode a call may have another number
        return call_of(kind, args[0], sizes[number]) if known else call()

    def call_of(kind: str, value: Tensor, size: tuple[Tensor, Tensor]) -> Tensor:
        function = torch.tanh if kind == "tanh" else torch.sigmoid
        return function((value - size[0]) / size[1])

    with torch.no_grad():
        Rewired(copy_of(model), measure)(x)
    return Rewired(model, change)


def relu_after(numbers: frozenset[int]) -> Callable[[str, int, Callable[[], Any], tuple[Any, ...]], Any]:
    """A change that puts a ReLU after these calls."""

    def change(kind: str, number: int, call: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        output = call()
        return torch.relu(output) if number in numbers else output

    return change


def head_call(model: nn.Module, x: Tensor) -> Call | None:
    """The activation whose output is the network's output, if it ends in one."""
    found: list[Call] = []
    with torch.no_grad(), watched(model, found.append):
        outputs = model(x)
    if not isinstance(outputs, Tensor) or not found or found[-1].kind not in ACTIVATIONS:
        return None
    kept = (
        found[-1].output.untyped_storage().data_ptr() == outputs.untyped_storage().data_ptr()
    )  # whole, or a part of it
    return found[-1] if kept else None
