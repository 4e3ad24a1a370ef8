"""One pass over the rows is told where going on brings much, though as many steps again would not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import dressage


@pytest.mark.parametrize(
    ("passes", "rate", "cause"), [(1, 1e-3, ["optim.too_few_epochs"]), (1, 1e-2, []), (9, 1e-3, [])]
)
def test_one_pass_over_rows_whose_law_takes_several(passes: int, rate: float, cause: list[str]) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(3600, 10, generator=draw)
    y = (
        (x[:, 0] * x[:, 1] > 0) ^ (torch.rand(3600, generator=draw) < 0.05)
    ).long()  # the sign of a product: no simple model's
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), rate), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:3000], y[:3000]), val=(x[3000:], y[3000:]))
    for rows in (rows for _ in range(passes) for rows in torch.randperm(3000).split(20)):
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    found = [f for f in watch.diagnose() if f.is_harmful]
    assert [f.id for f in found] == cause
    assert not found or "1.0 times over its 3000 rows" in found[0].evidence
