"""What a person sees while a search runs: a table on a terminal, lines elsewhere, and the time left."""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dressage.cli.output import Output
from dressage.cli.search_progress import SearchProgress, left_words
from dressage.search.asked import Asked, Stage, planned
from dressage.search.events import KnownEvent, PlanEvent, RunningEvent, StageEvent, ToldEvent, TrialEvent
from dressage.search.time_left import TimeLeft
from dressage.search.trial import Moment, Result, Trial
from dressage.search.work import Task
from dressage.search.workers import Processes, Worker

PLAN = PlanEvent([300.0, 100.0, 60.0], rows=10, budget=0.0)


def trial(number: int, epochs: int = 5) -> Trial:
    return Trial(number, 0, {"optim.lr": 10.0**-number, "model.activation": "relu"}, 0, epochs)


def done(number: int, epoch: int = 5, score: float = 0.5) -> Result:
    return Result(trial(number), "done", epoch, score, 1 - score, (Moment(epoch, 1.0, 1 - score, score),), 2.0)


def told() -> Iterator[object]:
    yield PLAN
    yield StageEvent(0, Stage(6, 5), 6, ["optim.lr=log:1e-06:1"])
    yield KnownEvent([done(0, score=0.25)], 6)
    yield RunningEvent(trial(1))
    yield RunningEvent(trial(2))
    yield RunningEvent(trial(1), 3, 0.75)
    yield TrialEvent(done(2, score=0.875), 2, 6)
    yield RunningEvent(trial(3), 1, math.nan)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_table_shows_the_best_and_the_running_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in {"TERM": "xterm", "COLUMNS": "110"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("dressage.cli.search_progress.REFRESH", 0.0)
    with SearchProgress(Output()) as progress:
        for event in told():
            progress(event)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
        last = shown[shown.rindex("trial") :].splitlines()
        progress(ToldEvent(["optim.lr: narrowed"]))
    assert "stage 1 of 2: 6 trials of 5 epochs: 2 of 6" in shown and "1 of 6 trials were carried out before" in shown
    rows = [line.split() for line in last if line.strip()]
    assert rows[0] == ["trial", "lr", "activation", "score", "cost", "epoch"]
    assert rows[1] == ["2", "0.01", "relu", "0.875", "0.125", "5/5"] and rows[2][0] == "0"
    assert rows[3] == ["1", "0.1", "relu", "running", "0.75", "3/5"] and rows[4] == [
        "3",
        "0.001",
        "relu",
        "running",
        "1/5",
    ]
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is shown again


def test_elsewhere_there_is_a_line_a_trial(capsys: pytest.CaptureFixture[str]) -> None:
    with SearchProgress(Output()) as progress:
        for event in [*told(), ToldEvent(["optim.lr: narrowed"])]:
            progress(event)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("stage 1 of 2") and lines[1] == "  optim.lr=log:1e-06:1"
    assert lines[2] == "1 of 6 trials were carried out before"
    said = r" +2/6  trial 2 +optim.lr 0.01 +model.activation relu +score 0.875 +cost 0.125 +done after 5 epochs"
    assert re.match(said, lines[3])
    assert lines[4:] == ["optim.lr: narrowed"]


def test_lines_of_trials_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lost = Result(trial(3), "stopped", 0, math.nan, math.nan, (), 0.0, "its cost grows")
    with SearchProgress(Output()) as progress:
        for number, result in enumerate((done(2, score=0.875), done(10, 1, score=1.0), lost)):
            progress(TrialEvent(result, number + 1, 3))
    lines = capsys.readouterr().err.splitlines()
    assert len({re.search("(done|stopped) after", line).start() for line in lines}) == 1, lines
    assert "after 1 epoch " in lines[1]


def test_time_left_follows_the_pace() -> None:
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    left.take(PLAN)
    left.take(StageEvent(0, Stage(6, 5), 6))
    assert math.isnan(left.seconds()) and left_words(left.seconds()) == ""
    now[0] = 140.0  # the workers started
    left.take(KnownEvent([done(0)], 6))
    left.take(RunningEvent(trial(1)))
    now[0] = 150.0
    left.take(RunningEvent(trial(1), 2))  # 20 samples in 10 seconds; 50 were known
    assert left.seconds() == pytest.approx((460 - 50 - 20) * 10 / 20)
    now[0] = 160.0
    left.take(TrialEvent(done(1, 5), 2, 6))
    assert left.seconds() == pytest.approx((460 - 100) * 20 / 50)
    left.take(StageEvent(1, Stage(2, 5), 2))  # what was saved by trials that stopped early is gained here
    assert left.seconds() == pytest.approx(160 * 20 / 50) and left_words(left.seconds()) == "1:04 left"
    left.take(StageEvent(2, None, 6))
    assert left.seconds() == pytest.approx(60 * 20 / 50)


def test_trials_that_end_early_leave_no_time_at_the_end() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.take(PlanEvent([100.0, 0.0], rows=10, budget=0.0))
    left.take(StageEvent(0, Stage(2, 5), 2))
    for n in range(2):
        now[0] += 10.0
        left.take(TrialEvent(done(n, 3), n + 1, 2))  # of five epochs: patience ended it
        assert left.seconds() == pytest.approx((50.0 if n == 0 else 0.0) * 10 / 30)


def test_time_left_is_not_beyond_the_budget_and_needs_no_word_from_within() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.take(PlanEvent([1000.0, 0.0], rows=10, budget=30.0))
    left.take(StageEvent(0, Stage(20, 5), 20))
    now[0] = 10.0
    left.take(TrialEvent(done(0), 1, 20))
    assert left.seconds() == pytest.approx(20.0)
    now[0] = 50.0
    assert left.seconds() == 0.0


@pytest.mark.parametrize(
    ("halving", "stages", "wanted"),
    [
        ("none", ("6x5@4", "2x10"), [6 * 5 * 4, 2 * 10 * 10, 2 * 3 * 10 * 10]),
        ("none", ("6x5@400", "4x10"), [6 * 5 * 10, 4 * 10 * 10, 3 * 3 * 10 * 10]),
        ("successive", ("9x18", "1x1"), [(9 * 2 + 3 * 4 + 3 * 12) * 10, 10, 1 * 3 * 10]),
    ],
)
def test_what_is_planned_by_hand(halving: str, stages: tuple[str, ...], wanted: list[float]) -> None:
    asked = Asked("n", "d", "f", "accuracy", False, {}, {}, (), "random", stages, halving, 3, 3, 0.0, shortest=(2, 2))  # type: ignore[arg-type]
    assert planned(asked, 10) == wanted


def test_lines_of_a_worker_may_come_in_pieces_and_several_at_once() -> None:
    heard: list[object] = []
    read, write = os.pipe()
    bench = SimpleNamespace(tell=heard.append, place=SimpleNamespace(result=lambda t: done(t.number)))
    hands = Processes(bench, None, 1, None)  # type: ignore[arg-type]
    process = SimpleNamespace(stdout=SimpleNamespace(fileno=lambda: read))
    worker = Worker(process, io.BytesIO(), [Task(trial(1), 5), Task(trial(2), 5)])  # type: ignore[arg-type]
    lines = ({"running": 2, "epoch": 1, "cost": 0.5}, {"running": 1, "epoch": 2, "cost": math.nan}, {"done": True})
    said = b"".join(json.dumps({**line, "score": 0.5}).encode() + b"\n" for line in lines)
    for piece in (said[:17], said[17:60], said[60:]):
        os.write(write, piece)
        results = list(hands._answer(worker, deque()))
    os.close(read)
    os.close(write)
    assert [(e.trial.number, e.epoch) for e in heard if isinstance(e, RunningEvent)] == [(2, 1), (1, 2)]
    assert [r.trial.number for r in results] == [1, 2] and worker.group is None and worker.half == b""
