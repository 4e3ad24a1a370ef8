"""Networks that answer for all nodes of a graph at once, of which the loss takes some; and sparse inputs, which end no loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.watch.nodes import nodes_among

NODES, CLASSES = 400, 8


def graph() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, a sparse matrix of neighbours mostly of one class, classes, and whose class is known."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(CLASSES, (NODES,), generator=draw)
    x = torch.randn(NODES, 16, generator=draw)
    x[torch.arange(NODES), y] += 1
    ends = torch.randint(NODES, (2, 3000), generator=draw)
    ends = ends[:, (y[ends[0]] == y[ends[1]]) | (torch.rand(3000, generator=draw) < 0.1)]
    ends = torch.cat([ends, ends.flip(0), torch.arange(NODES).repeat(2, 1)], 1)
    a = torch.sparse_coo_tensor(ends, torch.full((ends.shape[1],), 0.1), (NODES, NODES), check_invariants=True)
    return x, a.coalesce(), y, torch.rand(NODES, generator=draw) < 0.5


class Convolved(nn.Module):
    """Two graph convolutions; what they give is classes, in a mapping where that is asked for."""

    def __init__(self, width: int, named: str = "") -> None:
        super().__init__()
        self.first, self.second, self.named = nn.Linear(16, width), nn.Linear(width, CLASSES), named

    def forward(self, x: Tensor, a: Tensor) -> Any:
        h = torch.sparse.mm(a, self.second(torch.sparse.mm(a, self.first(x)).tanh()))
        return {"hidden": x, self.named: h} if self.named else h


def trained(
    rate: float = 5e-2, *, width: int = 16, known: Tensor | None = None, named: str = "", sparse: bool = False
) -> Any:
    torch.manual_seed(0)
    x, a, y, mask = graph()
    mask = mask if known is None else known
    x = x.to_sparse() if sparse else x
    net = Convolved(width, named)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, seconds=6)
    for _ in range(200):
        optimizer.zero_grad()
        outputs = net(x, a)[named] if named else net(x, a)
        loss = F.cross_entropy(outputs[mask], y[mask])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert loss.item() < 5  # the loop came to its end
    return watch


def harmful(watch: Any) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful]


@pytest.mark.parametrize("named", ["", "classes"])
def test_nodes_that_the_loss_takes_are_rows_of_a_copy(named: str) -> None:
    assert harmful(trained(1e-5, named=named)) == ["optim.lr_too_low"]
    assert not harmful(trained(named=named))


def test_of_rates_that_do_as_well_the_nearest_is_told() -> None:
    (finding,) = (f for f in trained(1e-5).findings if f.is_harmful)
    assert 1e-3 <= float(str(finding.edit["optim.lr"])) <= 0.1


def test_few_units_on_the_way_to_the_classes_of_nodes() -> None:
    assert harmful(trained(width=1)) == ["model.bottleneck"]


def test_other_nodes_in_each_step_are_not_taken_for_the_data() -> None:
    torch.manual_seed(0)
    x, a, y, _ = graph()
    net = Convolved(16)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    watch = dressage.watch(net, optimizer, seconds=6)
    for _ in range(60):
        rows = torch.randperm(NODES)[:100]
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x, a)[rows], y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert not harmful(watch)
    assert not any("for it stand" in note and "rows of the batches" in note for note in watch.notes)


def test_which_rows_of_an_output_the_loss_was_given() -> None:
    output = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    chosen = torch.tensor([7, 3, 41])
    for values in (output, output[:, 0]):  # of classes, and of one number a node
        found = nodes_among(values, values[chosen])
        assert found is not None and found.tolist() == chosen.tolist()
    assert nodes_among(output, output[chosen] + 1e-3) is None
    assert nodes_among(output, output) is None
    assert nodes_among(output.zero_(), output[chosen]) is None  # any of them


def test_of_two_rows_that_are_alike_each_is_taken_once() -> None:
    output = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    output[31] = output[4]
    chosen = torch.arange(3, 40)
    found = nodes_among(output, output[chosen])
    assert found is not None and found.tolist() == chosen.tolist()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_sparse_input_ends_neither_loop_nor_watch(sparse: bool) -> None:
    watch = trained(known=torch.ones(NODES, dtype=torch.bool), sparse=sparse)
    assert not harmful(watch)
    assert not any("watched no longer" in note or "missing" in note for note in watch.notes)
