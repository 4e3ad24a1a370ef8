"""What the checks ask of a subject, and how they prove harm: a copy that learns better with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dressage.clock import work_seconds
from dressage.preflight.result import NotChecked
from dressage.subject import Lab, Metric, Rows, Subject, advance, compare, evaluated, first_output, lab_of, outputs_of
from dressage.subject.subject import Loss

STEPS = 100  # of a continuation: long enough that a slow start is not taken for harm


@dataclass(frozen=True, slots=True)
class Given:
    """A copy of the network with a batch and the loss."""

    model: nn.Module
    x: Tensor
    y: Tensor
    loss_fn: Loss


def rows_given(subject: Subject) -> Rows:
    """The training rows. Raises NotChecked."""
    if subject.train is None:
        raise NotChecked("no training data given")
    return subject.train


def loss_given(subject: Subject) -> Loss:
    """The loss. Raises NotChecked."""
    if subject.loss_fn is None:
        raise NotChecked("no loss given")
    return subject.loss_fn


def given(subject: Subject, count: int = 64) -> Given:
    """A copy in eval mode with `count` rows on its device. Raises NotChecked."""
    rows, loss_fn = rows_given(subject).head(count), loss_given(subject)
    model = evaluated(subject.model)
    return Given(model, rows.x.to(subject.device), rows.y.to(subject.device), loss_fn)


def outputs_given(found: Given) -> Tensor:
    """The outputs of the batch, without a graph."""
    with torch.no_grad():
        return first_output(found.model(found.x))


def gives_several(found: Given) -> bool:
    """Whether the network gives anything but one tensor."""
    with torch.no_grad():
        return not isinstance(found.model(found.x[:4]), Tensor)


def lab_given(subject: Subject) -> Lab:
    """The training as it stands; with Adam where no optimiser was given. Raises NotChecked."""
    rows_given(subject), loss_given(subject)
    if subject.optimizer is None:
        parameters = [p for p in subject.model.parameters() if p.requires_grad]
        if not parameters:
            raise NotChecked("the network has nothing to train")
        subject = replace(subject, optimizer=torch.optim.Adam(parameters, 1e-3))
    lab = lab_of(subject)
    assert lab is not None
    return lab


@dataclass(frozen=True, slots=True)
class Race:
    """Two continuations by the loss: the worst seed for the changed one."""

    gain: float
    """Share of the loss that the change rids the training of; −inf: it came to nothing."""
    left: float
    """Least loss that the unchanged one came to, over the seeds; inf where all diverged."""

    def __str__(self) -> str:
        if self.gain == -float("inf"):
            return "what it costs was not measured"
        return f"mended, a copy rids {max(self.gain, 0):.0%} more of the loss in short trainings ({self.left:.3g} as it is)"


def race(lab: Lab, other: Lab, deadline: float, *, steps: int = STEPS) -> Race:
    """Continues both and compares their losses."""
    if work_seconds() >= deadline:
        return Race(-float("inf"), float("nan"))
    steps, seeds = affordable(lab, steps, 2, deadline)
    pairs = compare(lab, other, steps, seeds=seeds, deadline=deadline)
    left = min((float("inf") if a.diverged else a.after for a in pairs.base), default=float("nan"))
    return Race(pairs.gain(), left)


def gain(
    lab: Lab, other: Lab, judge: Callable[[Tensor, Tensor], Any] | None, deadline: float, *, steps: int = STEPS
) -> float:
    """The least share of the loss, over seeds, that a copy with one thing changed rids itself of; at most 1.

    `judge(outputs, targets)` is the loss by which both are judged; None: each by its own. −inf: it came to nothing.
    """
    if work_seconds() >= deadline:
        return -float("inf")
    if judge is None:
        return race(lab, other, deadline, steps=steps).gain
    metric = Metric("judged", lambda z, y: -float(judge(z, y)), True)
    steps, seeds = affordable(lab, steps, 2, deadline)
    lab, other = replace(lab, metric=metric), replace(other, metric=metric)
    pairs = compare(lab, other, steps, seeds=seeds, deadline=deadline)
    gains = [
        -float("inf") if b.diverged else 1.0 if a.diverged else (b.metric - a.metric) / max(abs(a.metric), 1e-12)
        for a, b in zip(pairs.base, pairs.other, strict=True)
    ]
    return min(gains, default=-float("inf"))


def metric_gain(
    lab: Lab, other: Lab, deadline: float, *, steps: int = STEPS, metric: Metric | None = None
) -> tuple[float, float, float]:
    """Least gain of the metric over seeds in points (0 to 1), and the means as it is and as changed."""
    if work_seconds() >= deadline:
        return -float("inf"), float("nan"), float("nan")
    if metric is not None:
        lab, other = replace(lab, metric=metric), replace(other, metric=metric)
    steps, seeds = affordable(lab, steps, 2, deadline)
    pairs = compare(lab, other, steps, seeds=seeds, deadline=deadline)
    least = pairs.gain("metric")
    if lab.metric is not None and not lab.metric.higher_is_better:
        least = min((a.metric - b.metric for a, b in zip(pairs.base, pairs.other, strict=True)), default=-float("inf"))
    return least, _mean([o.metric for o in pairs.base]), _mean([o.metric for o in pairs.other])


def unseen_gain(lab: Lab, other: Lab, deadline: float, *, steps: int = STEPS) -> tuple[float, float, float]:
    """As `metric_gain`, on a quarter of the rows that neither was trained on: what is learned, and not what is memorised."""
    metric = lab.metric
    if metric is None or len(lab.x) < 40:
        return -float("inf"), float("nan"), float("nan")
    order = torch.randperm(len(lab.x), generator=torch.Generator().manual_seed(0))
    kept, seen = order[: min(len(order) // 4, 512)], order[len(order) // 4 :]
    scores: list[tuple[float, float]] = []
    steps, seeds = affordable(lab, steps, 2, deadline)
    for seed in seeds:
        pair = [_score(one, metric, seen, kept, steps, seed, deadline) for one in (lab, other)]
        if work_seconds() >= deadline and scores:
            break
        scores.append((pair[0], pair[1]))
    sign = 1 if metric.higher_is_better else -1
    least = min((sign * (b - a) for a, b in scores), default=-float("inf"))
    return least, _mean([a for a, _ in scores]), _mean([b for _, b in scores])


def affordable(lab: Lab, steps: int, runs: int, deadline: float) -> tuple[int, tuple[int, ...]]:
    """Steps and seeds for which `runs` continuations a seed fit before the deadline, by the price of two steps."""
    if deadline == float("inf"):
        return steps, (0, 1, 2)
    began = work_seconds()
    advance(lab, 2, deadline=deadline)
    price = (work_seconds() - began) / 2
    left = 0.9 * (deadline - work_seconds()) / max(price, 1e-6) / runs
    if left >= 3 * steps:
        return steps, (0, 1, 2)
    return max(10, min(steps, int(left))), (0,) if left < 1.5 * steps else (0, 1)


def _score(lab: Lab, metric: Metric, seen: Tensor, kept: Tensor, steps: int, seed: int, deadline: float) -> float:
    batch = min(lab.batch_size, len(seen))
    done = advance(replace(lab, x=lab.x[seen], y=lab.y[seen], batch_size=batch), steps, seed=seed, deadline=deadline)
    if done.model is None or done.diverged:
        return -float("inf") if metric.higher_is_better else float("inf")
    return metric.of(outputs_of(done.model, lab.x[kept]).cpu(), lab.y[kept].cpu())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
