"""Rows learned by heart, of which no validation told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import dressage
from dressage.watch.by_heart import _ahead, _behind_simple_models, _beyond_its_best


@pytest.mark.parametrize(("noise", "found"), [(4.0, ["eval.overfit"]), (0.0, [])])
def test_a_linear_model_and_a_shorter_training_tell_of_rows_known_by_heart(noise: float, found: list[str]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 30, generator=generator)
    y = x @ torch.randn(30, 1, generator=generator) / 3 + noise * torch.randn(400, 1, generator=generator)
    y = y / y.std()
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(30, 256), nn.ReLU(), nn.Linear(256, 1))
    model = wide if noise else nn.Linear(30, 1)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=3e-3 if noise else 3e-2), nn.MSELoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:100], y[:100]), val=(x[100:], y[100:]))
    for _ in range(400):
        optimizer.zero_grad()
        loss = loss_fn(model(x[:100]), y[:100])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in _behind_simple_models(watch.case)] == found
    assert [f.id for f in _beyond_its_best(watch.case)] == found
    assert [f.id for f in watch.diagnose() if f.is_harmful] == found, str(watch)


def test_of_several_labels_a_row_decisions_are_compared_and_not_their_raw_outputs() -> None:
    x = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    y = (x[:, :4] > 0).float()
    model = nn.Linear(6, 4)
    with torch.no_grad():
        model.weight.copy_(40 * torch.eye(4, 6))  # right in every label, with outputs of some tens
        model.bias.zero_()
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=1e-3), nn.BCEWithLogitsLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:200], y[:200]), val=(x[200:], y[200:]))
    known, rows = watch.case.baselines, watch.case.subject.validation
    assert known is not None and rows is not None
    said = known.validation_outputs["linear"]
    ahead, error = _ahead(watch.case, rows, known, "linear")
    assert ahead == pytest.approx(((said > 0.5) == (y[200:].numpy() > 0.5)).mean() - 1)
    assert 0 < error < 0.02
