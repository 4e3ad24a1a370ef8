"""The training: an iterator of events. Stop pulling, and it has stopped."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import torch

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit.events import EndEvent, EpochEvent, Event, StepEvent
from dressage.fit.guard import Guard
from dressage.fit.plan import Plan
from dressage.fit.state import State
from dressage.fit.step import take_step
from dressage.fit.validate import recalibrate, validate


def fit(state: State, batches: Batches, plan: Plan, validation: Part | None = None) -> Generator[Event]:
    """Trains `state` to the end of the plan, from wherever it stands.

    Yields a StepEvent after each step, an EpochEvent after each epoch, and an EndEvent. After any event `state` is whole:
    saved there and put back later, the training goes on bit for bit. A number that is not finite puts the state back to
    the last good step and ends the training. The global random generators are left as they were found.
    """
    with generators_kept(state.device):
        yield from _train(state, batches, plan, validation)


def _train(state: State, batches: Batches, plan: Plan, validation: Part | None) -> Generator[Event]:
    guard = Guard(state, batches, plan)
    while state.epoch < plan.epochs and not is_over(state, plan):
        if plan.thaw is not None:
            state.settle(plan.thaw)
        state.model.train()
        for batch in batches.epoch(state.epoch, start=state.batch):
            guard.before_step()
            rate = plan.rate(state.step, state.cuts)
            loss = take_step(state, batch, plan)
            if guard.is_due and (spot := guard.check()):
                yield EndEvent(state.step, state.epoch, "nonfinite", spot)
                return
            yield StepEvent(state.step, state.epoch + 1, loss, rate)
        if spot := guard.check():
            yield EndEvent(state.step, state.epoch, "nonfinite", spot)
            return
        yield _end_epoch(state, batches, plan, validation)
    yield EndEvent(state.step, state.epoch, "patience" if state.epoch < plan.epochs else "epochs")


def _end_epoch(state: State, batches: Batches, plan: Plan, validation: Part | None) -> EpochEvent:
    metrics = {"train_loss": float(torch.stack(state.losses).double().mean())}
    state.settle_average()
    recalibrate(state.judged, batches, plan, all_norms=state.averaged is not None)
    if validation is not None:
        metrics |= validate(state.judged, validation, plan)
    return close_epoch(state, plan, metrics)


def close_epoch(state: State, plan: Plan, metrics: dict[str, float]) -> EpochEvent:
    """Takes note of what an epoch came to, and turns to the next; without val_loss in it nothing is better than before."""
    validated = "val_loss" in metrics
    improved = _remember_best(state, metrics, plan) if validated else False
    if validated and (plateau := plan.factor.plateau) is not None:
        state.plateau_stale, state.cuts = plateau.after_epoch(state.plateau_stale, state.cuts, improved)
    state.epoch, state.batch, state.losses = state.epoch + 1, 0, []
    return EpochEvent(state.step, state.epoch, metrics, improved)


def _remember_best(state: State, metrics: dict[str, float], plan: Plan) -> bool:
    metric = metrics[f"val_{plan.objective.metric}"]
    value = metrics["val_loss"] if plan.monitor == "loss" else (-metric if plan.objective.higher_is_better else metric)
    improved = math.isfinite(value) and value < state.best_value
    if improved:
        state.best_value, state.best_step, state.stale = value, state.step, 0
        state.best = {name: tensor.detach().clone() for name, tensor in state.judged.state_dict().items()}
    else:
        state.stale += 1
    return improved


def is_over(state: State, plan: Plan) -> bool:
    """Whether no better value has come for `patience` epochs."""
    return plan.patience > 0 and state.stale >= plan.patience


@contextmanager
def generators_kept(device: torch.device) -> Iterator[None]:
    """Leaves the global random generators as they were found."""
    found = torch.default_generator.get_state()
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        torch.default_generator.set_state(found)
        if on_device is not None:
            torch.cuda.set_rng_state(on_device, device)
