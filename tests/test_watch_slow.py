"""A rate far too low of a network that short trials at any rate teach little: going on at a higher one shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import dressage
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
