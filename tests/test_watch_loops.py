"""Faults as they stand in loops of other people: each is named with what mends it, and its repaired twin is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.findings import Finding
from dressage.preflight.padding import padding_first, trailing
from dressage.watch import LoopWatch
from dressage.watch.passes import Passes


def harmful(found: list[Finding]) -> list[str]:
    return [f.id for f in found if f.is_harmful]


def checked(model: nn.Module, loss_fn: nn.Module, x: Tensor, y: Tensor, only: str, rate: float = 3e-3) -> list[Finding]:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    found = dressage.preflight(model, optimizer, loss_fn, train=(x, y), only=(only,), seconds=2)
    return found.findings


class Adversary:
    """One generator and one judge of two numbers, in turns."""

    def __init__(self, mine: bool) -> None:
        torch.manual_seed(0)
        self.maker, self.judge = nn.Linear(4, 2), nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        self.makes = torch.optim.Adam((self.maker if mine else self.judge).parameters(), 1e-2)
        self.judges = torch.optim.Adam(self.judge.parameters(), 1e-2)
        self.watch = dressage.watch(self.maker, self.makes)

    def run(self, steps: int) -> LoopWatch:
        cost, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(32, 1), torch.zeros(32, 1)
        for _ in range(steps):
            true, made = torch.randn(32, 2) + 2, self.maker(torch.randn(32, 4))
            self.judges.zero_grad()
            (cost(self.judge(true), ones) + cost(self.judge(made.detach()), zeros)).backward()
            self.judges.step()
            self.makes.zero_grad()
            loss = cost(self.judge(made), ones)
            loss.backward()
            self.makes.step()
            self.watch.step(loss)
        return self.watch


@pytest.mark.parametrize("mine", [True, False])
def test_an_optimiser_of_another_network(mine: bool) -> None:
    found = Adversary(mine).run(60).diagnose()
    assert harmful(found) == ["optim.frozen_params"] * (not mine)
    assert mine or "none of the 2 parameters" in found[0].evidence


def test_the_rest_of_an_accumulation_is_no_validation() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    passes = Passes(model)
    passes.stand()
    model.train()
    model(torch.ones(2, 3))
    model.eval()
    with torch.no_grad():
        model(torch.zeros(5, 3))
    assert passes.validated(4, model.training) is False
    assert passes.input is not None and passes.input.shape == (5, 3)
    passes.stand()
    model.train()
    with torch.no_grad():
        model(torch.zeros(5, 3))
    assert passes.validated(8, model.training) is True


class Reader(nn.Module):
    """The state of a recurrent layer after the last step, or after the last one that is no padding."""

    def __init__(self, *, rows_first: bool, real: bool = False) -> None:
        super().__init__()
        self.real = real
        self.cells = nn.GRU(3, 24, batch_first=rows_first)
        self.last = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        states = self.cells(x)[0]
        steps = (x != 0).any(2).sum(1) - 1 if self.real else torch.full((len(x),), -1)
        return self.last(states[torch.arange(len(x)), steps])  # type: ignore[no-any-return]


def sequences(real: int, steps: int) -> tuple[Tensor, Tensor]:
    """Whether the first of a few random steps is above zero, padded with zeros."""
    g = torch.Generator().manual_seed(1)
    x = torch.zeros(400, steps, 3)
    x[:, :real] = torch.randn(400, real, 3, generator=g)
    return x, (x[:, 0, 0] > 0).long()


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_recurrent_layer_that_reads_the_batch_as_time(rows_first: bool) -> None:
    torch.manual_seed(0)
    found = checked(Reader(rows_first=rows_first), nn.CrossEntropyLoss(), *sequences(4, 4), "row_leak", 1e-2)
    assert harmful(found) == ["data.leakage"] * (not rows_first)
    assert rows_first or (
        found[0].code == "nn.GRU(..., batch_first=True)" and "batch_first=True a copy" in found[0].evidence
    )


@pytest.mark.parametrize("real", [True, False])
def test_a_state_that_is_read_after_the_padding(real: bool) -> None:
    torch.manual_seed(0)
    found = checked(Reader(rows_first=True, real=real), nn.CrossEntropyLoss(), *sequences(4, 48), "signals", 1e-2)
    assert harmful(found) == ["optim.vanishing_gradients"] * (not real)
    assert real or "44 of 48 steps of padding" in found[0].evidence


def test_padding_is_what_most_rows_end_in() -> None:
    x = torch.tensor([[5, 7, 0, 0], [0, 1, 2, 0], [3, 3, 3, 3]])
    assert trailing(x).tolist() == [2, 1, 0]
    assert padding_first(x, trailing(x)).tolist() == [[0, 0, 5, 7], [0, 0, 1, 2], [3, 3, 3, 3]]


def pictures() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(2)
    y = (F.avg_pool2d(torch.randn(120, 1, 12, 12, generator=g), 3, 1, 1) > 0.15).float()
    return y + 0.5 * torch.randn(y.shape, generator=g), y


@pytest.mark.parametrize("top", [255.0, 1.0])
def test_masks_that_were_read_as_bytes(top: float) -> None:
    torch.manual_seed(0)
    x, y = pictures()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    found = checked(net, nn.BCEWithLogitsLoss(), x, top * y, "heads")
    assert harmful(found) == ["data.target_unscaled"] * (top > 1)
    assert top == 1 or found[0].code == "y = y / 255"


class Cropped(nn.Module):
    """A squashed picture, of which a part is given."""

    def __init__(self, *, squashed: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=2), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
        self.squashed = squashed

    def forward(self, x: Tensor) -> Tensor:
        z = self.body(x)
        return (z.sigmoid() if self.squashed else z)[..., :12, :12]


@pytest.mark.parametrize("squashed", [True, False])
def test_a_sigmoid_before_the_outputs_are_cropped(squashed: bool) -> None:
    torch.manual_seed(0)
    x, _ = pictures()
    x = 2 * (x - x.mean()) / x.std()
    found = checked(Cropped(squashed=squashed), nn.MSELoss(), x, x, "heads", 1e-2)
    assert harmful(found) == ["model.wrong_output_activation"] * squashed
