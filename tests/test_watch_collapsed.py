"""A rate that is gone is told where the rate put back makes up for what the network is behind simple models."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import dressage
from dressage.subject import Outcome
from dressage.watch.ending import schedule_collapsed
from dressage.watch.pace import Pace
from dressage.watch.telemetry import KEPT_RATES, Probe, Telemetry

ENDING = sys.modules["dressage.watch.ending"]


@pytest.mark.parametrize(
    ("gained", "behind", "told"),
    [(0.12, 0.0, True), (0.08, 0.14, True), (0.08, 0.0, False), (0.06, 0.1, False), (0.06, 0.3, False)],
)
def test_the_gain_is_large_or_half_of_the_lag(gained: float, behind: float, told: bool, monkeypatch) -> None:
    probes = [Probe(step, rate=0.05 if step < 400 else 5e-6) for step in range(0, 1000, 100)]
    best = SimpleNamespace(score=0.68 + behind, error=0.01)
    case = SimpleNamespace(
        telemetry=Telemetry(step=1000, losses=[2.3], probes=probes),
        baselines=SimpleNamespace(best=best, tells=True),
        tells_by_loss_alone=False,
        lab=lambda start: None,
        replayed=SimpleNamespace(unfold=None),
    )
    reached = Outcome([], 1.1, 0.7, 0.68, 0.68 + gained, 400)
    monkeypatch.setattr(ENDING, "_gone_on", lambda *_: reached)
    found = schedule_collapsed(case)  # type: ignore[arg-type]
    assert [f.id for f in found] == (["optim.schedule_collapsed"] if told else [])
    few = {"replayed": SimpleNamespace(unfold=object()), "nodes": SimpleNamespace(index=None)}  # rows of several inputs
    of_few = SimpleNamespace(**vars(case) | few, subject=SimpleNamespace(validation=None))
    assert schedule_collapsed(of_few) == []  # type: ignore[arg-type]
    of_few.subject.validation = object()
    assert bool(schedule_collapsed(of_few)) == told  # type: ignore[arg-type]
    monkeypatch.setattr(ENDING, "_gone_on", lambda *_: Outcome([], 1.1, math.nan, 0.68, math.nan, 400))
    assert schedule_collapsed(case) == []  # type: ignore[arg-type]


def test_the_rate_is_known_between_probes_that_lie_far_apart(monkeypatch) -> None:
    """On a fast machine a probe is dear beside a step: here there is none after the fifth step."""
    monkeypatch.setattr(Pace, "next_after", lambda pace, step: 10**9)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    watch = dressage.watch(model, optimizer)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.05 * max(0.0, 1 - step / 150)
        optimizer.zero_grad()
        loss = model(torch.randn(8, 4)).square().mean()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.close()
    assert watch.telemetry.probes[-1].step < 100
    known = watch.telemetry.rates
    assert known == sorted(known) and len({step for step, _ in known}) == len(known)
    gone = next(step for step, rate in known if rate < 5e-4)
    assert 150 <= gone < 150 + 2 * 64


def test_rates_that_were_read_take_bounded_memory() -> None:
    seen = Telemetry()
    for seen.step in range(1, 5000):
        seen.add_rate(1.0 / seen.step)
    assert len(seen.rates_read) <= KEPT_RATES and seen.rates[0] == (1, 1.0) and seen.rates[-1][0] > 4980
