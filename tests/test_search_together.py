"""Trials that are trained as one computation come to what they come to alone, and their folders hold the same."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dressage
from dressage.errors import Interrupted
from dressage.fit.population import Member, Pace, measure
from dressage.search import Search, go_on, groups
from dressage.search.events import RunningEvent, ToldEvent, TrialEvent
from dressage.search.folder import SearchFolder
from dressage.store.folder import RunFolder
from dressage.store.reader import read_history
from test_population import member, parts, written
from test_search_kills import everything

SPACE = {
    "optim.lr": "log:1e-4:30",
    "regularize.weight_decay": "log:1e-4:1",
    "regularize.dropout": "uniform:0:0.4",
    "optim.name": "choice:momentum:adamw",
}
ASKED: dict[str, Any] = {
    "recipe": {"model": {"width": 16, "depth": 1}, "train": {"batch_size": 16}},
    "space": SPACE,
    "stages": "10x3@80,4x4",
    "finalists": 1,
    "repeats": 2,
}
FAST, SLOW = Pace(1e-5, {2: 6e-6, 4: 4e-6, 8: 2e-6}), Pace(1e-5, {2: 1.2e-5})


def searched(out: Path, pace: Pace, monkeypatch: pytest.MonkeyPatch, jobs: int = 1, **more: Any) -> Search:
    """A search on iris on a machine of such a pace."""
    monkeypatch.setattr(groups, "pace_of", lambda members, most: pace)
    monkeypatch.setattr(groups, "SHORT", 0)
    return dressage.search("iris", **ASKED, out=out, jobs=jobs, **more)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Each trial by itself."""
    with pytest.MonkeyPatch.context() as patch:
        return searched(tmp_path_factory.mktemp("alone") / "search", SLOW, patch)


def assert_same(found: Search, alone: Search) -> None:
    """The same trials, scores within rounding, the same winners; folders that hold the same steps."""
    assert found.best is not None and alone.best is not None and found.best.trial == alone.best.trial
    assert [r.trial for r in found.results] == [r.trial for r in alone.results]
    assert {n: [r.trial for r in rs] for n, rs in found.repeats.items()} == {
        n: [r.trial for r in rs] for n, rs in alone.repeats.items()
    }
    for a, b in zip(found.results, alone.results, strict=True):
        assert (a.state, a.epoch, a.reason[:20]) == (b.state, b.epoch, b.reason[:20])
        assert a.score == pytest.approx(b.score, abs=1e-6, nan_ok=True)
        assert a.cost == pytest.approx(b.cost, rel=1e-3, nan_ok=True)
        assert [m.epoch for m in a.curve] == [m.epoch for m in b.curve]
        if a.counts:
            mine, other = read_history(Path(a.folder)), read_history(Path(b.folder))
            assert np.array_equal(mine.steps, other.steps) and len(mine.epochs) == len(other.epochs)
            np.testing.assert_allclose(mine.columns["loss"], other.columns["loss"], rtol=1e-3, atol=1e-5)
            np.testing.assert_allclose(mine.columns["lr"], other.columns["lr"], rtol=1e-6)
            assert (
                RunFolder.open(Path(a.folder)).status()["status"] == RunFolder.open(Path(b.folder)).status()["status"]
            )


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_with_populations_agrees_with_one_without(
    jobs: int, alone: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def hear(event: object) -> None:
        told.extend(event.lines if isinstance(event, ToldEvent) else [])

    found = searched(tmp_path / "search", FAST, monkeypatch, jobs, on_event=hear)
    assert_same(found, alone)
    assert any("trainings as one computation" in line for line in told)
    assert any(r.state == "stopped" for r in found.results), "the test has a trial that is stopped"
    run = dressage.load(next(r.folder for r in found.results if r.counts))
    assert len(run.predict(np.zeros((2, 4), dtype=np.float32)).labels) == 2


def test_one_that_is_stopped_within_goes_on(alone: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody breaks off between two results; what was carried out stands, and the rest is gone on with."""

    class Broken(Exception):
        pass

    def hear(event: object) -> None:
        if isinstance(event, TrialEvent) and event.done == 3:
            raise Broken

    with pytest.raises(Broken):
        searched(tmp_path / "search", FAST, monkeypatch, on_event=hear)
    kept = SearchFolder.open(tmp_path / "search")
    assert kept.standing().status == "interrupted"
    assert_same(go_on(tmp_path / "search", jobs=1), alone)


def sized(monkeypatch: pytest.MonkeyPatch, dropouts: tuple[float, ...]) -> tuple[int, list[str]]:
    """What `_size` makes of trainings with layer norm that differ in dropout, and what it tells."""
    of, told = parts(), list[str]()
    bench = SimpleNamespace(
        asked=SimpleNamespace(form={"train.threads": 1}, budget=0), tell=lambda e: told.extend(e.lines)
    )
    tasks = [SimpleNamespace(trial=SimpleNamespace(seed=i), epoch=4) for i in range(len(dropouts))]

    def made(_: object, task: Any) -> Member:
        dropout = {"dropout": dropouts[task.trial.seed]}
        return member(written(model={"norm": "layer"}, regularize=dropout, seed=task.trial.seed), of)

    monkeypatch.setattr(groups, "member_of", made)
    monkeypatch.setattr(groups, "SHORT", 0)
    return groups._size(bench, tasks, 1), told  # type: ignore[arg-type]


def test_only_those_of_one_kin_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "pace_of", measure)
    size, told = sized(monkeypatch, (0.2, 0.0, 0.2, 0.3))
    assert size in (1, 2, 4) and "measured here" in told[0]


def test_what_cannot_be_measured_is_trained_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(members: object, most: int) -> Pace:
        raise RuntimeError("not implemented for Half\nmore")

    monkeypatch.setattr(groups, "pace_of", failing)
    assert sized(monkeypatch, (0.2, 0.2)) == (1, ["each training alone: not implemented for Half"])


def test_where_it_is_no_faster_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    searched(
        tmp_path / "search",
        SLOW,
        monkeypatch,
        on_event=lambda e: told.extend(e.lines if isinstance(e, ToldEvent) else []),
    )
    assert any("each training alone" in line for line in told)


def test_ctrl_c_within_a_population_loses_nothing(
    alone: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def hear(event: object) -> None:
        if isinstance(event, RunningEvent) and event.epoch == 1 and not asked:
            asked.append(event)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        searched(tmp_path / "search", FAST, monkeypatch, on_event=hear)
    saved = [p for p in (tmp_path / "search" / "trials").iterdir() if (p / "checkpoints").is_dir()]
    assert len(saved) > 1, "all members of the population have a checkpoint"
    assert_same(go_on(tmp_path / "search", jobs=1), alone)


def test_stopped_or_not_and_by_one_process_or_two_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another company the last bits of a trial differ, so the groups of a batch are formed once and kept."""
    asked = {**ASKED, "space": {**SPACE, "optim.lr": "log:1e-4:1e-2"}, "stages": "9x4@80,4x4"}
    monkeypatch.setitem(globals(), "ASKED", asked)
    expected = everything(searched(tmp_path / "search", FAST, monkeypatch).folder)
    two = searched(tmp_path / "two" / "search", FAST, monkeypatch, jobs=2)
    assert everything(two.folder) == expected
    out, hits = tmp_path / "stopped" / "search", 0
    for epoch, done in ((2, 0), (1, 1), (3, 2)):

        def hear(event: object, epoch: int = epoch, done: int = done) -> None:
            if (
                isinstance(event, RunningEvent)
                and event.epoch == epoch
                and len(list(out.glob("trials/*/result.json"))) >= done
            ):
                os.kill(os.getpid(), signal.SIGINT)

        with suppress(Interrupted):
            searched(out, FAST, monkeypatch, on_event=hear)
            break
        hits += 1
    assert hits >= 2
    assert everything(searched(out, FAST, monkeypatch).folder) == expected


@pytest.mark.parametrize(("norm", "line"), [("layer", "trainings as one computation"), ("batch", "keeps statistics")])
def test_other_networks_go_together_or_it_says_why_not(
    norm: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {**ASKED, "stages": "4x2@80", "repeats": 2}
    short["recipe"] = {**ASKED["recipe"], "model": {"width": 16, "depth": 1, "norm": norm}}
    short["space"] = {"optim.lr": "log:1e-3:0.1", "regularize.dropout": "uniform:0.1:0.4"}
    monkeypatch.setattr(groups, "SHORT", 0)
    found: list[Search] = []
    told: list[str] = []
    for pace in (FAST, SLOW):
        monkeypatch.setattr(groups, "pace_of", lambda members, most, pace=pace: pace)
        hear = (lambda e: told.extend(e.lines if isinstance(e, ToldEvent) else [])) if pace is FAST else None
        found.append(dressage.search("iris", **short, out=tmp_path / str(len(found)), jobs=1, on_event=hear))
    assert any(line in each for each in told)
    for a, b in zip(found[0].results, found[1].results, strict=True):
        assert a.cost == pytest.approx(b.cost, rel=1e-3)
