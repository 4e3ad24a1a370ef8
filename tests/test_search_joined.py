"""Stages of the same epochs and rows are one ladder: a trial of any of them goes on, and none is trained twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dressage
from dressage.search import Search, go_on, load_search
from dressage.search.asked import Asked, brackets, joined, joins, planned
from dressage.search.events import StageEvent, TrialEvent
from dressage.search.rungs import Rung
from dressage.search.work import at_epoch

ASKED: dict[str, Any] = {
    "recipe": {"model": {"width": 16, "depth": 1}, "train": {"batch_size": 32, "epochs": 9}},
    "space": {"optim.lr": "log:1e-5:3", "regularize.weight_decay": "log:1e-4:1"},
    "stages": "6x9,6x9,6x9",
    "sampler": "sobol",
    "finalists": 1,
    "repeats": 2,
    "jobs": 1,
}
STAGES = ("6x9", "6x9", "6x9")


class Stopped(Exception):
    """By a consumer of events."""


def asked(stages: tuple[str, ...], **given: Any) -> Asked:
    written = Asked(
        "n", "d", "f", "accuracy", False, {}, {}, (), "sobol", stages, "successive", 2, 2, 0.0, is_joined=True
    )
    return replace(written, **given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Search:
    return dressage.search("iris", **ASKED, out=tmp_path_factory.mktemp("joined") / "whole")


def facts(found: Search) -> list[tuple[object, ...]]:
    return [(r.trial, r.state, r.epoch, r.score, r.cost, r.curve) for r in found.results]


def test_which_stages_are_joined_by_hand() -> None:
    plan = asked(("12x9@100", "6x9@100", "6x9", "3x9"))
    assert [joins(plan, n) for n in range(4)] == [False, True, False, True]
    assert [joined(plan, n) for n in range(4)] == [0, 12, 0, 6]
    for other in (replace(plan, is_joined=False), replace(plan, halving="hyperband")):
        assert not any(joins(other, n) for n in range(4))
    assert brackets(plan, 1, 18) == [[Rung(18, 3), Rung(6, 9)]]
    # 12: 12·3 + 4·6 epochs; 18: 18·3 + 6·6, on 100 rows; 6: 6·3 + 2·6; 9: 9·3 + 3·6, on 200; two twice again
    assert planned(plan, 200) == [6000.0, 3000.0, 6000.0, 3000.0, 2 * 2 * 9 * 200.0]


def test_one_ladder(whole: Search) -> None:
    assert whole.asked.stages == STAGES and whole.asked.is_joined and whole.asked.sampler == "sobol"
    assert len(whole.results) == 18 == len({r.trial.number for r in whole.results})
    assert [len(stage.results) for stage in whole.stages] == [6, 12, 18]
    edits = [tuple(sorted(r.trial.edit.items())) for r in whole.results]
    assert len(set(edits)) == 18, "none is tried twice"


def test_the_best_of_all_at_a_rung_have_gone_on(whole: Search) -> None:
    """The stages by hand: 6, 12 and 18 trials at the first rung, of which 2, 4 and 6 go on."""
    for number, keep in enumerate((2, 4, 6)):
        there = [r for r in whole.stages[number].results if r.counts or r.state == "stopped"]
        at_first = sorted((at_epoch(r, 3, "loss") for r in there if r.counts), key=lambda r: (-r.score, r.cost))
        best = {r.trial.number for r in at_first[:keep]}
        reached = {r.trial.number for r in there if r.epoch > 3}
        assert best <= reached
    ended = [r for r in whole.results if r.epoch == 9]
    assert len({r.trial.stage for r in ended}) > 1 and whole.best in ended


def test_it_runs_no_epoch_twice(tmp_path: Path) -> None:
    heard: dict[int, list[int]] = {}

    def hear(event: object) -> None:
        if isinstance(event, TrialEvent):
            heard.setdefault(event.result.trial.number, []).append(event.result.epoch)

    found = dressage.search("iris", **ASKED, out=tmp_path / "s", on_event=hear)
    assert all(epochs == sorted(set(epochs)) for epochs in heard.values())
    assert sum(r.epoch for r in found.results) <= 18 * 3 + 9 * 6


def test_stopped_anywhere_it_takes_the_same_course(whole: Search, tmp_path: Path) -> None:
    out = tmp_path / "again"
    for count in (3, 5, 4, 6, 3):
        seen: list[object] = []

        def look(event: object, seen: list[object] = seen, count: int = count) -> None:
            seen.append(event) if isinstance(event, TrialEvent) else None
            if len(seen) == count:
                raise Stopped

        with pytest.raises(Stopped):
            dressage.search("iris", **ASKED, out=out, on_event=look)
        assert load_search(out).status == "interrupted"
    found = go_on(out, jobs=1)
    assert facts(found) == facts(whole) and found.told == whole.told and found.verdict == whole.verdict
    assert facts(load_search(out)) == facts(whole)


def test_what_is_searched_where_nothing_is_asked(tmp_path: Path) -> None:
    def look(event: object) -> None:
        if isinstance(event, StageEvent):
            raise Stopped

    usual = {name: value for name, value in ASKED.items() if name not in ("stages", "sampler")}
    for number, (more, wanted) in enumerate(
        [
            ({}, [(24, 2, 0), (8, 3, 0), (4, 9, 0)]),  # a ninth would be one epoch, of three steps
            ({"trials": 5}, [(5, 2, 0), (2, 3, 0), (1, 9, 0)]),
            ({"epochs": 2, "subset": 60}, [(24, 2, 60), (8, 6, 60), (4, 9, 0)]),
            ({"trials": 1, "epochs": 20}, [(1, 9, 0)] * 3),
            ({"recipe": {"train": {"batch_size": 1, "epochs": 9}}}, [(24, 1, 0), (8, 3, 0), (4, 9, 0)]),
        ]
    ):
        with pytest.raises(Stopped):
            dressage.search("iris", **{**usual, **more}, out=tmp_path / str(number), on_event=look)
        asked = load_search(tmp_path / str(number)).asked
        assert [(stage.trials, stage.epochs, stage.rows) for stage in asked.plan] == wanted
        assert asked.is_joined and asked.sampler == "gp" and asked.halving == "none"
