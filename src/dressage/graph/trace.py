"""The graph that a batch makes of a network: each operation with its value, and the gradient that comes back to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from dressage.errors import UsageError
from dressage.graph.formulas import FORMULAS, operation_of
from dressage.subject import copy_of, first_output, generators_kept

LEAVES = ("input", "parameter", "buffer", "constant")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A tensor in five numbers; sd is that of its numbers as they are, over n."""

    mean: float
    sd: float
    low: float
    high: float
    norm: float


@dataclass(frozen=True, slots=True)
class Edge:
    """One input of an operation of single numbers: its gradient is upstream · local."""

    of: int
    local: float


@dataclass(frozen=True, slots=True)
class Node:
    """One input, parameter or operation."""

    number: int
    name: str
    """A parameter's name, the module in which an operation runs, a part of an expression."""
    operation: str
    """Name of the function; input, parameter, buffer or constant for a leaf."""
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    value: Numbers
    gradient: Numbers | None = None
    """∂L of its numbers; None where none comes back."""
    edges: tuple[Edge, ...] = ()

    @property
    def formula(self) -> str:
        """What it computes; empty where it is not known."""
        return FORMULAS.get(self.operation, ("", ""))[0]

    @property
    def rule(self) -> str:
        """What becomes of the gradient g of its output on the way back."""
        return FORMULAS.get(self.operation, ("", ""))[1]

    @property
    def is_leaf(self) -> bool:
        """Whether nothing was computed."""
        return self.operation in LEAVES


@dataclass(frozen=True, slots=True)
class Trace:
    """The nodes in the order in which they ran; the last is the loss."""

    nodes: tuple[Node, ...]

    @property
    def loss(self) -> float:
        """The value of the last node."""
        return self.nodes[-1].value.mean

    @property
    def is_of_numbers(self) -> bool:
        """Whether every node is a single number, as in an expression."""
        return all(math.prod(node.shape) == 1 for node in self.nodes)

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        nodes = [{**asdict(node), "formula": node.formula, "rule": node.rule} for node in self.nodes]
        return {"loss": self.loss, "nodes": nodes}


def trace(
    model: nn.Module, batch: Tensor | tuple[Tensor, Tensor], loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Trace:
    """The graph of `loss(model(x), y)`, forward and in reverse, in the mode in which the model is.

    `batch`: inputs `(N, ...)`, or inputs and targets; without targets or loss the sum of the outputs is looked at. Works on a
    copy: the model, its gradients and all generators are left bit for bit as they were. Functions are seen as they are called:
    what a layer of torch computes inside of one (a GRU, attention) is one node. Raises UsageError where nothing depends on
    a weight or an input.
    """
    x, y = batch if isinstance(batch, tuple) else (batch, None)
    twin = copy_of(model)
    first = next(twin.parameters(), torch.empty(0))
    x = x.detach().to(first.device)
    if x.is_floating_point():
        x = x.requires_grad_().clone()  # not a leaf: a first layer may work in place
    known: dict[str, tuple[str, Tensor]] = {"x": ("input", x)}
    if y is not None:
        known["y"] = ("input", y.to(first.device))
    known |= {name: ("parameter", p) for name, p in twin.named_parameters()}
    known |= {name: ("buffer", b) for name, b in twin.named_buffers()}
    with generators_kept(), torch.enable_grad():
        torch.default_generator.manual_seed(0)
        seen = Recorder(known)
        with seen, seen.inside(twin):
            outputs = first_output(twin(x))
            value = outputs.sum() if y is None or loss is None else loss(outputs, known["y"][1])
            value = value.mean() if value.ndim else value
        return seen.finish(value)


class Recorder(TorchFunctionMode):
    """Sees every function of torch that is called inside, and the gradients that come back."""

    def __init__(self, known: Mapping[str, tuple[str, Tensor]]) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no id is used again
        self._gradients: dict[int, Numbers] = {}
        self._place = [""]
        self._known = {id(tensor): (kind, name) for name, (kind, tensor) in known.items()}
        self._kept += [tensor for _, tensor in known.values()]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        if not any(t.is_floating_point() for t in given):
            return func(*args, **kwargs)
        before = [self.number_of(t) for t in given]
        local = _local(func, args, kwargs) if all(t.numel() == 1 for t in given) else []
        output = func(*args, **kwargs)
        result = output[0] if isinstance(output, tuple) and output else output
        name = getattr(func, "__name__", "")
        if isinstance(result, Tensor) and result.is_floating_point() and name not in ("detach", "__get__"):
            edges = tuple(Edge(n, d) for n, d in zip(before, local, strict=True)) if local else ()
            self._add(
                result, Node(0, self._place[-1], operation_of(name), tuple(before), (), _numbers(result), None, edges)
            )
        return output

    def number_of(self, tensor: Tensor) -> int:
        """The node of a tensor; one that was not seen to be made is a leaf."""
        if id(tensor) not in self._numbers:
            kind, name = self._known.get(id(tensor), ("constant", ""))
            self._add(tensor, Node(0, name, kind, (), (), _numbers(tensor)))
        return self._numbers[id(tensor)]

    def call(self, tensor: Tensor, name: str) -> None:
        """Gives the node of a tensor a name."""
        with torch._C.DisableTorchFunction():
            number = self.number_of(tensor)
        self.nodes[number] = replace(self.nodes[number], name=name)

    def finish(self, value: Tensor) -> Trace:
        """Goes back from `value`, and says what was seen. Raises UsageError where nothing comes back."""
        last = self.number_of(value)
        if not value.requires_grad:
            found, expected = "no gradient comes back from it", "expected one that depends on weights or inputs"
            raise UsageError.of("loss", found, expected, "give a loss of the outputs, without detach or no_grad")
        value.backward()  # type: ignore[no-untyped-call]
        return Trace(tuple(replace(n, gradient=self._gradients.get(n.number)) for n in self.nodes[: last + 1]))

    @contextmanager
    def inside(self, model: nn.Module) -> Iterator[None]:
        """Knows the module in which a function is called."""
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda m, i, name=name: self._place.append(name)))
            handles.append(module.register_forward_hook(lambda m, i, o: self._leave(), always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _leave(self) -> None:
        self._place.pop()

    def _add(self, tensor: Tensor, node: Node) -> None:
        number = len(self.nodes)
        self.nodes.append(replace(node, number=number, shape=tuple(tensor.shape)))
        self._numbers[id(tensor)] = number
        self._kept.append(tensor)
        if tensor.requires_grad:
            tensor.register_hook(lambda g: self._gradients.update({number: _numbers(g)}))  # type: ignore[no-untyped-call]


def _local(func: Any, args: Any, kwargs: Any) -> list[float]:
    """∂output/∂input of each input of an operation of single numbers, by itself; empty where there is none."""
    own = tree_map(lambda t: t.detach().clone().requires_grad_() if _is_number(t) else t, (args, kwargs))
    leaves = [t for t in tree_flatten(own)[0] if isinstance(t, Tensor)]
    if not leaves or not all(leaf.requires_grad for leaf in leaves):
        return []
    try:
        output = func(*own[0], **own[1])
        if not isinstance(output, Tensor) or output.numel() != 1 or not output.requires_grad:
            return []
        found = torch.autograd.grad(output.reshape(()), leaves, materialize_grads=True)
    except RuntimeError:  # in place on a leaf
        return []
    return [float(d) for d in found]


def _is_number(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _numbers(tensor: Tensor) -> Numbers:
    with torch.no_grad(), torch._C.DisableTorchFunction():
        value = tensor.detach().double()
        if not value.numel():
            return Numbers(math.nan, math.nan, math.nan, math.nan, 0.0)
        low, high = value.aminmax()
        sd = value.std(correction=0)
        return Numbers(float(value.mean()), float(sd), float(low), float(high), float(value.norm()))
