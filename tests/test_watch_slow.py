"""What only the end shows: a rate far too low where short trials teach little at any rate, shut units of a narrow layer."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import dressage
from dressage.findings import Finding
from dressage.watch.case import ALL_SUSPECTS
from dressage.watch.ending import too_slow
from dressage.watch.tournament import race

ROWS, KNOWN = 1200, 900


class Bag(nn.Module):
    """The mean of word vectors, and a line."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.line = nn.Embedding(1020, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(self.words(x).mean(1))


def texts() -> tuple[Tensor, Tensor]:
    """Of three topics; four words of twelve are of the topic's own forty."""
    draw = torch.Generator().manual_seed(5)
    y, x = torch.randint(0, 3, (ROWS,), generator=draw), torch.randint(0, 900, (ROWS, 12), generator=draw)
    x[:, :4] = 900 + 40 * y[:, None] + torch.randint(0, 40, (ROWS, 4), generator=draw)
    return x, y


@pytest.mark.parametrize("learnable", [True, False])
def test_going_on_at_a_higher_rate_learns_what_as_it_is_is_not_learned(learnable: bool) -> None:
    torch.manual_seed(0)
    x, y = texts()
    y = y if learnable else y[torch.randperm(ROWS, generator=torch.Generator().manual_seed(6))]
    model, loss_fn = Bag(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:KNOWN], y[:KNOWN]), val=(x[KNOWN:], y[KNOWN:]))
    for _ in range(300):
        rows = torch.randint(0, KNOWN, (16,))
        loss = loss_fn(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    case = watch.case
    tried = race(case, 100)
    assert tried is not None
    little = [(change, run) for change, run in tried.tried if change.name == "a rate 1000 times higher"]
    case.memory[ALL_SUSPECTS] = replace(tried, tried=little)
    found = too_slow(case)
    assert [f.id for f in found] == ["optim.lr_too_low"] * learnable
    assert not learnable or (found[0].code == "lr=1" and found[0].numbers["after"] > 0.5)


def test_shut_units_of_a_layer_that_is_too_narrow_are_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    ending = sys.modules["dressage.watch.ending"]
    shut = Finding("model.dead_relu", "warning", "1", "", "", "", numbers={"mended": 0.7})
    narrow = Finding("model.bottleneck", "warning", "2", "", "", "")
    monkeypatch.setattr(ending, "shut_units", lambda case, go_on: [shut])
    for wide, told in ((0.9, narrow), (0.72, shut)):
        monkeypatch.setattr(ending, "bottleneck", lambda case, metric, wide=wide: [narrow] * (wide > metric + 0.05))
        assert ending._shut_or_small(None) == [told]
