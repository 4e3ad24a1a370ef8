"""Examinations are told what is left of their time while they run, and what they take is counted once."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.subject import subject_of
from dressage.watch.case import Case
from dressage.watch.guarded import guarded


def work(seconds: float) -> None:
    until = work_seconds() + seconds
    while work_seconds() < until:
        pass


def case() -> Case:
    model, x = nn.Linear(3, 2), torch.randn(60, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Case.of(subject_of(model, optimizer, nn.CrossEntropyLoss(), train=(x, (x[:, 0] > 0).long())), 5.0)


def test_the_time_of_an_examination_runs_while_it_does() -> None:
    """Each copy of one examination was given the time that had been left when it began: together they took twice the budget."""
    watched, left = case(), list[float]()

    def rule(watched: Case) -> list[Finding]:
        for _ in range(3):
            left.append(watched.deadline(4.5) - work_seconds())
            work(0.3)
        return []

    guarded(watched, rule)
    assert left[0] <= 4.5 and left[2] < 4.42
    assert 0.89 < watched.spent < 1.2 and watched.running is None


def test_what_lies_inside_of_an_examination_is_counted_once() -> None:
    watched = case()

    def inner(watched: Case) -> list[Finding]:
        watched.proven("a proof", lambda: work(0.2))
        return []

    def outer(watched: Case) -> list[Finding]:
        work(0.1)
        return guarded(watched, inner)

    guarded(watched, outer)
    assert 0.29 < watched.spent < 0.5


def test_an_examination_that_raises_is_counted_too() -> None:
    watched = case()

    def rule(watched: Case) -> list[Finding]:
        work(0.2)
        raise ValueError("of the user's")

    assert guarded(watched, rule) == [] and watched.running is None
    assert watched.spent > 0.19 and "of the user's" in watched.notes[-1]


def test_a_momentum_that_is_hardly_ever_good_is_tried_before_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time is short only the first is tried, for as long as the training as it is."""
    gap, asked, left = import_module("dressage.watch.gap"), list[tuple[str, float]](), iter((6.0, 3.0, 0.1))

    def change(name: str) -> SimpleNamespace:
        return SimpleNamespace(id=name, name=name, edit=lambda lab: name)

    def tried(case: object, lab: object, original: object, seconds: float) -> float:
        asked.append((str(lab), seconds))
        return 0.3

    monkeypatch.setattr(gap, "suspects", lambda *given: [change("optim.lr_too_high"), change(gap.MOMENTUM)])
    monkeypatch.setattr(gap, "_on_validation", tried)
    subject = SimpleNamespace(metric=SimpleNamespace(name="accuracy"), validation=range(500))
    watched: Any = SimpleNamespace(subject=subject, validation_metric=lambda: 0.3, time_left=lambda: next(left))
    as_it_is: Any = "as it is"
    assert gap._begun_better(watched, as_it_is, gap.TOO_FAST, "") == []
    assert asked == [("as it is", 3.0), (gap.MOMENTUM, 3.0)]
