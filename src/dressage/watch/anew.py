"""What shows only over the length of a training: a copy with one thing mended, trained anew, beside the network as it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.preflight.data_scale import standardised
from dressage.preflight.nonlinearity import with_relus
from dressage.subject import Lab, advance, copy_of, outputs_of
from dressage.subject.features import shares_a_scale
from dressage.subject.task import comparable, default_metric
from dressage.watch.case import Case
from dressage.watch.changes import ASKED_FOR, CHANGES
from dressage.watch.edits import Edit, unregularized
from dressage.watch.struggle import struggles
from dressage.watch.widen import FEW, NARROW, narrowest, widened

GAIN, LESS = 0.03, 0.75
"""Of the metric that the copy has to be ahead, and the part of the network's error, 1 − metric, that it may keep."""
SURE = 2.0
SECONDS, ENOUGH = 8.0, 100
"""For a copy; and validation rows below which nothing is asked."""
ALL = 1 << 20
"""Rows: all that were sampled."""
LINES, REGULARISED = "model.missing_nonlinearity", "optim.over_regularised"
SCALES = ("data.unscaled_inputs", "data.all_positive_inputs", "data.target_unscaled")


@dataclass(frozen=True, slots=True)
class Ends:
    """A metric on validation rows: of the network as the training left it, and of a copy that was trained anew."""

    as_it_is: float
    anew: float
    rows: int
    """Of the validation."""

    @property
    def is_better(self) -> bool:
        """Whether the copy is ahead by more than chance gives: two standard errors, √((e + e′) / n) at most of two shares e, e′."""
        wrong, left = 1 - self.as_it_is, 1 - self.anew
        chance = SURE * math.sqrt(max(wrong + left, 0.0) / self.rows)
        return wrong - left >= max(GAIN, chance) and left <= LESS * wrong


def ends(case: Case, lab: Lab, given: tuple[Tensor, Tensor] | None = None) -> Ends | None:
    """How a lab ends after as many steps as the training; None where there are no validation rows, or it diverged.

    By accuracy, R², or the metric that was given if it is a share as they are. `given`: inputs and targets of the validation
    in the lab's form. A copy has fewer rows, and fewer steps where the time ends: that it is better all the same is no less true.
    """
    rows, task, named = case.subject.validation, case.subject.task, case.subject.metric
    if rows is None or task is None or len(rows) < ENOUGH or not case.has_judge:
        return None
    metric = default_metric(task) if named is None or given is not None else comparable(named, task, rows.y)
    copy = advance(replace(lab, metric=None), case.telemetry.step, deadline=case.deadline(SECONDS))
    if copy.model is None or copy.diverged:
        return None
    x, y = (rows.x, rows.y) if given is None else given
    now = metric.of(outputs_of(copy_of(case.model), rows.x).cpu(), rows.y)
    return Ends(now, metric.of(outputs_of(copy.model, x).cpu(), y), len(rows))


def scaled(case: Case, cause: str) -> Ends | None:
    """How a copy on standardised inputs or targets ends, where that is better."""
    held, lab = case.subject.validation, case.lab(start=True, most=ALL)
    if held is None or lab is None or cause not in SCALES:
        return None
    if cause == "data.target_unscaled":
        given = held.x, standardised(held.y, shared=False, like=lab.y)
        found = ends(case, replace(lab, y=standardised(lab.y, shared=False)), given)
    else:
        shared = shares_a_scale(lab.x)
        given = standardised(held.x, shared=shared, like=lab.x), held.y
        found = ends(case, replace(lab, x=standardised(lab.x, shared=shared)), given)
    return found if found is not None and found.is_better else None


def bettered(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, with the cause that a copy proves over the whole length where none, or only that it underfits, is told."""
    harm = [f for f in found if f.is_harmful and not f.is_symptom]
    if any(f.id != "eval.underfit" for f in harm) or case.telemetry.nonfinite is not None:
        return found
    rules: dict[str, Callable[[], Finding | None]] = {"model.bottleneck": lambda: _wider(case)}
    if any(f.id == LINES for f in found):
        rules[LINES] = lambda: _with(case, LINES, with_relus)
    if harm or struggles(case, [], end=True):
        rules[REGULARISED] = lambda: _with(case, REGULARISED, unregularized)
    for cause, rule in rules.items():
        if isinstance(told := case.proven(f"anew {cause}", rule), Finding):
            return [told, *(replace(f, severity="info") if f in harm else f for f in found if f.id != cause)]
    return found


def _with(case: Case, cause: str, edit: Edit) -> Finding | None:
    """A change of the network or its optimiser, as it is told where it ends better."""
    lab = case.lab(start=True, most=ALL)
    change = next(c for c in (*CHANGES, *ASKED_FOR) if c.id == cause)
    changed = None if lab is None else edit(lab)
    found = None if changed is None else ends(case, changed)
    if found is None or not found.is_better:
        return None
    return _told(case, change.id, change.where, f"with {change.name}", found, change.cause, change.remedy, change.code)


def _wider(case: Case) -> Finding | None:
    """A layer of a few units that has to tell many more classes: wider it ends better, also than as it is by the same optimiser."""
    lab = case.lab(start=True, most=ALL)
    narrow = None if lab is None else narrowest(lab)
    if lab is None or narrow is None or narrow[1] > FEW or case.subject.classes < NARROW * narrow[1]:
        return None
    if (labs := widened(lab)) is None:
        return None
    if isinstance(case.optimizer, torch.optim.Adam | torch.optim.AdamW):
        rate = float(case.start[1].param_groups[0]["lr"]) if case.start is not None else 1e-3
        labs = _at(labs[0], rate), _at(labs[1], rate)
    plain, wide = ends(case, labs[0]), ends(case, labs[1])
    if plain is None or wide is None or not replace(wide, as_it_is=max(plain.anew, wide.as_it_is)).is_better:
        return None
    name, width = narrow
    cause = "a layer is too narrow for what has to pass through it"
    return _told(
        case, "model.bottleneck", name, f"with {name}, of {width} units, made wider", wide, cause, "widen it", ""
    )


def _at(lab: Lab, rate: float) -> Lab:
    model = copy_of(lab.model)
    return replace(lab, model=model, optimizer=torch.optim.Adam(model.parameters(), lr=rate))


def _told(case: Case, cause: str, where: str, with_what: str, found: Ends, why: str, remedy: str, code: str) -> Finding:
    return Finding(
        cause,
        "warning",
        where,
        f"in the end the network has {found.as_it_is:.3g} on validation rows; a copy trained anew {with_what} has {found.anew:.3g}",
        why,
        remedy,
        step=case.telemetry.step,
        code=code,
        confidence=0.8,
        numbers={"as_it_is": found.as_it_is, "anew": found.anew},
    )
