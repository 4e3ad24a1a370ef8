"""Ctrl-C within a step that takes long: the first waits for its end and loses nothing, the second gives it up."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dressage
from dressage import stopping
from dressage.errors import Interrupted
from dressage.search import beside, go_on
from dressage.search.events import ToldEvent
from dressage.search.hands import WAITS
from dressage.search.trial import Trial
from dressage.search.work import Task
from dressage.search.workers import Processes
from dressage.stopping import signals
from dressage.store.checkpoint import newest
from same import bits

ASKED: dict[str, Any] = {
    "recipe": {"train": {"batch_size": 16, "checkpoint_seconds": 600, "threads": 1}},
    "space": {"optim.lr": "log:1e-3:1e-1"},
    "stages": "2x2",
    "halving": "none",
    "repeats": 0,
}
SLOW = 12
"""The forward pass, of a training step, that takes long."""
SECONDS = 1.0


class Net(nn.Module):
    """A layer; one of its passes takes so long that somebody asks for the end."""

    passes = 0
    signals: tuple[float, ...] = ()
    """Seconds into that pass at which Ctrl-C is pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            Net.passes += 1
        if self.training and Net.passes == SLOW and Net.signals:
            for after in Net.signals:
                threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:  # as a step is: Python looks for signals between two of its operations
                torch.zeros(1)
        return self.layer(x)


def searched(out: Path, jobs: int, signals: tuple[float, ...], told: list[str]) -> dressage.search:
    """A search that is disturbed by signals."""
    Net.passes, Net.signals = 0, signals

    def hear(event: object) -> None:
        told.extend(event.lines if isinstance(event, ToldEvent) else ())

    return dressage.search("iris", model=Net, **ASKED, jobs=jobs, out=out, on_event=hear)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return facts(searched(tmp_path_factory.mktemp("waits") / "whole", 1, (), []))


def facts(found: Any) -> dict[str, Any]:
    return {r.folder[-4:]: (r.trial, r.score, r.cost, r.curve, bits(Path(r.folder))) for r in found.results}


def test_the_first_waits_and_loses_nothing(
    expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "GRACE", 0.2)
    told: list[str] = []
    with pytest.raises(Interrupted, match="go on with"):
        searched(tmp_path / "s", 1, (0.1,), told)
    assert told == [WAITS], "said once"
    # the first pass of all was for the shape of the outputs
    step, _ = newest(tmp_path / "s" / "trials" / "0000")
    assert step is not None and step >= SLOW - 2 and Net.passes == SLOW, "the step came to its end and was saved"
    passes = Net.passes
    Net.signals = ()
    assert facts(go_on(tmp_path / "s", model=Net, jobs=1)) == expected
    assert passes > 0


def test_the_second_gives_it_up(expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE", 0.2)
    began = time.monotonic()
    with pytest.raises(Interrupted, match="stopped at once"):
        searched(tmp_path / "s", 1, (0.1, 0.4), [])
    assert time.monotonic() - began < 30
    Net.signals = ()
    assert facts(go_on(tmp_path / "s", model=Net, jobs=1)) == expected


@pytest.mark.parametrize("again", [False, True])
def test_a_thread_is_waited_for_until_somebody_asks_once_more(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leaves, said = threading.Event(), threading.Event(), list[str]()

    def slow(bench: object, tasks: object, stop: object) -> None:
        inside.set()
        leaves.wait(20)

    def waits() -> None:
        said.append("waits")
        os.kill(os.getpid(), signal.SIGINT) if again else leaves.set()

    monkeypatch.setattr(beside, "carry_out", slow)
    monkeypatch.setattr(beside, "replace", lambda bench, tell: bench)
    monkeypatch.setattr(stopping, "GRACE", 0.1)
    bench: Any = SimpleNamespace(place=SimpleNamespace(path="s", result=lambda trial: None))
    found = "stopped at once" if again else "the search was stopped"
    began = time.monotonic()
    with pytest.raises(Interrupted, match=found), signals("s", waits=waits) as stop:
        hands = Processes(bench, stop, 2, None, lambda: False)
        threading.Thread(target=lambda: (inside.wait(), os.kill(os.getpid(), signal.SIGINT))).start()
        with hands:
            list(hands.carry([[Task(Trial(0, 0, {}, 0, 1), 1)]], lambda: True))
    assert said == ["waits"] and leaves.is_set() != again and time.monotonic() - began < 15
    leaves.set()
