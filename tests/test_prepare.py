"""Everything before the first step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dressage.errors import DataError, DressageError, RecipeError
from dressage.prepare import prepare
from dressage.recipe import as_recipe


def rows(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(n, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def test_the_same_seed_gives_the_same_network_whatever_was_drawn_before():
    x, y = rows()
    jobs = []
    for i in range(2):
        torch.manual_seed(i)
        jobs.append(prepare(x, as_recipe({"seed": 4}), y=y))
        assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(i).get_state())
    for p, q in zip(jobs[0].state.model.parameters(), jobs[1].state.model.parameters(), strict=True):
        assert torch.equal(p, q)
    other = prepare(x, as_recipe({"seed": 5}), y=y)
    assert not torch.equal(next(jobs[0].state.model.parameters()), next(other.state.model.parameters()))


def test_preprocessing_is_fitted_on_the_training_part_alone():
    x, y = rows()
    job = prepare(x, as_recipe(None), y=y)
    train = job.parts["train"]
    taken = train.x[train.rows].double()
    assert taken.mean(0).abs().max() < 1e-6 and (taken.std(0, correction=0) - 1).abs().max() < 1e-5
    assert job.parts["test"].x[job.parts["test"].rows].mean(0).abs().max() > 1e-3
    together = torch.cat([part.rows for part in job.parts.values()])
    assert sorted(together.tolist()) == list(range(60)), "each row is in one part"


@pytest.mark.parametrize(
    "train", [{"batch_size": 1}, {"batch_size": 4, "accumulate": 4}, {"batch_size": 5, "accumulate": 2}], ids=str
)
@pytest.mark.parametrize("own", [False, True])
def test_batch_norm_of_a_single_row_is_refused_before_anything_runs(train, own):
    x, y = rows()
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)) if own else None
    recipe = {"train": train, "model": {} if own else {"norm": "batch"}}
    if train == {"batch_size": 5, "accumulate": 2}:  # pieces of three and two
        prepare(x, as_recipe(recipe), y=y, model=net)
        return
    with pytest.raises(
        RecipeError, match=r"train\.batch_size: a piece of a batch has a single row; batch norm needs two"
    ):
        prepare(x, as_recipe(recipe), y=y, model=net)


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (nn.Linear(4, 3), r"\(2, 3\).*\(2, 2\)"),
        (nn.Linear(5, 2), "raised RuntimeError"),
        (nn.Flatten(0), "expected"),
    ],
)
def test_an_own_network_that_does_not_fit_the_data_is_refused(net, told):
    x, y = rows()
    with pytest.raises(DressageError, match=told):
        prepare(x, as_recipe(None), y=y, model=net)


def test_a_regression_is_trained_in_units_of_its_spread_and_judged_in_its_own():
    x, _ = rows()
    y = (x[:, 0] * 300 + 5000).astype("float32")
    job = prepare(x, as_recipe({"data": {"task": "regression"}}), y=y)
    train = job.parts["train"]
    scaled = train.targets.double()
    assert abs(float(scaled.mean())) < 1e-4 and abs(float(scaled.std(correction=0)) - 1) < 1e-4
    assert job.plan.unit == pytest.approx(float(np.std(y[train.rows.numpy()].astype(float))), rel=1e-6)


def test_data_that_cannot_be_learned_from_is_refused():
    x, _ = rows()
    with pytest.raises(DataError):
        prepare(x, as_recipe(None), y=np.zeros(60, int))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused():
    x, y = rows()
    with pytest.raises(RecipeError, match=r"train\.device: cuda:1 given; no CUDA device is there"):
        prepare(x, as_recipe({"train": {"device": "cuda:1"}}), y=y)


def test_a_network_larger_than_memory_is_refused_before_it_is_built():
    x, y = rows()
    with pytest.raises(RecipeError, match=r"model: 167,\d+,\d+,\d+ parameters, which take .* to train"):
        prepare(x, as_recipe({"model": {"width": 65536, "depth": 40}}), y=y)
