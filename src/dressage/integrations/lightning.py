"""The watch in Lightning: `Trainer(callbacks=[WatchCallback()])`, of `lightning` or of `pytorch_lightning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dressage.findings import Finding
from dressage.integrations.needed import needed
from dressage.integrations.watched import Shown, Watched, tell
from dressage.subject.subject import Loss

Callback: Any = needed("lightning.pytorch.callbacks", "pytorch_lightning.callbacks", extra="lightning").Callback


class WatchCallback(Shown, Callback):  # type: ignore[misc]
    """Watches the training of a LightningModule, and says what is wrong as it is found.

    `loss_fn(outputs, targets)` is the one that `training_step` uses: it is inside the module, and what needs it cannot be
    checked unless it is given. `train`, `val`: as in `dressage.watch`; the trainer's loaders unless given. `loss`, `score`:
    under which names `validation_step` logs them. `on_finding` is called with each new finding; without it, it is printed.
    """

    def __init__(
        self,
        loss_fn: Loss | None = None,
        *,
        train: object = None,
        val: object = None,
        metric: object = None,
        names: Sequence[str] = (),
        loss: str = "val_loss",
        score: str = "val_acc",
        seconds: float = 20.0,
        on_finding: Callable[[Finding], None] = tell,
    ) -> None:
        super().__init__()
        self._watched = Watched(loss_fn, train, val, metric, names, seconds, on_finding)
        self._logged = (loss, score)
        self._handles: list[Any] = []
        self._updates = 0

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Waits for the first forward pass, which shows what is to be watched."""
        self._watched.watch, self._watched.notes, self._updates = None, [], trainer.global_step
        if not trainer.is_global_zero:
            return
        if len(trainer.optimizers) != 1:
            self._watched.notes.append(f"{len(trainer.optimizers)} optimisers: only a training with one can be watched")
            return
        self._take_data(trainer)

        def first(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if torch.is_grad_enabled() and self._handles:
                self._leave()
                self._begin(trainer, pl_module, module, args, kwargs)

        holders = [m for m in pl_module.modules() if any(p.requires_grad for p in m.parameters())]
        self._handles = [m.register_forward_pre_hook(first, with_kwargs=True) for m in holders]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Takes the loss, and tells the watch of an update if there was one."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):  # Lightning has divided it by the batches of an update
            self._watched.lost(loss * trainer.accumulate_grad_batches if pl_module.automatic_optimization else loss)
        if trainer.global_step > self._updates:
            self._updates = trainer.global_step
            self._watched.updated()

    def on_validation_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Has the passes of the validation seen."""
        if self.watch is not None and not trainer.sanity_checking:
            self.watch.validating()

    def on_validation_end(self, trainer: Any, pl_module: nn.Module) -> None:
        """Tells the watch what `validation_step` has logged."""
        if self.watch is not None and not trainer.sanity_checking:
            loss, score = (trainer.callback_metrics.get(name) for name in self._logged)
            self.watch.validated(loss=loss, metric=score)

    def on_train_end(self, trainer: Any, pl_module: nn.Module) -> None:
        """Judges the whole training."""
        self._leave()
        if self.watch is not None:
            self.watch.diagnose()

    def on_exception(self, trainer: Any, pl_module: nn.Module, exception: BaseException) -> None:
        """Takes every hook away."""
        self._leave()
        if self.watch is not None:
            self.watch.close()

    def _begin(
        self, trainer: Any, pl_module: nn.Module, called: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Watches what `training_step` calls: the module itself, or the network in it that holds all that is trained."""
        optimizer = trainer.optimizers[0]
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if trained <= {id(p) for p in called.parameters()}:
            self._watched.begin(called, optimizer).entered(args, kwargs)
            return
        self._watched.notes.append(
            "training_step calls several networks one after the other, so their inputs and outputs were not checked; "
            "call them in forward, and self(x) in training_step"
        )
        self._watched.train = self._watched.val = None
        self._watched.begin(pl_module, optimizer)

    def _take_data(self, trainer: Any) -> None:
        if self._watched.train is None and isinstance(trainer.train_dataloader, DataLoader):
            self._watched.train = trainer.train_dataloader
        loaders = trainer.val_dataloaders
        if isinstance(loaders, list | tuple) and len(loaders) == 1:
            loaders = loaders[0]
        if self._watched.val is None and isinstance(loaders, DataLoader):
            self._watched.val = loaders

    def _leave(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
