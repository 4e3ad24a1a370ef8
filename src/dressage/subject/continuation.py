"""A short training of a copy, with one thing changed: what proves a cause. The original is not touched."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.clock import work_seconds
from dressage.subject.rows import spread
from dressage.subject.subject import Loss, Subject, first_output
from dressage.subject.task import Metric
from dressage.subject.untouched import copy_with, generators_kept

CALLS_BACK = ("torch", "dressage")
"""Packages whose optimisers ask for the gradients they step by; one that somebody wrote may take those that are there."""
JUDGED = 512  # rows on which a continuation's loss is read before and after


@dataclass(frozen=True, slots=True)
class Lab:
    """A training that can be tried. `replace(lab, x=…)` changes one thing, `lab.changed(edit)` model and optimiser."""

    model: nn.Module
    optimizer: Optimizer
    loss_fn: Loss
    x: Tensor
    y: Tensor
    batch_size: int
    metric: Metric | None = None
    penalty: Callable[[nn.Module], Tensor] | None = None
    after_step: Callable[[nn.Module, float], None] | None = None
    clip_norm: float = 0.0
    training: bool = True
    """Whether its steps are taken in training mode."""
    pieces: int = 1
    """Of a batch, each a pass of its own whose gradients are added up: norms see a piece, the optimiser the batch."""

    def changed(self, edit: Callable[[nn.Module, Optimizer], None]) -> Lab:
        """With copies of the model and its optimiser that `edit` has changed."""
        model, optimizer = copy_with(self.model, self.optimizer)
        assert optimizer is not None
        edit(model, optimizer)
        return replace(self, model=model, optimizer=optimizer)

    def with_rate(self, factor: float) -> Lab:
        """With each group's learning rate times `factor`."""

        def edit(model: nn.Module, optimizer: Optimizer) -> None:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * factor

        return self.changed(edit)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a continuation. Losses and metric are of the same rows before and after, in eval mode."""

    losses: list[float] = field(default_factory=list)
    """Of each step, in training mode."""
    before: float = math.nan
    after: float = math.nan
    metric_before: float = math.nan
    metric: float = math.nan
    steps: int = 0
    model: nn.Module | None = None

    @property
    def diverged(self) -> bool:
        """Whether a number was not finite."""
        return not math.isfinite(self.after) or not all(map(math.isfinite, self.losses))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two labs continued side by side, a pair of outcomes a seed."""

    base: list[Outcome]
    other: list[Outcome]

    def gain(self, by: Literal["loss", "metric"] = "loss") -> float:
        """Smallest gain of the other over the seeds: share of the base's loss that is gone, or points of the metric (0 to 1).

        A base that diverged has lost all; −inf where the other diverged, or nothing was compared.
        """
        return min((_gain(a, b, by) for a, b in zip(self.base, self.other, strict=True)), default=-math.inf)


def compare(
    lab: Lab, other: Lab, steps: int, *, seeds: Sequence[int] = (0, 1, 2), deadline: float = math.inf
) -> Comparison:
    """Continues both labs over the same draws; seeds that the deadline leaves no time for are left out."""
    pairs: list[tuple[Outcome, Outcome]] = []
    for seed in seeds:
        pair = (advance(lab, steps, seed=seed, deadline=deadline), advance(other, steps, seed=seed, deadline=deadline))
        if work_seconds() >= deadline and pairs:
            break
        pairs.append(pair)
    return Comparison([a for a, _ in pairs], [b for _, b in pairs])


def _gain(base: Outcome, other: Outcome, by: Literal["loss", "metric"]) -> float:
    if other.diverged:
        return -math.inf
    if base.diverged:
        return 1.0
    if by == "metric":
        return other.metric - base.metric
    return (base.after - other.after) / max(abs(base.after), 1e-12)


def lab_of(subject: Subject) -> Lab | None:
    """The training as it stands, on the sampled rows; None when the model, the loss, the optimiser or the data is not known."""
    if subject.optimizer is None or subject.loss_fn is None or subject.train is None:
        return None
    rows = subject.train
    return Lab(
        subject.model,
        subject.optimizer,
        subject.loss_fn,
        rows.x,
        rows.y,
        min(rows.batch_size or 64, len(rows)),
        subject.metric,
        subject.penalty,
        subject.after_step,
    )


def advance(lab: Lab, steps: int, *, seed: int = 0, deadline: float = math.inf) -> Outcome:
    """Trains copies of the lab's model and optimiser for `steps`, or until `work_seconds()` passes `deadline`.

    The same seed draws the same batches and the same noise, so that two labs differ in what was changed only.
    Raises what the user's model or loss raises.
    """
    model, optimizer = copy_with(lab.model, lab.optimizer)
    assert optimizer is not None
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with generators_kept(), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        before, metric_before = judged(lab, model)
        order = torch.Generator().manual_seed(seed)
        losses: list[float] = []
        model.train(lab.training)
        while len(losses) < steps and work_seconds() < deadline:
            for rows in torch.split(torch.randperm(len(lab.x), generator=order), lab.batch_size):
                if len(losses) == steps or work_seconds() >= deadline:
                    break
                if len(rows) < min(lab.batch_size, len(lab.x)):
                    continue  # a ragged last batch
                losses.append(_step(lab, model, optimizer, lab.x[rows].to(device), lab.y[rows].to(device)))
                if not math.isfinite(losses[-1]):
                    return Outcome(losses, before, math.nan, metric_before, math.nan, len(losses), model)
        after, metric = judged(lab, model)
    return Outcome(losses, before, after, metric_before, metric, len(losses), model)


def judged(lab: Lab, model: nn.Module) -> tuple[float, float]:
    """Loss and metric of a model on rows of the lab, evenly spread since rows may be sorted, in eval mode."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was = [m.training for m in model.modules()]
    model.eval()
    with torch.no_grad():
        rows = spread(len(lab.x), JUDGED)
        x, y = lab.x[rows].to(device), lab.y[rows].to(device)
        outputs = first_output(model(x))
        loss = float(lab.loss_fn(outputs, y).float().mean())
        metric = math.nan
        if lab.metric is not None and outputs.isfinite().all():
            metric = metric_of(lab.metric, outputs, y)
    for module, mode in zip(model.modules(), was, strict=True):
        module.training = mode
    return loss, metric


def metric_of(metric: Metric, outputs: Tensor, y: Tensor) -> float:
    """NaN for outputs that the metric is not made for."""
    try:
        return metric.of(outputs, y)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return math.nan


def _step(lab: Lab, model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> float:
    def closure(backward: bool = True) -> Tensor:
        if not backward:  # asked for by optimisers that derive the loss themselves
            return _loss(lab, model, x, y)
        optimizer.zero_grad()
        losses = []
        for xs, ys in zip(x.chunk(lab.pieces), y.chunk(lab.pieces), strict=True):
            piece = _loss(lab, model, xs, ys) * (len(xs) / len(x))
            torch.autograd.backward(piece)
            losses.append(piece.detach())
        if lab.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), lab.clip_norm)
        return torch.stack(losses).sum()

    loss = stepped(optimizer, closure)
    if lab.after_step is not None:
        lab.after_step(model, float(optimizer.param_groups[0].get("lr", 0.0)))
    return loss


def stepped(optimizer: Optimizer, closure: Callable[[], Tensor]) -> float:
    """The loss before a step by the gradients that `closure` makes, whether the optimiser asks for them or takes what is there."""
    if type(optimizer).__module__.partition(".")[0] in CALLS_BACK:
        asked = optimizer.step(closure)  # type: ignore[arg-type]
        return math.nan if asked is None else float(asked)
    loss = float(closure())
    takes = inspect.signature(type(optimizer).step).parameters
    again = optimizer.step(closure) if len(takes) > 1 else optimizer.step()  # type: ignore[arg-type]
    return loss if again is None else float(again)


def _loss(lab: Lab, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    loss = lab.loss_fn(first_output(model(x)), y).mean()
    return loss if lab.penalty is None else loss + lab.penalty(model)
