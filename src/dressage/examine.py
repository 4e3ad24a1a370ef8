"""A prepared job as a subject of preflight and watch: its rows as the network gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dressage.data.source import Part
from dressage.errors import UsageError
from dressage.fit import new_state
from dressage.prepare import Job
from dressage.regularize import Technique, constrain, penalised
from dressage.subject import Metric, Rows, Subject
from dressage.subject.rows import LIMIT_BYTES, LIMIT_ROWS, spread
from dressage.subject.task import Task, default_metric


def subject_of_job(job: Job) -> Subject:
    """The training of a job before its first step, on a sample of its rows after preprocessing and cast.

    Raises UsageError for several targets.
    """
    if job.source.heads:
        found, expected = f"the targets {job.source.target}", "one target: several cannot be examined at once yet"
        raise UsageError.of(job.source.name, found, expected, "examine them one by one: --target NAME")
    train = _rows(job, job.parts["train"], shuffled=True)
    validation = job.parts.get("validation")
    task: Task = "regression" if job.source.task == "regression" else "classification"
    state = new_state(job.state.model, job.recipe)  # an optimiser that holds each parameter, and not one flat buffer
    return Subject(
        model=job.state.model,
        optimizer=state.optimizer,
        loss_fn=job.plan.objective.loss,
        train=train,
        validation=None if validation is None else _rows(job, validation, shuffled=False),
        task=task,
        classes=len(job.source.classes),
        metric=_metric(job, task),
        names=tuple(job.preprocess.features) if train.x.ndim == 2 else (),
        penalty=_penalty(job.plan.regularize),
        after_step=_after_step(job.plan.regularize),
        notes=[],
    )


def _penalty(used: Sequence[Technique]) -> Callable[[nn.Module], Tensor] | None:
    """What the recipe's techniques add to the loss; None where nothing."""
    if all(technique.penalty is None for technique in used):
        return None
    return lambda model: penalised(torch.zeros(()), model, used)


def _after_step(used: Sequence[Technique]) -> Callable[[nn.Module, float], None] | None:
    """What they do to the weights after an update; None where nothing."""
    if all(technique.after_step is None for technique in used):
        return None
    return lambda model, lr: constrain(model, lr, used)


def _rows(job: Job, part: Part, *, shuffled: bool) -> Rows:
    """Rows of a part, each once, spread over it; a training's own order is drawn anew each epoch."""
    rows = torch.unique(part.rows)
    count = max(2, min(LIMIT_ROWS, LIMIT_BYTES // max(1, 4 * part.x[:1].numel())))
    chosen = spread(len(rows), count)
    x: Tensor = job.plan.cast(part.x[rows[chosen]])
    size = job.recipe.train.batch_size
    return Rows(x, part.y[rows[chosen]], len(rows), chosen, "shuffled" if shuffled else "fixed", size)


def _metric(job: Job, task: Task) -> Metric:
    """Accuracy, or R²: what differs between trainings by points, whatever the target's unit."""
    return default_metric(task)
