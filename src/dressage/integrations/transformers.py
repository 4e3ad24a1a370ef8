"""The watch in transformers: `Trainer(..., callbacks=[WatchCallback()])`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.integrations.needed import needed
from dressage.integrations.watched import Shown, Watched, tell
from dressage.subject.subject import Loss
from dressage.watch.wrapped import network_in

TrainerCallback: Any = needed("transformers", extra="transformers").TrainerCallback


class WatchCallback(Shown, TrainerCallback):  # type: ignore[misc]
    """Watches the training of a transformers Trainer, and says what is wrong as it is found.

    The loss is the one that the network gives. What needs rows is checked where `train` (and `val`) are given as `(x, y)`
    or pairs, so that `network(x).logits` and `loss_fn(logits, y)` are what is trained. `loss`, `score`: the names of
    validation loss and metric. `on_finding` is called with each new finding; without it, it is printed.
    """

    def __init__(
        self,
        loss_fn: Loss | None = None,
        *,
        train: object = None,
        val: object = None,
        metric: object = None,
        names: Sequence[str] = (),
        loss: str = "eval_loss",
        score: str = "eval_accuracy",
        seconds: float = 20.0,
        on_finding: Callable[[Finding], None] = tell,
    ) -> None:
        super().__init__()
        self._watched = Watched(loss_fn, train, val, metric, names, seconds, on_finding)
        self._logged = (loss, score)
        self._handle: Any = None
        self._summed = self._validates = False

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: nn.Module, optimizer: Optimizer | None = None, **others: Any
    ) -> None:
        """Begins to watch."""
        self._leave()
        self._watched.watch, self._watched.notes = None, []
        if not state.is_world_process_zero:
            return
        if optimizer is None:
            self._watched.notes.append("the optimiser is made after the training has begun: it cannot be watched")
            return
        network = network_in(model)
        forward = inspect.signature(network.forward).parameters.values()
        # Trainer has such networks divide by the rows of the whole update: its losses are added up.
        self._summed = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in forward)
        self._watched.begin(network, optimizer)

        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if module is network:  # and not a copy of it, which has its hooks too
                self._take_loss(output)

        self._handle = network.register_forward_hook(hook)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Tells the watch of the update."""
        self._watched.updated(summed=self._summed)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Has the passes of the validation seen, but for the first."""
        if self.watch is not None and self._handle is not None and not self._validates:
            self._validates = True
            self.watch.validating()

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, float] | None = None, **others: Any
    ) -> None:
        """Tells the watch what the validation said."""
        self._validates = False
        if self.watch is not None and self._handle is not None:
            loss, score = ((metrics or {}).get(name) for name in self._logged)
            self.watch.validated(loss=loss, metric=score)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Judges the whole training."""
        self._leave()
        if self.watch is not None:
            self.watch.diagnose()

    def _take_loss(self, output: Any) -> None:
        if not torch.is_grad_enabled():
            return
        loss = output.get("loss") if isinstance(output, Mapping) else output
        loss = loss[0] if isinstance(loss, tuple | list) and loss else loss
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._watched.lost(loss)
        elif not self._watched.notes:
            self._watched.notes.append("the network gives no loss, so its training was not seen; give it the labels")

    def _leave(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
