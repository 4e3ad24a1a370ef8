"""Activation statistics and graphs of a job's first weights, and of a run's network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.graph import Trace, trace
from dressage.layers.init_data import as_trained
from dressage.models.foreign import Made
from dressage.objective import require_targets
from dressage.prepare import Job, threads_kept
from dressage.run import Run, load
from dressage.statistics import ActivationStatistics, activation_statistics
from dressage.store.folder import RunFolder
from dressage.train import prepare_again


def first_statistics(job: Job, rows: int = 256) -> ActivationStatistics:
    """Statistics of the job's network on so many training rows; noise is off, batch norms use the batch."""
    chosen = _rows(job, rows)
    part = job.parts["train"]
    return _measured(job, job.state.model, job.plan.cast(part.x[chosen]), part.y[chosen])


def run_statistics(
    folder: Path | str, rows: int = 256, model: Made | None = None
) -> tuple[ActivationStatistics, ActivationStatistics]:
    """The same of a run's first weights, and of those that predict. Changes nothing in the folder.

    `model` is needed only where the run's network is your own. Raises RunError and DataError, as going on with it does.
    """
    with threads_kept():
        job, _ = prepare_again(RunFolder.open(Path(folder)), None, None, model, None)
        run = load(folder, model=model)
        before = first_statistics(job, rows)
        chosen = _rows(job, rows)
        return before, _measured(job, run.model, _input(run, job, chosen), job.parts["train"].y[chosen])


def first_trace(job: Job, rows: int = 8) -> Trace:
    """The graph of the job's network on so many training rows; noise is off, batch norms use the batch."""
    part, chosen = job.parts["train"], _rows(job, rows)
    return _traced(job, job.state.model, job.plan.cast(part.x[chosen]), part.y[chosen])


def run_trace(folder: Path | str, rows: int = 8, model: Made | None = None) -> Trace:
    """The same of the weights with which a run predicts. Changes nothing in the folder; raises as `run_statistics` does."""
    with threads_kept():
        job, _ = prepare_again(RunFolder.open(Path(folder)), None, None, model, None)
        run, chosen = load(folder, model=model), _rows(job, rows)
        return _traced(job, run.model, _input(run, job, chosen), job.parts["train"].y[chosen])


def _input(run: Run, job: Job, rows: Tensor) -> Tensor:
    """Rows as the network that predicts gets them: it may have a preprocessing of its own, from a second training."""
    if run.kept is run.job:
        return job.plan.cast(job.parts["train"].x[rows])
    preprocess = run.kept.preprocess()
    return job.plan.cast(preprocess.apply(job.source.x)[rows])


def _rows(job: Job, count: int) -> Tensor:
    rows = job.parts["train"].rows
    return rows[torch.linspace(0, len(rows) - 1, min(count, len(rows))).long()]


def _measured(job: Job, model: nn.Module, x: Tensor, y: Tensor) -> ActivationStatistics:
    require_targets(job.recipe.loss.name, "the gradient of one batch")
    with as_trained(model):
        return activation_statistics(model, (x, y), loss_fn=job.plan.objective.loss)


def _traced(job: Job, model: nn.Module, x: Tensor, y: Tensor) -> Trace:
    require_targets(job.recipe.loss.name, "a trace of the loss")
    with as_trained(model):
        return trace(model, (x, y), job.plan.objective.loss)
