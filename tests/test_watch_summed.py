"""A sum over rows whose steps become too large only later is named, though the first steps did well with it."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.findings import Finding


class RowByRow(nn.Module):
    """Reads a digit from above to below."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(8, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[1][-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("reduction", "rises", "cause"),
    [("sum", True, "loss.sum_reduction"), ("sum", False, "eval.underfit"), ("mean", True, None)],
)
def test_a_sum_by_which_the_loss_rises(
    reduction: str, rises: bool, cause: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short copies of the start do well with the sum: that the loss has risen, and falls by the mean, is what tells."""
    rising = [Finding("sym.loss_increasing", "info", "loss", "it rose", "", "")] if rises else []
    monkeypatch.setattr(import_module("dressage.watch.summed"), "symptoms", lambda telemetry: rising)
    torch.manual_seed(0)
    x, y = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
    x = (x.float().reshape(-1, 8, 8) - 4.9) / 6.0
    model, loss_fn = RowByRow(), nn.CrossEntropyLoss(reduction=reduction)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    watch = dressage.watch(model, optimizer, loss_fn, seconds=60)
    for _ in range(8):
        for rows in torch.randperm(len(x)).split(20):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    watch.diagnose()
    harmful = [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]
    assert harmful[:1] == ([cause] if cause else []), str(watch)
