"""The telemetry of a training from what its run folder has: losses, rates, validations, and the probed steps that were kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dressage.findings import Finding
from dressage.fit import Event
from dressage.prepare import Job
from dressage.stopping import Stop
from dressage.store.reader import History, read_history
from dressage.watch.telemetry import KEPT_LOSSES, LayerNumbers, Probe, Telemetry, Validation, WeightNumbers
from dressage.watching import JobWatch, validation_of

RATES = 64  # steps whose rate stands for the schedule, where no probes were kept


def begin(watch: JobWatch, job: Job, folder: Path, stop: Stop, tell: Callable[[Event], None] | None) -> None:
    """The watch of a run from where its state stands, with what was seen and found before it was stopped."""
    step, known = job.state.step, list[Finding]()
    if step:
        history = read_history(folder)
        watch.case.telemetry = telemetry_of(history, job, step)
        known = [Finding.from_json(f) for f in history.findings if int(f.get("step") or 0) <= step]
    watch.begin(stop, tell, known)


def telemetry_of(history: History, job: Job, last: int | None = None) -> Telemetry:
    """What was seen up to step `last`, or to the last that is recorded."""
    # A checkpoint may lie between an epoch's last step and its validation: what was recorded of that one comes again.
    ended = [e for e in history.epochs if last is None or e["epoch"] <= job.state.epoch]
    last = int(history.steps[-1]) if last is None and len(history.steps) else last or 0
    recorded = history.columns.get("loss", np.zeros(0))[history.steps <= last]
    losses = [float(x) for x in recorded if not np.isnan(x)]
    seen = Telemetry(step=len(losses))
    seen.add_losses(losses)
    while len(seen.losses) > KEPT_LOSSES:
        seen.losses, seen.stride = seen.losses[::2], seen.stride * 2
    seen.step = last
    validations = [_validation(epoch, job) for epoch in ended]
    seen.validations = [v for v in validations if v is not None and v.step <= last]
    probes = [_probe(event) for event in history.events if event.get("kind") == "probe"]
    seen.probes = [p for p in probes if p is not None and p.step <= last] or _rates(history)
    return seen


def _validation(epoch: Mapping[str, Any], job: Job) -> Validation | None:
    numbers = {name: float(v) for name, v in epoch.items() if isinstance(v, int | float)}
    if "val_loss" not in numbers or "validation" not in job.parts:
        return None
    return replace(validation_of(numbers, job), step=int(epoch["step"]))


def _probe(event: Mapping[str, Any]) -> Probe | None:
    """A probed step as it was written; None where it is of another form."""
    try:
        known = {name: event[name] for name in Probe.__dataclass_fields__ if name in event}
        known["layers"] = tuple(LayerNumbers(**_numbers(layer)) for layer in event.get("layers", ()))
        known["weights"] = tuple(WeightNumbers(**_numbers(weight)) for weight in event.get("weights", ()))
        return Probe(**known)
    except (TypeError, KeyError):
        return None


def _numbers(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in facts.items()}


def _rates(history: History) -> list[Probe]:
    rates = history.columns.get("lr")
    if rates is None or not len(history.steps):
        return []
    chosen = np.unique(np.linspace(0, len(history.steps) - 1, RATES).astype(int))
    return [Probe(int(history.steps[i]), rate=float(rates[i])) for i in chosen]
