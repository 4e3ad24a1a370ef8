"""How a validation runs the model: seen by one hook on the model, which stands only where a validation is expected."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from dressage.subject.inputs import Inputs, inputs_of, is_single
from dressage.subject.outputs import tensors_in
from dressage.watch.harmless import harmless
from dressage.watch.held_out import HeldOut, Overheard
from dressage.watch.wrapped import main_input

HEARD = 3
"""Validations that are listened to: where the rows cannot be taken, more of them tell no more."""
VALUES = 1 << 22
"""Of several inputs, that are kept at most."""


class Passes:
    """The first validation tells when the next is due; from the step before it on a hook stands until it is over."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modes: list[tuple[bool, bool]] = []
        """Of each pass: whether it was in training mode, and whether gradients were asked for."""
        self.input: Tensor | None = None
        self.inputs: Inputs | None = None
        """All that a pass was given, where that is more than one tensor, and not large."""
        self.listens = False
        """Whether it is to be heard what validations compare outputs with."""
        self.held: HeldOut | None = None
        """What was heard in the last one."""
        self._overheard: Overheard | None = None
        self._heard = 0
        self._handles: list[Any] = []
        self._last, self._period = 0, 0

    def due_after(self, step: int) -> int:
        """The step after which the next validation is expected, if that is later than `step`; else none that comes."""
        expected = self._last + self._period
        return expected if self._period > 0 and expected > step else sys.maxsize

    def stand(self) -> None:
        """Puts the hook up."""
        self.leave()
        self.modes, self.input, self.inputs = [], None, None
        self._overheard = Overheard() if self.listens and self._heard < HEARD else None
        self._heard += self._overheard is not None
        self._handles = [self.model.register_forward_pre_hook(harmless(self._seen, []), with_kwargs=True)]
        if self._overheard is not None:
            self._handles.append(self.model.register_forward_hook(harmless(self._left, [])))

    def leave(self) -> None:
        """Takes the hooks away."""
        if self._overheard is not None:
            self.held, self._overheard = self._overheard.end(), None
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def validated(self, step: int, training: bool) -> bool | None:
        """Whether the model was in training mode in the passes of the validation that is over; None if none was seen.

        `training` is its mode now; a loop that has not been seen may have switched back already.
        """
        self.leave()
        self._last, self._period = step, step - self._last
        modes, self.modes = self.modes, []
        judging = [training for training, learns in modes if not learns] or [training for training, _ in modes]
        if judging:  # of passes with and without gradients, those with them are batches whose update is still to come
            return any(judging)
        return None if training else False

    def _seen(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if module is not self.model:  # a copy, which carries the hook
            return
        learns = torch.is_grad_enabled()
        is_first = not self.modes or (not learns and all(before for _, before in self.modes))
        self.modes.append((module.training, learns))
        if self._overheard is not None and not learns:
            self._overheard.entered(inputs_of(args, kwargs))
        if self.input is None or is_first:
            x = main_input(module, args, kwargs)
            self.input = None if x is None else x.detach()[:512].clone()
            self.inputs = None if is_single(args, kwargs) else _kept(inputs_of(args, kwargs))
        if learns and len(self.modes) > 4096:
            self.leave()

    def _left(self, module: nn.Module, args: Any, output: Any) -> None:
        if module is self.model and self._overheard is not None and not torch.is_grad_enabled():
            self._overheard.left(tensors_in(output))


def _kept(inputs: Inputs) -> Inputs | None:
    """A copy that stays as it is; None of what would take much memory."""
    if sum(t.numel() for t in inputs.tensors) > VALUES:
        return None
    return replace(inputs, tensors=[t.clone() for t in inputs.tensors])
