"""Inputs that do harm by where they lie are named by that: far to one side of 0, or far from size 1; what follows is a note."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dressage
from dressage.findings import Finding
from dressage.watch.explained import explained


class Recurrent(nn.Module):
    """A GRU and a line."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.line = nn.GRU(1, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(self.rnn(x)[0][:, -1])  # type: ignore[no-any-return]


def waves() -> tuple[Tensor, Tensor]:
    """Slow and fast ones, twelve numbers each."""
    draw = torch.Generator().manual_seed(2)
    y, phase = torch.arange(300) % 2, 6.28 * torch.rand(300, 1, generator=draw)
    x = torch.sin(phase + (0.5 + 1.2 * y[:, None]) * torch.arange(12)) + 0.1 * torch.randn(300, 12, generator=draw)
    return x[..., None], y


@pytest.mark.parametrize(
    ("factor", "offset", "cause"),
    [(1, 40, ["data.all_positive_inputs"]), (300, 0, ["data.unscaled_inputs"]), (1, 0, [])],
)
def test_a_recurrent_network_that_is_given_waves(factor: float, offset: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    (x, y), model, loss_fn = waves(), Recurrent(), nn.CrossEntropyLoss()
    x = factor * x + offset
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    # The most that it may take: what is proven must not hang on how busy the machine is.
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), seconds=60)
    for _ in range(150):
        rows = torch.randint(0, 300, (32,))
        loss = loss_fn(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert [f.id for f in watch.findings if f.is_harmful and not f.is_symptom] == cause, str(watch)


def test_units_at_their_ends_follow_from_inputs_on_one_side() -> None:
    found = [Finding(i, "warning", "", "", "", "") for i in ("data.all_positive_inputs", "model.saturated_activation")]
    assert [f.severity for f in explained(found)] == ["warning", "info"]


def test_one_slow_start_is_not_taken_for_the_pace_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first steps of a copy may take a hundred times as long; the comparison is run all the same."""
    data_scale = sys.modules["dressage.preflight.data_scale"]
    paces, asked = iter([0.5, 0.002]), list[int]()
    monkeypatch.setattr(data_scale, "_pace", lambda lab, deadline: next(paces))
    monkeypatch.setattr(data_scale, "compare", lambda lab, other, steps, **more: asked.append(steps))
    lab: Any = None
    data_scale._compared(lab, lab, math.inf)
    assert asked and asked[0] >= 30
