"""Categories as learned vectors: the places of their columns, the formula, and whole runs on a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import dressage
from command import call
from dressage.data.preprocess.encode import Block, Encoding, blocks_of
from dressage.errors import RecipeError
from dressage.models.embedded import Embedded, width_of

QUICK = {"train": {"epochs": 3, "refit": False}, "watch": {"diagnose": False}}
STEPS = ["standardize", "embedding(dim=4)"]


@pytest.fixture(scope="module")
def sales() -> pa.Table:
    """What sells depends on the town, the kind and the size; towns are missing here and there."""
    rng = np.random.default_rng(0)
    town, kind, size = rng.integers(0, 12, 600), rng.integers(0, 2, 600), rng.normal(0, 1, 600)
    sold = rng.normal(0, 1, 12)[town] + 0.5 * size + kind - 0.5 > 0
    towns = [None if i % 40 == 0 else f"town {t:02}" for i, t in enumerate(town)]
    kinds = [("flat", "house")[k] for k in kind]
    return pa.table({"town": towns, "size": size, "kind": kinds, "sold": [("no", "yes")[int(s)] for s in sold]})


def test_the_columns_of_a_category_are_one_block() -> None:
    encodings = [
        Encoding("size", "number", missing=True),
        Encoding("town", "category", levels=("a", "b", "c"), other=True, missing=True),
        Encoding("kind", "category", levels=("x", "y")),
        Encoding("street", "category", levels=tuple(map(str, range(120)))),
    ]
    features = 1 + 1 + 5 + 2 + 120  # two numbers would be three: a projection may leave any number of them
    assert blocks_of(encodings, features, 0) == [Block(2, 5, 3), Block(9, 120, 50)]
    assert blocks_of(encodings, features + 4, 7) == [Block(6, 5, 7), Block(13, 120, 7)]
    assert width_of(blocks_of(encodings, features, 0), features) == 2 + 2 + 3 + 50


def test_a_row_gets_the_vectors_of_its_words() -> None:
    model = Embedded([Block(1, 3, 2), Block(5, 4, 3)], 10, nn.Identity()).double()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 10))
    words, others = np.array([0, 2, 1, 1, -1, 2]), np.array([3, -1, 0, 0, 2, 1])
    x[:, 1:4], x[:, 5:9] = np.arange(3) == words[:, None], np.arange(4) == others[:, None]
    first, second = (table.weight.detach().numpy() for table in model.tables)
    wanted = [
        np.concatenate([row[[0, 4, 9]], first[w] if w >= 0 else np.zeros(2), second[o] if o >= 0 else np.zeros(3)])
        for row, w, o in zip(x, words, others, strict=True)
    ]
    assert np.allclose(model(torch.from_numpy(x)).detach().numpy(), wanted, rtol=1e-12)
    model(torch.from_numpy(x)).sum().backward()
    seen = np.bincount(words[words >= 0], minlength=3)
    assert np.allclose(model.tables[0].weight.grad.numpy(), seen[:, None] * np.ones(2))


def test_a_whole_run_learns_vectors_and_keeps_them(sales: pa.Table, tmp_path: Path) -> None:
    recipe = {**QUICK, "data": {"target": "sold", "preprocess": STEPS}, "train": {"epochs": 20, "refit": False}}
    run = dressage.train(sales, recipe=recipe, out=tmp_path / "run")
    (table,) = run.model.tables
    assert (
        table.weight.shape == (13, 4) and run.model.network[0].in_features == 1 + 2 + 4
    )  # towns and missing; size; kind
    assert not table.weight.equal(dressage.prepare(sales, recipe).state.model.tables[0].weight)
    assert run.metrics["accuracy"] > 0.75
    again = dressage.load(tmp_path / "run").evaluate(sales)
    assert again["metrics"]["accuracy"]["value"] > 0.8
    told = dressage.load(run.folder).predict(pa.table({"town": ["Atlantis"], "size": [0.0], "kind": ["flat"]}))
    assert told.probabilities is not None and bool(told.probabilities.isfinite().all())
    assert any("Atlantis" in note for note in told.notes)
    assert dressage.reproduce(run.folder, sales).first_difference is None


def test_with_a_network_of_ones_own_and_with_all_rows(sales: pa.Table, tmp_path: Path) -> None:
    """The network is told how wide its rows are; the second training has tables of its own."""

    def network(shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(shape[0], 8), nn.Tanh(), nn.Linear(8, outputs))

    recipe = {**QUICK, "data": {"target": "sold", "preprocess": STEPS}}
    run = dressage.train(sales, recipe=recipe, model=network, out=tmp_path / "own")
    assert dressage.load(run.folder, model=network).predict(sales).labels == run.predict(sales).labels
    both = dressage.train(sales, recipe={**recipe, "train": {"epochs": 3}}, out=tmp_path / "both")
    assert both.refit and len(both.predict(sales).labels) == len(sales)


def test_what_it_is_not_for(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="embedding is not for array"):
        dressage.train("digits", recipe={"data": {"preprocess": ["embedding"]}}, out=tmp_path / "run")
    wrong = call("recipe", "show", "iris", "--data.preprocess", "embedding(dim=-1)")
    assert wrong.code == 2 and "embedding.dim: -1 given" in wrong.err
