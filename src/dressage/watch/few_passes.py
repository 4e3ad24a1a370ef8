"""A training that saw its rows once or twice and stopped: as many steps again may bring little, a few times as many bring much."""

from __future__ import annotations

import math
from dataclasses import replace

from dressage.findings import Finding
from dressage.subject import Lab, advance, metric_of, outputs_of
from dressage.watch.case import RACED_ROWS, Case

PASSES = 3.0
"""Times that the rows were seen: of a set that is small enough to be looked at whole, hardly anybody means to stop there."""
TIMES, LONGEST = 8, 1000
"""Times as many steps that a copy goes on for, and how many at most."""
SECONDS = 8.0
POINTS = 0.1
"""Of the validation metric, that going on has to gain, beyond twice its standard error."""
ENOUGH = 100
"""Validation rows from which a gain is told."""


def few_passes(case: Case) -> list[Finding]:
    """A rate that was not brought down, and a validation metric that rises far as a copy goes on."""
    lab, train, held = case.lab(start=False), case.subject.train, case.subject.validation
    if lab is None or train is None or held is None or len(held) < ENOUGH:
        return []
    if lab.metric is None or not lab.metric.higher_is_better:
        return []
    passes = _passes(case, train.total)
    rates = [rate for _, rate in case.telemetry.rates]
    if not passes < PASSES or not rates or min(rates[-1], _rate(case)) < 0.5 * max(rates):
        return []
    whole, steps = replace(lab, x=train.x, y=train.y), min(LONGEST, TIMES * case.telemetry.step)
    reached = case.proven(f"few passes {steps}", lambda: _gone_on(case, whole, steps))
    if not isinstance(reached, tuple):
        return []
    before, after, taken = reached
    rows = min(len(held), RACED_ROWS)
    error = 2 * math.sqrt(0.25 / rows) if case.subject.task in ("classification", "binary") else POINTS / 2
    if not after - before > max(POINTS, error):
        return []
    told = (
        f"the {case.telemetry.step} steps of the training went {passes:.1f} times over its {train.total} rows; a copy that "
        f"goes on for {taken} more brings the {lab.metric.name} on validation rows from {before:.3f} to {after:.3f}"
    )
    return [stopped(case, told, before=before, after=after, passes=passes)]


def stopped(case: Case, evidence: str, **numbers: float) -> Finding:
    """What is told of a training that ended while it was still learning."""
    return Finding(
        "optim.too_few_epochs",
        "warning",
        "training length",
        evidence,
        "the training ended while it was still learning",
        "train longer",
        {"train.epochs": 0},
        step=case.telemetry.step,
        confidence=0.8,
        numbers=numbers,
    )


def _passes(case: Case, total: int) -> float:
    """How often the rows were seen; NaN where the size of a batch is not known."""
    sizes = [p.batch * p.calls for p in case.telemetry.probes if p.batch]
    return case.telemetry.step * max(sizes) / total if sizes else math.nan


def _rate(case: Case) -> float:
    return float(case.optimizer.param_groups[0].get("lr", math.inf))


def _gone_on(case: Case, lab: Lab, steps: int) -> tuple[float, float, int] | None:
    outcome, held = advance(lab, steps, deadline=case.deadline(SECONDS)), case.subject.validation
    if outcome.diverged or outcome.model is None or held is None or lab.metric is None:
        return None
    rows = held.head(RACED_ROWS)
    after = metric_of(lab.metric, outputs_of(outcome.model, rows.x).cpu(), rows.y)
    return case.validation_metric(), after, outcome.steps
