"""A prepared job as a subject of preflight and watch: its rows as the network gets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dressage.clock import work_seconds
from dressage.data.source import Part
from dressage.findings import Finding, ranked
from dressage.fit import new_state
from dressage.objective import require_targets
from dressage.objective.several import Part as Goals
from dressage.objective.several import Several
from dressage.preflight.result import Preflight
from dressage.preflight.run import Progress, examine, settled
from dressage.prepare import Job
from dressage.regularize import Technique, constrain, penalised
from dressage.subject import Metric, Rows, Subject
from dressage.subject.rows import LIMIT_BYTES, LIMIT_ROWS, spread
from dressage.subject.task import Task, default_metric


def subject_of_job(job: Job) -> Subject:
    """The training of a job before its first step, on a sample of its rows after preprocessing and cast.

    Of several targets it is the one training of all: it has no task, its metric is the mean of theirs, and `each` has them one
    by one.
    """
    require_targets(job.recipe.loss.name, "a diagnosis")
    train = _rows(job, job.parts["train"], shuffled=True)
    validation = job.parts.get("validation")
    objective = job.plan.objective
    task: Task | None = None if isinstance(objective, Several) else _task(job.source.task == "classification")
    # An optimiser that holds each parameter, and not one flat buffer.
    state = new_state(job.state.model, job.recipe, thaw=job.plan.thaw)
    subject = Subject(
        model=job.state.model,
        optimizer=state.optimizer,
        loss_fn=objective.loss,
        train=train,
        validation=None if validation is None else _rows(job, validation, shuffled=False),
        task=task,
        classes=len(job.source.classes),
        metric=_mean_metric(objective)
        if isinstance(objective, Several)
        else default_metric(_task(task != "regression")),
        names=tuple(job.preprocess.features) if train.x.ndim == 2 else (),
        penalty=_penalty(job.plan.regularize),
        after_step=_after_step(job.plan.regularize),
        notes=[],
    )
    return replace(subject, each=_by_target(subject, objective)) if isinstance(objective, Several) else subject


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


def _task(has_classes: bool) -> Task:
    return "classification" if has_classes else "regression"


def _mean_metric(objective: Several) -> Metric:
    """The mean of the targets' accuracies and R²: what differs between trainings by points, whatever their units."""

    def of(outputs: Tensor, y: Tensor) -> float:
        each = [default_metric(_task(part.goal.classes > 0)).of(*part.of(outputs, y)) for part in objective.parts]
        return sum(each) / len(each)

    return Metric("mean of accuracy and R²", of, True)


class Headed(nn.Module):
    """A network of several targets as one of a single target: those of its outputs that are the target's own."""

    def __init__(self, network: nn.Module, own: slice) -> None:
        super().__init__()
        self.network, self.own = network, own

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x)[:, self.own]
        return out


def _by_target(subject: Subject, objective: Several) -> dict[str, Subject]:
    return {part.goal.name: _of_target(subject, part) for part in objective.parts}


def _of_target(subject: Subject, part: Goals) -> Subject:
    def rows(held: Rows | None) -> Rows | None:
        if held is None:
            return None
        y = held.y[:, part.column]
        return replace(held, y=y.long() if part.goal.classes else y)

    task = _task(part.goal.classes > 0)
    return replace(
        subject,
        model=Headed(subject.model, part.outputs),
        loss_fn=part.objective.loss,
        train=rows(subject.train),
        validation=rows(subject.validation),
        task=task,
        classes=part.goal.classes,
        metric=default_metric(task),
    )


def examined(
    subject: Subject, job: Job, checks: Sequence[str], deadline: float, progress: Progress | None = None
) -> Preflight:
    """The checks by name on a job's training; of several targets on each in turn, and what holds for all is said once."""
    if not isinstance(job.plan.objective, Several):
        return examine(subject, checks, deadline, progress)
    subjects = _by_target(subject, job.plan.objective)
    seen = dict[str, Preflight]()
    for place, (name, one) in enumerate(subjects.items()):
        now = work_seconds()
        seen[name] = examine(one, checks, now + (deadline - now) / (len(subjects) - place), progress)
    counts = Counter((f.id, f.where, f.evidence) for found in seen.values() for f in found.findings)
    findings, told = list[Finding](), set[tuple[str, str, str]]()
    for name, found in seen.items():
        for f in found.findings:
            known = (f.id, f.where, f.evidence)
            if counts[known] == 1:
                findings.append(replace(f, where=f"{name}: {f.where}".rstrip(": ")))
            elif known not in told:
                findings.append(f)
            told.add(known)
    done = [replace(c, name=f"{c.name} ({name})") for name, found in seen.items() for c in found.checks]
    return Preflight(settled(ranked(findings)), done, tuple(subject.notes))
