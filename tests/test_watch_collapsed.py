"""A rate that is gone is told where the rate put back makes up for what the network is behind simple models."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import pytest

from dressage.subject import Outcome
from dressage.watch.ending import schedule_collapsed

ENDING = sys.modules["dressage.watch.ending"]


@pytest.mark.parametrize(
    ("gained", "behind", "told"),
    [(0.12, 0.0, True), (0.08, 0.14, True), (0.08, 0.0, False), (0.06, 0.1, False), (0.06, 0.3, False)],
)
def test_the_gain_is_large_or_half_of_the_lag(gained: float, behind: float, told: bool, monkeypatch) -> None:
    probes = [SimpleNamespace(step=step, rate=0.05 if step < 400 else 5e-6) for step in range(0, 1000, 100)]
    best = SimpleNamespace(score=0.68 + behind, error=0.01)
    case = SimpleNamespace(
        telemetry=SimpleNamespace(probes=probes, step=1000, first=lambda: 2.3),
        baselines=SimpleNamespace(best=best, tells=True),
        replayed=SimpleNamespace(own_loss=None),
        lab=lambda start: None,
    )
    reached = Outcome([], 1.1, 0.7, 0.68, 0.68 + gained, 400)
    monkeypatch.setattr(ENDING, "_gone_on", lambda *_: reached)
    found = schedule_collapsed(case)  # type: ignore[arg-type]
    assert [f.id for f in found] == (["optim.schedule_collapsed"] if told else [])
    monkeypatch.setattr(ENDING, "_gone_on", lambda *_: Outcome([], 1.1, math.nan, 0.68, math.nan, 400))
    assert schedule_collapsed(case) == []  # type: ignore[arg-type]
