"""Every row lands in one part; classes, groups and time are respected; the same seed gives the same parts."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dressage.data.describe import describe
from dressage.data.source import PARTS, Source
from dressage.data.split import allot, deal_counts, keyed_order, split
from dressage.data.tables import open_table
from dressage.errors import DataError
from dressage.recipe.schema import Data


def classified(y: list[int] | np.ndarray, **more: Any) -> Source:
    codes = torch.as_tensor(np.asarray(y), dtype=torch.int64)
    names = [f"c{i}" for i in range(int(codes.max()) + 1)]
    return Source("s", "array", torch.zeros(len(codes), 1), codes, "classification", "y", names, **more)


def measured(n: int, **more: Any) -> Source:
    return Source("s", "array", torch.zeros(n, 1), torch.arange(n, dtype=torch.float32), "regression", "y", **more)


def whole(parts: dict[str, torch.Tensor], n: int) -> bool:
    return sorted(torch.cat(list(parts.values())).tolist()) == list(range(n)) and all(len(r) for r in parts.values())


SHARES = st.tuples(st.floats(0.01, 0.45), st.floats(0.01, 0.45), st.sampled_from([0.0, 0.1, 0.3]))


@settings(max_examples=150, deadline=None)
@given(counts=st.lists(st.integers(2, 60), min_size=2, max_size=12), shares=SHARES, seed=st.integers(0, 2**63 - 1))
def test_stratified(counts: list[int], shares: tuple[float, float, float], seed: int) -> None:
    n = sum(counts)
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    section = Data(validation=shares[0], test=shares[1], train_dev=shares[2])
    assume(n >= len(counts) + 3)
    parts = split(classified(y), section, seed)
    rest = 1 - shares[0] - shares[1]
    exact = {"train": rest * (1 - shares[2]), "train_dev": rest * shares[2], "validation": shares[0], "test": shares[1]}
    assert whole(parts, n)
    for part, rows in parts.items():
        held = np.bincount(y[rows.numpy()], minlength=len(counts))
        for count, of in zip(held, counts, strict=True):
            if part == "train":
                assert count >= 1
                assert count <= of * exact[part] + 1 + 1e-6
            elif of * min(share for share in exact.values() if share) >= 1:
                assert abs(count - of * exact[part]) <= 1 + 1e-6


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(30, 300), min_size=2, max_size=20), shares=SHARES)
def test_sizes_are_exact_when_no_class_is_small(counts: list[int], shares: tuple[float, float, float]) -> None:
    dealt = [1 - 0.3, 0.15, 0.15]
    table = deal_counts(np.array(counts), dealt)
    assert table.sum(0).tolist() == allot(sum(counts), dealt) and table.sum(1).tolist() == counts
    assert np.abs(table - np.outer(counts, dealt)).max() <= 1 + 1e-9


def test_every_class_in_every_part_where_it_can_be() -> None:
    y = np.repeat(np.arange(4), [3, 2, 3, 50])
    parts = split(classified(y), Data(), 0)
    for part, rows in parts.items():
        present = set(y[rows.numpy()])
        assert {0, 2, 3} <= present if part != "train" else present == {0, 1, 2, 3}


@settings(max_examples=80, deadline=None)
@given(
    groups=st.lists(st.integers(0, 15), min_size=12, max_size=120).filter(lambda g: len(set(g)) >= 4),
    classes=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_grouped(groups: list[int], classes: int, seed: int) -> None:
    y = [g % classes for g in groups]
    group = torch.tensor(groups)
    source = (
        classified([*y], group=group)
        if classes > 1 and min(np.bincount(y)) > 1 and len(set(y)) > 1
        else measured(len(y), group=group)
    )
    parts = split(source, Data(group="g", train_dev=0.2), seed)
    assert whole(parts, len(y)) and set(parts) == set(PARTS)
    sets = [set(group[rows].tolist()) for rows in parts.values()]
    assert sum(map(len, sets)) == len(set(groups))
    if source.task == "classification" and len(set(groups)) >= 4 + classes:
        assert set(source.y[parts["train"]].tolist()) == set(y)


def test_groups_that_a_given_part_tears_apart_are_warned_of() -> None:
    part = {4: "test", 21: "test", 22: "test", 30: "validation"}
    rows = [f"{i * 0.5},{i // 4},{part.get(i, 'train')},{i % 2}" for i in range(40)]
    table = pyarrow.csv.read_csv(io.BytesIO("\n".join(["x,site,split,y", *rows]).encode()))
    section = Data(group="site", target="y")
    source = open_table(table, section)
    told = [row.what for row in describe(source, split(source, section, 0)) if row.section == "warning"]
    assert told == [
        "1 group of 'site' has rows in train and in validation, so the score on validation may be too good: "
        "e.g. row 28 and row 30",
        "2 groups of 'site' have rows in train and in test, so the score on test may be too good: e.g. row 5 and row 4",
        "no row of class '1' in validation",
    ]
    whole = open_table(table.drop_columns("split"), section)
    assert not [row for row in describe(whole, split(whole, section, 0)) if row.section == "warning"]


def test_a_class_of_few_groups_is_learned() -> None:
    group = np.repeat(np.arange(14), [10] * 10 + [5] * 4)
    y = (group >= 12).astype(int) * (np.arange(len(group)) % 5 == 0)
    for seed in range(20):
        parts = split(classified(y, group=torch.from_numpy(group)), Data(group="g", test=0.3, validation=0.3), seed)
        assert y[parts["train"].numpy()].sum() > 0


def test_groups_keep_classes_and_sizes_in_proportion() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 200, 3000)
    y = (group % 5 == 0).astype(int)
    parts = split(classified(y, group=torch.from_numpy(group)), Data(group="g"), 1)
    for part, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        assert abs(len(parts[part]) / 3000 - share) < 0.02
        assert abs(y[parts[part].numpy()].mean() - y.mean()) < 0.03


def test_many_groups_are_dealt_quickly() -> None:
    group = torch.arange(30_000) // 1
    parts = split(measured(30_000, group=group), Data(group="g"), 1)
    assert abs(len(parts["test"]) - 4500) < 50


@settings(max_examples=80, deadline=None)
@given(times=st.lists(st.integers(0, 30), min_size=8, max_size=80), dev=st.sampled_from([0.0, 0.2]))
def test_by_time(times: list[int], dev: float) -> None:
    time = torch.tensor(times, dtype=torch.float64)
    parts = split(measured(len(times), time=time), Data(time="t", train_dev=dev), 3)
    assert whole(parts, len(times))
    names = [part for part in PARTS if part in parts]
    for before, after in pairwise(names):
        assert time[parts[before]].max() <= time[parts[after]].min()


def test_equal_times_stay_together() -> None:
    time = torch.arange(100, dtype=torch.float64) // 10
    parts = split(measured(100, time=time), Data(time="t"), 0)
    assert not set(time[parts["train"]].tolist()) & set(time[parts["test"]].tolist())
    assert [len(parts[p]) for p in ("train", "validation", "test")] in ([70, 20, 10], [70, 10, 20])


def test_given_parts_are_kept() -> None:
    y = np.arange(100) % 2
    test = torch.arange(80, 100)
    parts = split(
        classified(y, given={"train": torch.arange(80), "test": test}), Data(validation=0.25, train_dev=0.1), 0
    )
    assert torch.equal(parts["test"], test) and len(parts["validation"]) == 20 and len(parts["train_dev"]) == 6
    assert whole(parts, 100)
    only = split(classified(y, given={"test": test}), Data(), 0)
    assert torch.equal(only["test"], test) and whole(only, 100)
    full = {"train": torch.arange(60), "validation": torch.arange(60, 80), "test": test}
    assert all(torch.equal(rows, full[part]) for part, rows in split(classified(y, given=full), Data(), 0).items())


def test_the_seed_is_the_only_key() -> None:
    source = classified(np.arange(500) % 3)
    before = torch.get_rng_state()
    state = np.random.get_state()[1].copy()
    first, again, other = (split(source, Data(), seed) for seed in (7, 7, 8))
    assert all(torch.equal(first[p], again[p]) for p in first) and not torch.equal(first["test"], other["test"])
    assert torch.equal(before, torch.get_rng_state()) and (state == np.random.get_state()[1]).all()
    torch.manual_seed(123)
    assert torch.equal(split(source, Data(), 7)["train"], first["train"])
    torch.set_rng_state(before)


def test_the_order_is_even() -> None:
    assert keyed_order(np.arange(8), 0).tolist() == [6, 2, 7, 4, 5, 1, 3, 0], (
        "a seed gives the same parts in every version"
    )
    hits = np.zeros(50)
    for seed in range(2000):
        hits[keyed_order(np.arange(50), seed)[:10]] += 1
    assert abs(hits / 2000 - 0.2).max() < 0.04, "each row is first-ten in a fifth of all seeds (sd 0.009)"


def test_sorted_labels_do_not_leave_a_class_out() -> None:
    parts = split(classified(np.repeat(np.arange(10), 20)), Data(), 0)
    assert all(len(set((rows // 20).tolist())) == 10 for rows in parts.values())


def test_parts_that_are_not_wanted() -> None:
    assert set(split(measured(10), Data(validation=0, test=0), 0)) == {"train"}
    assert set(split(measured(10), Data(validation=0.1, test=0), 0)) == {"train", "validation"}


@pytest.mark.parametrize(
    ("source", "section", "said"),
    [
        (classified([0, 0, 0, 1]), Data(), "class 'c1' has one row only"),
        (classified([1, 1, 1, 1]), Data(), "one class only"),
        (measured(2), Data(), "2 rows to cut 3 parts"),
        (measured(20), Data(validation=0.5, test=0.5), "leave nothing to train on"),
        (measured(20, group=torch.arange(20) % 2), Data(group="g"), "2 groups for 3 parts"),
        (
            measured(20, given={"train": torch.arange(15), "test": torch.arange(10, 20)}),
            Data(),
            "in two of the given parts",
        ),
    ],
)
def test_what_cannot_be_cut_is_said(source: Source, section: Data, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        split(source, section, 0)
    assert str(caught.value).count("; ") == 2
