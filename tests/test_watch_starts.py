"""First weights outside of linear layers: tables, bare matrices and gates that begin badly, each beside its healthy twin."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.preflight.gates import gates
from dressage.preflight.matrices import multiplied, spreads_of_matrices, tables


def warned(model: nn.Module, loss_fn: object, x: Tensor, y: Tensor, rate: float = 3e-3) -> list[str]:
    """Harmful findings of the checks of first weights."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    seen = dressage.preflight(model, optimizer, loss_fn, train=(x, y), only=["signals"], seconds=60)  # type: ignore[arg-type]
    return [f"{f.id} {f.where}" for f in seen.findings if f.is_harmful]


def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.from_numpy(x).float() / 16, torch.from_numpy(y).long()


class Products(nn.Module):
    """Pairs of words, and how alike their vectors are."""

    def __init__(self, fill: float | None) -> None:
        super().__init__()
        self.left, self.right = nn.EmbeddingBag(40, 6), nn.Embedding(50, 6)
        for table in (self.left, self.right):
            nn.init.normal_(table.weight, std=0.4) if fill is None else nn.init.constant_(table.weight, fill)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.left(pairs[:, :1]) * self.right(pairs[:, 1])).sum(1)


@pytest.mark.parametrize("fill", [0.5, None])
def test_tables_whose_columns_begin_equal_stay_equal(fill: float | None) -> None:
    draw = torch.Generator().manual_seed(0)
    pairs = torch.stack([torch.randint(n, (900,), generator=draw) for n in (40, 50)], 1)
    a, b = torch.randn(40, 3, generator=draw), torch.randn(50, 3, generator=draw)
    torch.manual_seed(0)
    found = warned(Products(fill), nn.MSELoss(), pairs, (a[pairs[:, 0]] * b[pairs[:, 1]]).sum(1), 3e-2)
    assert found == (["model.symmetric_init left.weight"] if fill else [])


def test_a_table_of_noughts_before_a_layer_that_is_drawn_is_no_fault() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(17, 8), nn.Flatten(), nn.Linear(512, 10))
    nn.init.zeros_(model[0].weight)  # type: ignore[arg-type]
    x, y = digits()
    assert warned(model, nn.CrossEntropyLoss(), (x * 16).long(), y) == []


class Bare(nn.Module):
    def __init__(self, scale: float, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        sizes = pairwise((64, 40, 40, 10))
        self.ws = nn.ParameterList(
            scale / math.sqrt(a) * torch.randn(*((b, a) if turned else (a, b))) for a, b in sizes
        )

    def forward(self, x: Tensor) -> Tensor:
        for w in self.ws[:-1]:
            x = torch.sigmoid((w @ x.mT).mT) if self.turned else torch.relu(x @ w)
        return F.linear(x, self.ws[-1]) if self.turned else x @ self.ws[-1]


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("scale", [15.0, 1.0])
def test_bare_matrices_that_are_drawn_too_large(scale: float, turned: bool) -> None:
    torch.manual_seed(0)
    found = warned(Bare(scale, turned), nn.CrossEntropyLoss(), *digits())
    assert [f.split()[0] for f in found] == (["model.init_too_large"] if scale > 1 else [])


class Tied(nn.Module):
    """Which word comes next; one table at both ends, and places of which nothing is multiplied."""

    def __init__(self, sd: float) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(17, 32), nn.Parameter(torch.randn(16, 32))
        nn.init.normal_(self.table.weight, std=sd)
        self.rnn = nn.GRU(32, 32, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        h = self.rnn(self.table(ids) + 0.1 * self.places)[0]
        return F.linear(h, self.table.weight).movedim(2, 1)


@pytest.mark.parametrize("sd", [4.0, 0.2])
def test_a_table_that_is_the_last_layer_too_may_be_too_large_for_it(sd: float) -> None:
    x, _ = digits()
    ids = (x * 16).long()[:600, :17]
    torch.manual_seed(0)
    found = warned(Tied(sd), nn.CrossEntropyLoss(), ids[:, :-1], ids[:, 1:])
    assert found == (["model.init_too_large table"] if sd > 1 else [])


def test_what_is_multiplied_and_over_how_many_terms() -> None:
    model = Tied(0.2)
    ids = torch.randint(17, (4, 16))
    assert multiplied(model, ids) == {"table.weight": 32} and tables(model) == {"table.weight"}
    with torch.no_grad():
        model.rnn.weight_ih_l0.fill_(0.5)
    assert math.isclose(spreads_of_matrices(model, ids)["rnn.weight_ih_l0"], 0.5 * math.sqrt(32), rel_tol=1e-6)
    assert set(multiplied(Bare(1.0, True), torch.rand(3, 64)).values()) == {64, 40}
    assert set(multiplied(Bare(1.0, False), torch.rand(3, 64)).values()) == {64, 40}


class Reader(nn.Module):
    """Pictures line by line."""

    def __init__(self, cell: type[nn.RNNBase], bias: float) -> None:
        super().__init__()
        self.rnn, self.out = cell(8, 24, batch_first=True), nn.Linear(24, 10)  # type: ignore[call-arg,arg-type]
        if bias:
            nn.init.constant_(self.rnn.bias_ih_l0, bias)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.out(self.rnn(x.view(-1, 8, 8))[0][:, -1])
        return z


@pytest.mark.parametrize("bias", [9.0, 0.0])
def test_gates_that_begin_at_their_ends(bias: float) -> None:
    torch.manual_seed(0)
    found = warned(Reader(nn.GRU, bias), nn.CrossEntropyLoss(), *digits(), rate=2e-3)
    assert [f.split()[0] for f in found] == (["model.saturated_activation"] if bias else [])


def test_a_forget_gate_that_is_open_from_the_first_is_on_purpose() -> None:
    torch.manual_seed(0)
    model = Reader(nn.LSTM, 0.0)
    with torch.no_grad():
        model.rnn.bias_ih_l0[24:48] = 6.0
    assert warned(model, nn.CrossEntropyLoss(), *digits(), rate=1e-2) == []
    assert max(line.saturated for line in gates(model, digits()[0][:32])) < 0.1


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_gates_are_those_of_the_formulas(cell: type[nn.RNNBase]) -> None:
    """Candidate of the first step of a layer on ones: tanh of its part of W x + b, and what a state of nought adds."""
    torch.manual_seed(0)
    layer = cell(3, 5, 2, batch_first=True, bidirectional=True)  # type: ignore[call-arg,arg-type]
    x = torch.ones(2, 1, 3)
    lines = {line.name: line for line in gates(nn.Sequential(layer), x)}
    own = {name: p.detach() for name, p in layer.named_parameters()}
    into, back = own["weight_ih_l0"].sum(1) + own["bias_ih_l0"], own["bias_hh_l0"]
    part = {nn.LSTM: slice(10, 15), nn.GRU: slice(10, 15), nn.RNN: slice(0, 5)}[cell]
    reset = torch.sigmoid(into[:5] + back[:5]) if cell is nn.GRU else torch.ones(5)
    expected = torch.tanh(into[part] + reset * back[part])
    name = "0 state" if cell is nn.RNN else "0 candidate"
    assert math.isclose(lines[name].mean, float(expected.mean()), rel_tol=1e-5)
    assert len(lines) == 2 * {nn.LSTM: 3, nn.GRU: 2, nn.RNN: 1}[cell]
