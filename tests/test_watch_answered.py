"""Targets that are an input of the network: a margin is a way to train, a network that answers with them is a leak."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage


class _Told(nn.Module):
    """Given its labels: to answer with them, or to make them harder to answer."""

    def __init__(self, *, answers: bool) -> None:
        super().__init__()
        self.answers = answers
        self.body = nn.Sequential(nn.Linear(74 if answers else 64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        marks = nn.functional.one_hot(labels, 10).float()
        if self.answers:
            return self.body(torch.cat([x, 2 * marks], 1))
        return self.body(x) - 2 * marks


@pytest.mark.parametrize("answers", [True, False])
def test_labels_that_the_network_is_given(answers: bool) -> None:
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 8 - 1, dtype=torch.float32), torch.tensor(y)
    x = x + 2 * torch.randn_like(x)  # hard to read
    model = _Told(answers=answers)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), 3e-3), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn)
    for _ in range(8):
        for rows in torch.randperm(len(x)).split(32):
            loss = loss_fn(model(x[rows], y[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    told = [f for f in watch.diagnose() if f.id == "data.leakage" and f.is_harmful]
    assert [f.where for f in told] == (["an input of the network"] if answers else [])
