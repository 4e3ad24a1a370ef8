"""Data opened once gives the training that it gives by itself; a subset of the training rows holds each class in its share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dressage.data.source import Source
from dressage.data.split import split, subset
from dressage.errors import DataError
from dressage.fit import StepEvent, fit
from dressage.ground import Ground, made_anew, open_ground
from dressage.prepare import Job, prepare
from dressage.recipe import Recipe, as_recipe
from dressage.recipe.schema import Data

ROWS = {"data": {"subset": 300}, "train": {"threads": 1, "epochs": 2, "precision": "float32"}, "seed": 5}


def classified(y: np.ndarray) -> Source:
    codes = torch.as_tensor(y, dtype=torch.int64)
    names = [f"c{i}" for i in range(int(codes.max()) + 1)]
    return Source("s", "array", torch.zeros(len(codes), 1), codes, "classification", "y", names)


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=12), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_subset_holds_each_class_in_its_share_and_is_keyed(counts: list[int], share: float, seed: int) -> None:
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    source, rows = classified(y), torch.arange(len(y))
    most = max(len(counts), round(share * len(y)))
    chosen = subset(source, rows, most, seed)
    assert len(chosen) == min(most, len(y)) and chosen.tolist() == sorted(set(chosen.tolist()))
    held = np.bincount(y[chosen.numpy()], minlength=len(counts))
    assert (held >= 1).all()
    if (np.array(counts) * most / len(y) >= 1).all():
        assert (np.abs(held - np.array(counts) * most / len(y)) <= 1 + 1e-9).all()
    assert torch.equal(chosen, subset(source, rows, most, seed))


def test_subsets_of_one_seed_lie_in_each_other_and_those_of_another_do_not() -> None:
    source = classified(np.repeat(np.arange(4), 500))
    rows = torch.arange(2000)
    small, large = subset(source, rows, 200, 1), subset(source, rows, 800, 1)
    assert set(small.tolist()) < set(large.tolist())
    assert 50 < len(set(small.tolist()) & set(subset(source, rows, 800, 2).tolist())) < 110  # 80 by chance
    assert torch.equal(subset(source, large, 200, 1), small)  # cut twice is cut once


def test_fewer_rows_than_classes_are_refused() -> None:
    source = classified(np.repeat(np.arange(5), 4))
    with pytest.raises(DataError, match=r"5 classes; expected a row of each; raise data\.subset"):
        subset(source, torch.arange(20), 4, 0)


def test_split_takes_the_subset_from_the_training_rows_alone_and_has_a_key_of_its_own() -> None:
    source = classified(np.repeat(np.arange(3), 100))
    whole, cut = split(source, Data(), 3), split(source, Data(subset=60), 3)
    assert torch.equal(cut["validation"], whole["validation"]) and torch.equal(cut["test"], whole["test"])
    assert len(cut["train"]) == 60 and set(cut["train"].tolist()) < set(whole["train"].tolist())
    again = split(source, Data(subset=60, split_seed=3), 17)
    assert all(torch.equal(again[part], rows) for part, rows in cut.items())


def losses(job: Job) -> list[float]:
    torch.set_num_threads(1)
    return [
        float(e.loss)
        for e in fit(job.state, job.batches, job.plan, job.parts["validation"])
        if isinstance(e, StepEvent)
    ]


def test_a_training_on_shared_ground_is_the_one_by_itself() -> None:
    ground = open_ground("digits", None, Recipe(seed=5), None, None, None)
    written = as_recipe(ROWS)
    whole = ground.whole(written)
    assert len(ground.job(written).parts["train"]) == 300 and ground.steps_an_epoch(whole) == -(
        -300 // whole.train.batch_size
    )
    alone = losses(prepare("digits", whole))  # what the run folder of a trial has is enough to repeat it
    assert losses(ground.job(written)) == alone == losses(ground.job(written))
    assert len(ground.fitted) == 1


def test_the_same_split_with_another_seed() -> None:
    ground = open_ground("digits", None, Recipe(seed=5), None, None, None)
    other = as_recipe({**ROWS, "seed": 6, "data": {"subset": 300, "split_seed": 5}})
    job, alone = ground.job(other), prepare("digits", ground.whole(other))
    assert torch.equal(job.parts["train"].rows, alone.parts["train"].rows)
    assert torch.equal(job.parts["train"].rows, ground.job(as_recipe(ROWS)).parts["train"].rows)
    assert losses(job) == losses(alone) != losses(ground.job(as_recipe(ROWS)))


def test_only_two_preprocessed_copies_are_held() -> None:
    ground = open_ground("iris", None, Recipe(), None, None, None)
    for steps in (["standardize"], ["center"], ["quantile"], ["standardize"]):
        ground.job(as_recipe({"data": {"preprocess": steps}}))
        assert len(ground.fitted) <= 2


def test_a_network_of_the_users_own_is_made_anew_for_each() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    first = net[0].weight.clone()
    ground = open_ground("iris", None, Recipe(), None, made_anew(net), None)
    assert isinstance(ground, Ground)
    one, two = ground.job(as_recipe({"train": {"epochs": 1}})), ground.job(as_recipe({"train": {"epochs": 1}}))
    losses(one)
    assert torch.equal(net[0].weight, first) and torch.equal(next(two.state.model.parameters()), first)
