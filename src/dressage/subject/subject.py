"""What is examined: a network, its loss, its optimiser and its data. The originals are never run: `fresh` gives copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.errors import DressageError
from dressage.subject.ordered import are_values
from dressage.subject.rows import Rows, rows_of
from dressage.subject.task import Metric, Task, as_metric, asks_for_values, task_of
from dressage.subject.untouched import copy_with, generators_kept

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Subject:
    """A training that is about to begin, or under way. `None` is what was not given or could not be read; `notes` says why."""

    model: nn.Module
    optimizer: Optimizer | None
    loss_fn: Loss | None
    train: Rows | None
    validation: Rows | None
    task: Task | None
    """None without data."""
    classes: int
    metric: Metric | None
    names: Sequence[str] = ()
    """Names of the columns of a table."""
    penalty: Callable[[nn.Module], Tensor] | None = None
    """What the loop adds to the loss to regularise."""
    after_step: Callable[[nn.Module, float], None] | None = None
    """What the loop does to the weights after an update at this rate: proximal steps, projections."""
    each: Mapping[str, Subject] = field(default_factory=dict)
    """Of several targets: the same training once for each, with its outputs, its loss and its column of the targets alone."""
    notes: list[str] = field(default_factory=list)

    def fresh(self) -> tuple[nn.Module, Optimizer | None]:
        """Copies of the model and its optimiser as they are now."""
        return copy_with(self.model, self.optimizer)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next((p.device for p in self.model.parameters()), torch.device("cpu"))


def subject_of(
    model: nn.Module,
    optimizer: Optimizer | None = None,
    loss_fn: Loss | None = None,
    *,
    train: object = None,
    val: object = None,
    metric: object = None,
    names: Sequence[str] = (),
    penalty: Callable[[nn.Module], Tensor] | None = None,
) -> Subject:
    """Reads a sample of the data and what the task is. What cannot be read is left out, with a note."""
    notes: list[str] = []
    rows = [_read(given, split, notes) for given, split in ((train, "train"), (val, "val"))]
    task, classes, judged = None, 0, None
    if rows[0] is not None:
        task, classes = task_of(rows[0].y, loss_fn)
        if task == "classification" and are_values(rows[0], loss_fn, metric):
            task, classes = "regression", 0
        judged = as_metric(metric, task, rows[0].y)
        if task == "regression" and metric is None and loss_fn is not None and not asks_for_values(loss_fn, rows[0].y):
            judged = None
            notes.append(
                "R²: the loss is not least where outputs equal targets, so it would say nothing; give metric=…"
            )
    return Subject(model, optimizer, loss_fn, rows[0], rows[1], task, classes, judged, names, penalty, notes=notes)


def outputs_of(model: nn.Module, x: Tensor, *, training: bool = False, batch_size: int = 256) -> Tensor:
    """Outputs `(N, ...)` of a copy of a network in eval mode, or in training mode with batches of `batch_size`.

    Modes that `eval()` and `train()` set are left set; generators are kept.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.train(training)
    with torch.no_grad(), generators_kept():
        torch.default_generator.manual_seed(0)
        return torch.cat([first_output(model(rows.to(device))) for rows in torch.split(x, batch_size)])


def first_output(outputs: object) -> Tensor:
    """The tensor that a network gives: itself, or the logits of a record, or the first of several."""
    if isinstance(outputs, Tensor):
        return outputs
    for name in ("logits", "prediction", "last_hidden_state"):
        if isinstance(value := getattr(outputs, name, None), Tensor):
            return value
    if isinstance(outputs, tuple | list) and outputs and isinstance(outputs[0], Tensor):
        return outputs[0]
    raise TypeError(f"a network that gives a {type(outputs).__name__}")


def _read(data: object, split: str, notes: list[str]) -> Rows | None:
    if data is None:
        notes.append(f"no {split} data given: what needs it was not checked")
        return None
    try:
        return rows_of(data)
    except DressageError as error:
        notes.append(f"{split}: {error}")
    except Exception as error:  # whatever a dataset of the user's raises
        notes.append(f"{split} could not be read ({type(error).__name__}: {str(error)[:200]})")
    return None
