"""What a loop does to its rows before the network gets them, found from one batch and done to any rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dressage.watch.aligned import rows_in, way

PIXELS = torch.randint(0, 256, (400, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()
PIXELS[:300, :, 0, 0] = 0  # a place that is the same in all rows of the training part
CENTRE, SPREAD = torch.tensor([0.4, 0.5, 0.6])[:, None, None], torch.tensor([0.2, 0.3, 0.25])[:, None, None]
COLUMNS = torch.rand(400, 20, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 21)
PREPARED: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
    "divided": (PIXELS, lambda x: x / 255),
    "to -1 ... 1": (PIXELS, lambda x: (x / 255 - 0.5) / 0.5),
    "by channel": (PIXELS, lambda x: (x / 255 - CENTRE) / SPREAD),
    "flattened": (PIXELS, lambda x: x.flatten(1) / 255),
    "channels last": (PIXELS.movedim(1, -1), lambda x: x.movedim(-1, 1)),
    "standardised columns": (COLUMNS, lambda x: (x - COLUMNS.mean(0)) / COLUMNS.std(0)),
    "columns to 0 ... 1": (COLUMNS, lambda x: (x - COLUMNS.amin(0)) / (COLUMNS.amax(0) - COLUMNS.amin(0))),
    "doubled columns": (COLUMNS, lambda x: 2 * x - 1),
}


@pytest.mark.parametrize("name", PREPARED)
def test_the_way_of_a_batch_is_found_exactly(name: str) -> None:
    x, prepare = PREPARED[name]
    found = way(x[:300], prepare(x)[40:72]) if "columns" not in name else way(x, prepare(x)[40:72])
    assert found is not None
    other = x[300:] if "columns" not in name else x[:50]
    assert torch.allclose(found(other), prepare(other), rtol=1e-5, atol=1e-6)


def test_rows_of_another_size_cannot_be_followed() -> None:
    assert way(PIXELS, torch.zeros(8, 5)) is None


def test_rows_of_a_single_number_are_found_again() -> None:
    """Numbers of the nodes of a web, which a network takes as a list."""
    nodes = torch.arange(30).flip(0)
    found = rows_in(nodes, torch.tensor([29, 3, 0]))
    assert found is not None and found.tolist() == [0, 26, 29]
    assert rows_in(nodes, torch.tensor([40])) is None
