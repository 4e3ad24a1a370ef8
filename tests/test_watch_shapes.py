"""Outputs and targets of shapes that the simple metrics are not made for: nothing fails, and what can be seen is told."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.watch.telemetry import Telemetry, Validation
from dressage.watch.verdict import _overfitting


def test_classes_as_numbers_are_named_behind_a_flatten_too() -> None:
    x, y = (torch.from_numpy(a).float() for a in load_digits(return_X_y=True))
    x = x / 16
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    watch = dressage.watch(model, optimizer, nn.MSELoss(), train=(x[:1400], y[:1400]), val=(x[1400:], y[1400:]))
    for step in range(200):
        rows = torch.arange(32 * step, 32 * step + 32) % 1400
        optimizer.zero_grad()
        loss = F.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["loss.mse_for_classes"]
    assert not [note for note in watch.notes if "failed" in note]


def test_a_list_of_classes_a_row_fails_no_examination() -> None:
    """Letters that follow: outputs `(N, T, C)`, targets `(N, T)`, which no metric of one answer a row can judge."""
    torch.manual_seed(0)
    x = torch.randint(0, 12, (400, 8))
    y = (x + 1) % 12
    model = nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 12))

    def cost(z: Tensor, t: Tensor) -> Tensor:
        return F.cross_entropy(z.flatten(0, 1), t.flatten())

    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    watch = dressage.watch(model, optimizer, cost, train=(x[:300], y[:300]), val=(x[300:], y[300:]))
    for step in range(120):
        rows = torch.arange(30 * step, 30 * step + 30) % 300
        optimizer.zero_grad()
        loss = cost(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if step % 20 == 19:
            with torch.no_grad():
                watch.validated(loss=cost(model(x[300:]), y[300:]))
    assert not [f for f in watch.diagnose() if f.is_harmful]
    assert not [note for note in watch.notes if "failed" in note]


def test_a_metric_that_the_outputs_have_not_tells_no_direction() -> None:
    """Two heads: the metric cannot be tried on the outputs, so that which way it gets better is read from what is told."""
    told = [Validation(50 * i, 1.0 - 0.05 * i, 0.6 + 0.03 * i, False, 1.0 / i) for i in range(1, 11)]
    case: Any = SimpleNamespace(
        subject=SimpleNamespace(validation=SimpleNamespace(total=500)),
        telemetry=Telemetry(step=500, validations=told),
        now=lambda: (math.nan, math.nan),
        validation_metric=lambda: math.nan,
        naive_loss=lambda: math.nan,
        higher_is_better=False,
    )
    assert _overfitting(case) == []
