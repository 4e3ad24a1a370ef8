"""A loop that does not train on the pairs it was given: a copy on these rows and targets learns what the loop does not."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median

from dressage.findings import Finding
from dressage.subject import advance, metric_of, outputs_of
from dressage.watch.case import RACED_ROWS, Case
from dressage.watch.rules.symptoms import update_ratio
from dressage.watch.tournament import Run, as_it_is

LEARNED = 0.2
"""Points of the metric above chance that the copy has to reach."""
SHARE = 0.25
"""Of these points, that the loop's network has at most."""
STEPS = 100
MOVING = 1e-5
"""Update/weight ratio above which the loop's weights move."""


def _knows_by_heart(case: Case, found: Run) -> bool:
    """Whether the copy has seen its rows more often than the loop has seen its own."""
    rows = case.subject.train
    assert rows is not None
    count, size = min(len(rows), RACED_ROWS), rows.batch_size or 64
    return found.steps * min(size, count) / count > case.telemetry.step * size / rows.total


def _on_others(case: Case, steps: int) -> float:
    """What such a copy reaches on validation rows; NaN where there are none."""
    lab, rows, metric = case.lab(start=True), case.subject.validation, case.subject.metric
    if lab is None or rows is None or metric is None:
        return math.nan
    outcome, rows = advance(replace(lab, metric=None), steps, deadline=case.deadline(4)), rows.head(RACED_ROWS)
    return math.nan if outcome.model is None else metric_of(metric, outputs_of(outcome.model, rows.x).cpu(), rows.y)


def unpaired(case: Case) -> list[Finding]:
    """Batches whose inputs and targets are not of the same rows: asked where no other cause was found.

    Not of rows that were taken from the loop's batches: these are paired as the loop pairs them.
    """
    seen, known = case.telemetry, case.baselines
    if len(seen.losses) < STEPS or known is None or not known.tells or case.gathered is not None:
        return []
    rates = [rate for _, rate in seen.rates]
    if not update_ratio(seen) > MOVING or not rates or min(median(rates), rates[-1]) < 0.1 * max(rates):
        return []
    (_, metric), chance = case.now(), known.constant.score
    found = as_it_is(case, STEPS)
    if found is None or found.steps > seen.step or not found.metric > chance + LEARNED:
        return []
    if not metric < chance + SHARE * (found.metric - chance):
        return []
    if _knows_by_heart(case, found) and not _on_others(case, found.steps) > chance + LEARNED / 2:
        return []
    told = f"after {seen.step} steps the training metric is {metric:.3f}, knowing nothing {chance:.3f}; a copy trained on the given"
    told += f" rows and targets as they belong together reaches {found.metric:.3f} in {found.steps} steps"
    return [
        Finding(
            "data.shuffled_labels",
            "warning",
            "batches",
            told,
            "the loop's batches hold inputs and targets of different rows, or otherwise not what was given",
            "take inputs and targets of a batch by one and the same index",
            step=seen.step,
            confidence=0.7,
            code="rows = torch.randperm(len(x))[:32]; xb, yb = x[rows], y[rows]",
        )
    ]
