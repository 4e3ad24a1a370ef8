"""Stops a training before the update that would spoil its weights.

Losses are read once a window of steps, so that no step waits for the device. When one is not finite, the state goes back
to the start of the window and the steps are taken again, one by one: randomness is keyed, so they are the same steps.
The first that leaves a number that is not finite is taken back, and its forward and backward pass are searched.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dressage.augment.batch import Batch
from dressage.data.batches import Batches
from dressage.fit.events import Nonfinite
from dressage.fit.plan import Plan
from dressage.fit.state import Snapshot, State
from dressage.fit.step import clear_gradients, loss_of, network_input, seed_noise, take_step

WINDOW = 64  # steps between two looks: the copy of the state costs less than 1 % of the steps that it covers


class Guard:
    """Watches the losses of one training."""

    def __init__(self, state: State, batches: Batches, plan: Plan) -> None:
        self.state, self.batches, self.plan = state, batches, plan
        self.saved: Snapshot | None = None
        self.start = state.step

    @property
    def is_due(self) -> bool:
        """Whether a window is full."""
        return self.saved is not None and self.state.step - self.start >= WINDOW

    def before_step(self) -> None:
        """Takes a copy of the state at the start of a window."""
        if self.saved is None and self.plan.stop_on_nonfinite:
            self.saved, self.start = self.state.snapshot(), self.state.step

    def check(self) -> Nonfinite | None:
        """Ends the window: where the first number that is not finite arose, or None and a new window."""
        if self.saved is None:
            return None
        recent = self.state.losses[-(self.state.step - self.start) :] if self.state.step > self.start else []
        fine = (not recent or bool(torch.stack(recent).isfinite().all())) and self.state.is_finite()
        if fine:
            self.saved = None
            return None
        self.state.load(*self.saved)
        return self._replay()

    def _replay(self) -> Nonfinite:
        end = self.start + WINDOW
        for batch in self.batches.epoch(self.state.epoch, start=self.state.batch):
            before = self.state.snapshot()
            loss = take_step(self.state, batch, self.plan)
            if not (loss.isfinite() and self.state.is_finite()):
                self.state.load(*before)
                where = locate(self.state, batch, self.plan)
                self.state.load(*before)
                return Nonfinite(self.state.step + 1, where, float(loss))
            if self.state.step > end:
                break
        return Nonfinite(self.state.step, "not found again: the network draws numbers that are not keyed", float("nan"))


def locate(state: State, batch: Batch, plan: Plan) -> str:
    """The first place, in the order of computation, where a number is not finite in this step."""
    seed_noise(plan, state.step, state.device)
    x, y = network_input(state, batch, plan)
    if not x.isfinite().all():
        rows = batch.rows[:: len(batch.rows) // len(x)]
        return f"input, sample {int(rows[~x.flatten(1).isfinite().all(1)][0]) // plan.objective.views}"
    if state.keys is not None and not y.isfinite().all():
        return "output of the key network"
    if y.is_floating_point() and not y.isfinite().all():
        return f"target, sample {int(batch.rows[~y.reshape(len(y), -1).isfinite().all(1)][0])}"
    clear_gradients(state)
    place, loss = _watched_forward(state.model, x, y, plan)
    if place:
        return place
    if not loss.isfinite():
        return "loss"
    torch.autograd.backward(loss)
    for name, p in reversed(list(state.model.named_parameters())):
        if p.grad is not None and not p.grad.isfinite().all():
            return f"gradient of {name}"
    return "update of the weights"


def _watched_forward(model: nn.Module, x: Tensor, y: Tensor, plan: Plan) -> tuple[str, Tensor]:
    places: list[str] = []

    def hook(name: str) -> Callable[[nn.Module, object, object], None]:
        def look(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and not output.isfinite().all():
                places.append(f"output of {name} ({type(module).__name__})")

        return look

    handles = [m.register_forward_hook(hook(name)) for name, m in model.named_modules() if name]
    try:
        loss = loss_of(model, x, y, plan)
    finally:
        for handle in handles:
            handle.remove()
    return (places[0] if places else ""), loss
