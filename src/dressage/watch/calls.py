"""What a loss that is no module is given: seen by the hook that Python has for profilers, which changes nothing of what runs."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from dressage.subject.outputs import Output, tensors_of
from dressage.watch.tape import Tape

KEPT = 8
"""Calls that are kept: the last ones of a step."""
EVENTS = 50_000
"""Calls of any function after which nothing is looked at any more in this step: a network that is being compiled, say."""
TORCHS: tuple[tuple[Callable[..., Any], type[nn.Module]], ...] = (
    (F.cross_entropy, nn.CrossEntropyLoss),
    (F.nll_loss, nn.NLLLoss),
    (F.mse_loss, nn.MSELoss),
    (F.l1_loss, nn.L1Loss),
    (F.smooth_l1_loss, nn.SmoothL1Loss),
    (F.huber_loss, nn.HuberLoss),
    (F.binary_cross_entropy, nn.BCELoss),
    (F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss),
    (F.kl_div, nn.KLDivLoss),
    (F.poisson_nll_loss, nn.PoissonNLLLoss),
    (F.soft_margin_loss, nn.SoftMarginLoss),
    (F.multi_margin_loss, nn.MultiMarginLoss),
    (F.multilabel_margin_loss, nn.MultiLabelMarginLoss),
    (F.multilabel_soft_margin_loss, nn.MultiLabelSoftMarginLoss),
    (F.hinge_embedding_loss, nn.HingeEmbeddingLoss),
)
"""Losses of outputs and targets, and the module that is each of them."""


@dataclass(slots=True)
class Call:
    """One call of a loss."""

    function: Any
    """The loss that was given, or one of torch's."""
    pair: tuple[Tensor, Tensor] | None
    """Outputs and targets; None where it was given something else first."""
    more: Mapping[str, Any]
    """What it was given besides, by name."""
    results: list[Tensor] = field(default_factory=list)


def pair_of(outputs: object, targets: object = None) -> tuple[Tensor, Tensor] | None:
    """What is learned, and what it is compared with."""
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    return (outputs.detach(), targets.detach()) if outputs.requires_grad and not targets.requires_grad else None


def as_module(loss_fn: Any) -> Any:
    """The module that one of torch's functions is, with the options that are bound to it; anything else as it is."""
    function, bound = loss_fn, {}
    if isinstance(loss_fn, functools.partial) and not loss_fn.args:
        function, bound = loss_fn.func, loss_fn.keywords
    made = module_of(function, bound)
    return loss_fn if made is None else made


def module_of(function: object, options: Mapping[str, Any]) -> nn.Module | None:
    """The module that a function of torch with these options is; None where there is none."""
    kind = next((kind for known, kind in TORCHS if known is function), None)
    if kind is None:
        return None
    known = inspect.signature(kind).parameters
    set_ = {name: value for name, value in options.items() if value is not None}
    return None if any(name not in known for name in set_) else kind(**set_)


class LossCalls:
    """The calls of the loss that was given, and of torch's own, between `begin` and `end`."""

    def __init__(self, loss_fn: object, tape: Tape | None = None) -> None:
        """`tape` sees meanwhile what is done to the outputs."""
        self.calls: list[Call] = []
        self._tape = tape
        self._wanted = {f.__code__: f for f, _ in TORCHS if isinstance(getattr(f, "__code__", None), CodeType)}
        if loss_fn is not None and not isinstance(loss_fn, nn.Module) and (code := _code_of(loss_fn)) is not None:
            self._wanted[code] = loss_fn  # type: ignore[assignment]
        self._open: dict[int, Call] = {}
        self._left, self._stands = EVENTS, False
        self._hook = self._seen  # one object, by which it is known again

    def begin(self, outputs: Sequence[Output] = ()) -> None:
        """From now on, and the tape where there are outputs; not where a profiler of the user's is at work."""
        other = getattr(sys.getprofile(), "__self__", None)
        if isinstance(other, LossCalls) and other is not self:
            other.end()  # of another network, or of a pass after which no step came
        if sys.getprofile() is None:
            self._stands = True
            sys.setprofile(self._hook)
        if self._tape is not None and self._stands and outputs:
            self._tape.begin(outputs)

    def end(self) -> None:
        """No longer."""
        self._stands = False
        self._open = {}
        if self._tape is not None:
            self._tape.end()
        if sys.getprofile() is self._hook:
            sys.setprofile(None)

    def _seen(self, frame: FrameType, event: str, result: Any) -> None:
        self._left -= 1
        if self._tape is not None:
            with suppress(Exception):
                self._tape.passed(frame, event)
        if not self._stands or self._left < 0:
            self.end()
        elif event == "call" and frame.f_code in self._wanted and not self._is_inside(frame):
            with suppress(Exception):  # whatever a user's object answers when it is looked at
                call = _call_of(self._wanted[frame.f_code], frame)
                self._open[id(frame)] = call
                self.calls = [*self.calls[1 - KEPT :], call]
        elif event == "return" and id(frame) in self._open:
            self._open.pop(id(frame)).results = [t.detach() for t in tensors_of(result)]

    def _is_inside(self, frame: FrameType) -> bool:
        """Whether a function that is seen already calls itself, as those of torch do while a tape stands."""
        return any(call.function is self._wanted[frame.f_code] for call in self._open.values())


def _code_of(loss_fn: object) -> CodeType | None:
    """The code that runs when a function, a method or any object is called; None of what is not written in Python."""
    while isinstance(loss_fn, functools.partial):
        loss_fn = loss_fn.func
    loss_fn = inspect.unwrap(loss_fn) if callable(loss_fn) else loss_fn
    if not inspect.isroutine(loss_fn):
        loss_fn = type(loss_fn).__call__
    found = getattr(getattr(loss_fn, "__func__", loss_fn), "__code__", None)
    return found if isinstance(found, CodeType) else None


def _call_of(function: Any, frame: FrameType) -> Call:
    code, values = frame.f_code, frame.f_locals
    places = list(code.co_varnames[: code.co_argcount])
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if places and values[places[0]] is _owner(function):
        places = places[1:]
    listed = values[code.co_varnames[len(named)]] if code.co_flags & inspect.CO_VARARGS else ()
    z, y = (*(values[name] for name in places), *listed, None, None)[:2]
    more = {name: _still(values[name]) for name in (*places[2:], *code.co_varnames[code.co_argcount : len(named)])}
    if code.co_flags & inspect.CO_VARKEYWORDS:
        listed_too = bool(code.co_flags & inspect.CO_VARARGS)
        more |= {name: _still(value) for name, value in values[code.co_varnames[len(named) + listed_too]].items()}
    return Call(function, pair_of(z, y), more)


def _still(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _owner(function: Any) -> Any:
    """What a method is bound to, or an object that is called itself."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__self__", function)
