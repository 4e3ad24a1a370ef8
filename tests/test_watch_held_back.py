"""What holds a training back whose loss stands still, where no simple model tells how far it could fall."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.subject import Outcome
from dressage.watch.changes import CHANGES
from dressage.watch.scaled import scaled_gradients
from dressage.watch.telemetry import Telemetry
from dressage.watch.tournament import Race, Run

held_back = importlib.import_module("dressage.watch.held_back")
READERS, BOOKS, RATINGS = 120, 80, 6000


class Factors(nn.Module):
    """What a reader gives a book: means and a product of factors."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.book = nn.Embedding(READERS, 4), nn.Embedding(BOOKS, 4)
        self.means = nn.ModuleList([nn.Embedding(READERS, 1), nn.Embedding(BOOKS, 1)])
        for part, sd in ((self.reader, 0.3), (self.book, 0.3), (self.means[0], 0.0), (self.means[1], 0.0)):
            nn.init.normal_(part.weight, 0, sd)  # type: ignore[arg-type]

    def forward(self, pair: Tensor) -> Tensor:
        r, b = pair[:, 0], pair[:, 1]
        means: Tensor = self.means[0](r)[:, 0] + self.means[1](b)[:, 0]
        return (self.reader(r) * self.book(b)).sum(1) + means


def recommended(decay: float) -> list[str]:
    draw = torch.Generator().manual_seed(3)
    taste, style = torch.randn(READERS, 3, generator=draw), torch.randn(BOOKS, 3, generator=draw)
    pairs = torch.randperm(READERS * BOOKS, generator=draw)[:RATINGS]
    ids = torch.stack([pairs // BOOKS, pairs % BOOKS], 1)
    y = 0.6 * (taste[ids[:, 0]] * style[ids[:, 1]]).sum(1) + 0.3 * torch.randn(RATINGS, generator=draw)
    cut = 4800
    torch.manual_seed(0)
    net, loss_fn = Factors(), nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=decay)
    watch = dressage.watch(net, optimizer, loss_fn, train=(ids[:cut], y[:cut]), val=(ids[cut:], y[cut:]), seconds=8)
    for _ in range(20):
        order = torch.randperm(cut)
        for rows in order.split(64):
            optimizer.zero_grad()
            loss = loss_fn(net(ids[rows]), y[rows])
            loss.backward()
            optimizer.step()
            watch.step(loss)
    watch.diagnose()
    return [f.id for f in watch.findings if f.is_harmful]


def test_decay_that_holds_numbers_of_things_back_is_told_by_validation_rows() -> None:
    assert recommended(3e-3) == ["optim.over_regularised"]


def test_a_mild_decay_is_not() -> None:
    assert not recommended(1e-5)


LETTERS = 12


class Speaking(nn.Module):
    """The next letter from all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(LETTERS, 32), nn.Parameter(0.02 * torch.randn(16, 32))
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, LETTERS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(16))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.body(self.letters(x) + self.places, mask=self.mask))


def spoken(rate: float) -> tuple[list[str], list[str]]:
    """Each letter follows from the two before it, mostly; the loss takes all places in one row."""
    draw = torch.Generator().manual_seed(0)
    follows = torch.randint(LETTERS, (LETTERS, LETTERS), generator=draw)
    text = [0, 1]
    for noise in torch.rand(8000, generator=draw).tolist():
        text.append(int(follows[text[-2], text[-1]]) if noise < 0.9 else int(noise * 1000) % LETTERS)
    letters = torch.tensor(text)
    torch.manual_seed(0)
    net = Speaking()
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, seconds=12)
    for _ in range(400):
        at = torch.randint(len(letters) - 17, (32, 1)) + torch.arange(17)
        chunk = letters[at]
        loss = F.cross_entropy(net(chunk[:, :-1]).flatten(0, 1), chunk[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return [f.id for f in watch.findings if f.is_harmful], watch.notes


@pytest.mark.parametrize(("rate", "told"), [(0.1, ["optim.lr_too_high"]), (3e-3, [])])
def test_letters_whose_places_the_loss_takes_in_one_row(rate: float, told: list[str]) -> None:
    found, notes = spoken(rate)
    assert found == told
    assert any("for it stand" in note and "rows of the batches" in note for note in notes)


@pytest.mark.parametrize(
    ("stepped", "told"), [(False, ["optim.exploding_gradients"]), (True, [])], ids=["by the optimiser", "by the scaler"]
)
def test_a_loss_that_is_scaled_and_gradients_that_are_not_brought_back(stepped: bool, told: list[str]) -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 10)
    y = (x[:, 0] * x[:, 1] > 0).long()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=(x, y), seconds=6)
    for _ in range(300):
        rows = torch.randint(600, (32,))
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[rows]), y[rows])
        scaler.scale(loss).backward()
        if stepped:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert [f.id for f in watch.findings if f.is_harmful and not f.is_symptom] == told
    if told:
        assert watch.findings[0].numbers["times"] == pytest.approx(2**12, rel=0.3)


@pytest.mark.parametrize(("metric", "loss", "told"), [(0.65, 0.7, True), (0.58, 0.7, False), (0.65, 0.95, False)])
def test_a_lower_rate_has_to_come_clearly_further(
    metric: float, loss: float, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = next(c for c in CHANGES if c.id == "optim.lr_too_high")
    race = Race(Run(1.0, 0.5, 2.0, False, 200), [(change, Run(loss, metric, 2.0, False, 200))])
    monkeypatch.setattr(held_back, "race", lambda *given, **named: race)
    monkeypatch.setattr(held_back, "actual", lambda case: (1.1, 0.45))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    case: Any = SimpleNamespace(
        baselines=None,
        now=lambda: (1.1, 0.45),
        telemetry=Telemetry(step=300),
        optimizer=optimizer,
        subject=SimpleNamespace(metric=None, train=None),
    )
    assert [f.id for f in held_back._by_steps(case, "it stands")] == ["optim.lr_too_high"] * told


@pytest.mark.parametrize(("without", "as_it_is", "told"), [(0.7, 0.6, True), (0.7, 0.68, False), (0.62, 0.6, False)])
def test_what_is_freed_has_to_do_better_than_what_goes_on_as_it_is(
    without: float, as_it_is: float, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone_on(case: Any, key: str, edit: Any, steps: int) -> Outcome:
        return Outcome([1.0], 1.0, 0.9, 0.6, as_it_is if key == "as it is" else without, steps)

    monkeypatch.setattr(held_back, "gone_on_with", gone_on)
    case: Any = SimpleNamespace(telemetry=Telemetry(step=300))
    assert [f.id for f in held_back._by_regularisation(case, "it stands")] == ["optim.over_regularised"] * told


def test_one_layer_whose_gradients_are_larger_is_no_scaled_loss() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 10)
    y = (x[:, 0] > 0).long()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    for layer in (net[2], net[4]):
        layer.weight.register_hook(lambda gradient: 100 * gradient)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=(x, y))
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[:32]), y[:32])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.case.first is not None
    assert not scaled_gradients(watch.case)
