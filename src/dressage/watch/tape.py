"""What a loop does to the outputs of its network until there is a loss: torch's functions as they are called, and on what."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss
from torch.overrides import TorchFunctionMode

from dressage.subject.inputs import Inputs
from dressage.subject.outputs import Output, Place

LONGEST = 2000
"""Calls after which a loop's own loss is not followed any more."""
MOST_PASSES = 8
"""Passes of a network for one loss after which it is not followed any more."""
_stack_length: Callable[[], int] = torch.overrides._len_torch_function_stack  # type: ignore[attr-defined]
_mode_at: Callable[[int], TorchFunctionMode] = torch.overrides._get_function_stack_at  # type: ignore[attr-defined]
_push: Callable[[TorchFunctionMode], None] = torch.overrides._push_mode
_pop: Callable[[], TorchFunctionMode] = torch.overrides._pop_mode
BACKWARD = (Tensor.backward, torch.autograd.backward, torch.autograd.grad)
DRAWN = ("rand", "normal", "bernoulli", "poisson", "multinomial")
IN_PLACE = ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__iand__", "__ior__")


@dataclass(frozen=True, slots=True)
class Ref:
    """The place of a tensor among the arguments of a call: by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one of torch's functions."""

    function: Callable[..., Any]
    args: Any
    kwargs: Any
    results: tuple[int, ...]
    changed: int | None
    """What it changes in place."""
    learns: bool
    """Whether gradients were kept of it."""

    def given(self) -> Iterator[int]:
        """The numbers of what it was given."""
        return _numbers((self.args, self.kwargs))


class Tape(TorchFunctionMode):
    """Stands between the end of a network's pass and the loop's call of backward. It changes nothing of what is called."""

    def __init__(self, most_passes: int = MOST_PASSES) -> None:
        super().__init__()
        self._most_passes = most_passes
        self.refused = ""
        """Why what was seen cannot be done again; empty while it can."""
        self._stands = False
        self._forget()

    def _forget(self) -> None:
        self.calls: list[Call] = []
        self.inputs: list[Inputs] = []
        """Of each pass of the network for this loss."""
        self.outputs: dict[int, tuple[int, Place]] = {}
        """The pass, and the place among what it gave."""
        self.given: dict[int, Tensor] = {}
        """The outputs, without their graph."""
        self.leaves: dict[int, Tensor] = {}
        """What was not made by any call that was seen."""
        self.numbers: list[tuple[int, Tensor]] = []
        """Single numbers with a gradient that were made."""
        self._known: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._storages: list[int] = []
        self._ended = False
        self._paused_by: int | None = None

    def entered(self, inputs: Inputs, *, learns: bool = False) -> None:
        """A pass of the network begins: one more for the loss, or the first for that of another batch.

        `learns`: whether it is given what another pass made, with gradients.
        """
        self._leave()
        self._paused_by = None
        if self._ended or not self.outputs:
            self._forget()
        self.inputs.append(inputs)
        if len(self.inputs) > self._most_passes:
            self.refused = "the network is run many times for one loss"
        elif learns and len(self.inputs) > 1:
            self.refused = "the network is given what it made itself"

    def begin(self, outputs: Sequence[Output]) -> None:
        """From now on. Not beside a mode that stands already: its own end would take this one away."""
        if self._stands or self.refused or torch.compiler.is_compiling():
            return
        _leave_off()
        if _stack_length():
            return
        for place, tensor in outputs:
            number = self._new(tensor)
            self.outputs[number], self.given[number] = (len(self.inputs) - 1, place), tensor.detach()
        _push(self)
        self._stands = True

    def end(self) -> None:
        """No longer, wherever among modes of the user's it stands."""
        self._ended, self._paused_by = True, None
        self._leave()

    def passed(self, frame: FrameType, event: str) -> None:
        """Tells of calls in Python: nothing is seen after backward, nor while what does not learn is run, or what is compiled."""
        if (self._ended or self.refused) and self._stands and event == "return":
            self._leave()
        elif event == "call" and self._stands and self._paused_by is None and _is_left_alone(frame):
            self._leave()
            self._paused_by = id(frame)
        elif event == "return" and self._paused_by == id(frame):
            self._paused_by = None
            if not self._ended and not _stack_length():
                _push(self)
                self._stands = True

    def storage(self, number: int) -> int:
        """Where the numbers of a tensor lie; 0 where that is not known."""
        return self._storages[number]

    def takes_parameters(self) -> bool:
        """Whether what is learned was used beside the outputs, as by a penalty on weights."""
        return any(isinstance(t, nn.Parameter) for t in self.leaves.values())

    def _leave(self) -> None:
        if not self._stands:
            return
        above = []
        while _stack_length() and self._stands:
            top = _pop()
            self._stands = top is not self
            above += [top] if self._stands else []
        for mode in reversed(above):
            _push(mode)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = None
        if not (self._ended or self.refused):
            with suppress(Exception):  # whatever a user's object answers when it is looked at
                given = self._given(func, args, kwargs)
        result = func(*args, **kwargs)
        if given is not None:
            with suppress(Exception):
                self._made(func, given, result)
        return result

    def _given(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any] | None:
        if func in BACKWARD:
            self._ended = True
            return None
        name = getattr(func, "__name__", "")
        if name == "__set__" or (name == "__get__" and not _gives_tensor(func)):
            return None
        if kwargs.get("out") is not None or len(self.calls) >= LONGEST:
            self.refused = "a result is written into a tensor that was there before"
            return None
        return self._taken(args), self._taken(kwargs)

    def _made(self, func: Any, given: tuple[Any, Any], result: Any) -> None:
        name = getattr(func, "__name__", "")
        in_place = name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))
        changed = next(_numbers(given[0]), None) if in_place else None
        found = list(tensors_among(result))
        if not found and changed is None:
            return
        if changed is None and next(_numbers(given), None) is None and not name.startswith(DRAWN):
            for tensor in found:  # made of what is no tensor: data of the loop's
                self._number(tensor)
            return
        results = tuple(self._new(t) for t in found)
        self.calls.append(Call(func, *given, results, changed, torch.is_grad_enabled()))
        for number, tensor in zip(results, found, strict=True):
            if tensor.numel() == 1 and tensor.requires_grad:
                self.numbers.append((number, tensor.detach()))

    def _taken(self, tree: Any) -> Any:
        if isinstance(tree, Tensor):
            return Ref(self._number(tree))
        if type(tree) in (tuple, list):
            return type(tree)(self._taken(value) for value in tree)
        if type(tree) is dict:
            return {name: self._taken(value) for name, value in tree.items()}
        return tree

    def _number(self, tensor: Tensor) -> int:
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        number = self._new(tensor)
        self.leaves[number] = tensor
        return number

    def _new(self, tensor: Tensor) -> int:
        number = len(self._storages)
        self._known[id(tensor)] = weakref.ref(tensor), number
        self._storages.append(tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0)
        return number


def _leave_off() -> None:
    """Ends a tape that stands for another network, or for a pass after which no step came."""
    while _stack_length() and isinstance(top := _mode_at(_stack_length() - 1), Tape):
        top.refused = "another network was run before there was a step"
        top.end()


def _is_left_alone(frame: FrameType) -> bool:
    """Whether a call begins that torch may carry out otherwise while its functions are seen."""
    code = frame.f_code
    if code is nn.Module._wrapped_call_impl.__code__:
        module = frame.f_locals["self"]
        return (not torch.is_grad_enabled() or not module.training) and not isinstance(module, _Loss)
    return code.co_filename.endswith("eval_frame.py") and "_dynamo" in code.co_filename


def _gives_tensor(getter: Any) -> bool:
    name = getattr(getattr(getter, "__self__", None), "__name__", "")
    return name in ("T", "mT", "H", "mH", "real", "imag", "data")


def tensors_among(tree: Any) -> Iterator[Tensor]:
    """The tensors that a call gave, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from tensors_among(value)


def _numbers(tree: Any) -> Iterator[int]:
    if isinstance(tree, Ref):
        yield tree.number
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from _numbers(value)
    elif isinstance(tree, dict):
        yield from _numbers(tuple(tree.values()))
