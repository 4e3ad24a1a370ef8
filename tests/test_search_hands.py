"""Who carries out trials: a thread while processes are not worth their start, then processes; the bits are the same."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import dressage
from dressage.search import Search, hands, workers
from dressage.search import beside as thread
from dressage.search.asked import Asked, Stage, brackets, from_json, shortest_rungs
from dressage.search.beside import Beside
from dressage.search.events import RunningEvent, SearchEvent, ToldEvent
from dressage.search.rungs import Rung
from dressage.search.time_left import TimeLeft
from dressage.search.trial import Trial
from test_search_course import ASKED, Stopped, results, stops_after

SMALL: dict[str, Any] = {**ASKED, "stages": "3x2@60,2x4", "finalists": 1}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """What one process finds."""
    return dressage.search("iris", **SMALL, out=tmp_path_factory.mktemp("hands") / "s")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the processes that are started; two fit the machine."""
    found: list[int] = []
    begin = workers.Processes._started

    def remember(self: workers.Processes) -> workers.Worker:
        worker = begin(self)
        found.append(worker.process.pid)
        return worker

    monkeypatch.setattr(workers.Processes, "_started", remember)
    monkeypatch.setattr(hands, "how_many", lambda bench: 2)
    return found


def test_a_small_search_starts_no_process(alone: Search, started: list[int], tmp_path: Path) -> None:
    found = dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s")
    assert not started and found.told == alone.told
    assert results(found.folder) == results(alone.folder)


def test_processes_take_over_from_the_thread(
    alone: Search, started: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hands, "pay", lambda left, count: left.spent() > 0)
    beside: list[Beside] = []
    begin = Beside.begin
    monkeypatch.setattr(Beside, "begin", lambda self: beside.append(self) or begin(self))
    found = dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s")
    assert len(started) == 2 and len(beside) == 1
    assert results(found.folder) == results(alone.folder) and found.told == alone.told
    assert all(not Path(f"/proc/{pid}").exists() for pid in started)


def test_stopped_beside_it_goes_on_to_the_same_end(alone: Search, started: list[int], tmp_path: Path) -> None:
    """Within a trial: what it has learned is saved, and gone on with."""
    told: list[SearchEvent] = []

    def stop(event: SearchEvent) -> None:
        told.append(event)
        if isinstance(event, RunningEvent) and event.trial.number == 4 and event.epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s", on_event=stop)
    assert not started and dressage.load(tmp_path / "s" / "trials" / "0004").status == "interrupted"
    with pytest.raises(Stopped):
        dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s", on_event=stops_after(1))
    found = dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s")
    assert results(found.folder) == results(alone.folder)


def test_what_a_trial_meets_beside_the_search_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch, started: list[int], tmp_path: Path
) -> None:
    def broken(*given: object) -> None:
        raise LookupError("nobody knows")

    monkeypatch.setattr(thread, "carry_out", broken)
    with pytest.raises(LookupError, match="nobody knows"):
        dressage.search("iris", **{**SMALL, "jobs": 0}, out=tmp_path / "s")


def test_processes_that_do_not_fit_are_not_started(
    started: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hands, "_cores", lambda: 1)
    told: list[str] = []

    def hear(event: SearchEvent) -> None:
        told.extend(event.lines if isinstance(event, ToldEvent) else ())

    dressage.search("iris", **{**SMALL, "jobs": 1000}, out=tmp_path / "s", on_event=hear)
    assert len(started) == 2 and told[0] == "2 processes in place of 1,000: more do not fit this machine"


def test_when_processes_pay() -> None:
    left = TimeLeft()
    times: dict[str, float] = {}
    left.spent, left.seconds = lambda: times["spent"], lambda: times["left"]  # type: ignore[method-assign]
    for spent, rest, wanted in (
        (math.nan, math.nan, False),  # nothing has begun
        (4.0, math.nan, False),
        (6.0, math.nan, True),  # an epoch takes longer than a process to start
        (0.5, 1000.0, False),  # the pace is not known yet
        (2.0, 19.0, False),
        (2.0, 21.0, True),  # two save half of it: more than twice their start
    ):
        times |= {"spent": spent, "left": rest}
        assert hands.pay(left, 2) is wanted
    times |= {"spent": 2.0, "left": 14.0}
    assert hands.pay(left, 4)  # four save three quarters


def asked(**given: Any) -> Asked:
    return Asked(
        "n", "d", "f", "accuracy", False, {}, {}, (), "random", ("24x10", "9x10"), "successive", 3, 3, 0.0, **given
    )


def test_a_rung_of_one_epoch_where_it_has_steps_enough() -> None:
    assert shortest_rungs([Stage(9, 9, 2500), Stage(9, 9, 5000), Stage(9, 9)], 10_000, 100) == (2, 1, 1)
    assert brackets(asked(), 0, 24) == [[Rung(24, 3), Rung(8, 10)]]
    assert brackets(asked(), 1, 9) == [[Rung(9, 3), Rung(3, 10)]]
    early = replace(asked(), stages=("20x18", "9x10"))
    assert brackets(early, 0, 20)[0][-1] == Rung(2, 18), (
        "a search that knows of none goes on by the rungs it began with"
    )
    assert brackets(replace(early, shortest=(2, 2)), 0, 20)[0][-1] == Rung(3, 18)
    assert brackets(asked(shortest=(1, 2)), 0, 24) == [[Rung(24, 1), Rung(8, 3), Rung(3, 10)]]
    assert brackets(asked(shortest=(1, 2)), 1, 9) == [[Rung(9, 3), Rung(3, 10)]]


def test_a_search_of_before_has_its_rungs() -> None:
    now = asked(shortest=(1, 1))
    assert from_json(now.to_json(), "s") == now
    before = {name: value for name, value in now.to_json().items() if name not in ("shortest", "is_joined")}
    assert from_json(before, "s") == asked() and from_json({**before, "is_joined": True}, "s").is_joined
    with pytest.raises(dressage.DressageError, match="shortest"):
        from_json({**now.to_json(), "shortest": [0]}, "s")


def test_a_thread_that_is_not_waited_for_ends_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a step that takes longer than the search waits: nobody hears any more what it says."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(bench: SimpleNamespace, tasks: object, stop: object) -> None:
        inside.set()
        go_on.wait(10)
        bench.tell(RunningEvent(Trial(0, 0, {}, 0, 1)))

    monkeypatch.setattr(thread, "carry_out", slow)
    monkeypatch.setattr(thread, "replace", lambda bench, tell: SimpleNamespace(tell=tell))
    worker = Beside(SimpleNamespace()).begin()  # type: ignore[arg-type]
    worker.say({"tasks": []})
    assert inside.wait(10) and worker._thread is not None
    worker.wish_end()
    worker.end()
    go_on.set()
    worker._thread.join(10)
    assert not worker._thread.is_alive() and isinstance(worker.fault, BrokenPipeError)
