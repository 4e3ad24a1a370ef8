"""Scale, numbers, rows and columns: planted faults are named, healthy twins are not, on real sets."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_faults import found_by, pictures, standard, table, trained_on, warned
from dressage.preflight.data_columns import leaking_column
from dressage.preflight.data_rows import codes_of
from dressage.preflight.data_scale import scale_of
from dressage.preflight.pure_values import told_by_values
from dressage.subject import rows_of


def test_nonfinite_names_rows_and_columns() -> None:
    x, y = table("wine")
    x[7, 3], x[9, 3] = math.nan, math.inf
    (found,) = found_by(trained_on(x, y), "data.nonfinite")
    assert found.severity == "critical"
    assert "rows 7, 9" in found.evidence
    assert "columns 3" in found.evidence
    assert not found_by(trained_on(*table("wine")), "data.nonfinite")
    (target,) = found_by(trained_on(x[:5], torch.tensor([[0.0], [1.5], [math.nan], [2.0], [3.0]])), "data.nonfinite")[
        -1:
    ]
    assert target.where == "training targets"


@pytest.mark.parametrize("seed", [0, 1])
def test_raw_columns_are_named_and_standardised_ones_are_not(seed: int) -> None:
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    x, y = torch.tensor(found.data).float(), torch.tensor(found.target).long()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(x)))
    x, y = x[order], y[order]
    raw = trained_on(x, y, outputs=2)
    assert warned(found_by(raw, "data.unscaled_inputs", "data.all_positive_inputs")) == {"data.unscaled_inputs"}
    normalised = trained_on(x, y, outputs=2)
    normalised.model.insert(1, nn.BatchNorm1d(30))
    normalised.optimizer.add_param_group({"params": normalised.model[1].parameters()})
    assert not warned(found_by(normalised))
    assert not warned(found_by(trained_on(standard(x), y, outputs=2)))


def test_offset_columns_are_named_as_such() -> None:
    x, y = table("breast_cancer")
    assert warned(found_by(trained_on(x + 8, y, outputs=2))) == {"data.all_positive_inputs"}


def test_scale_of_a_table_is_what_numpy_says() -> None:
    x = torch.randn(500, 20) * torch.logspace(-1, 2, 20) + 3
    scale = scale_of(x)
    values = x.double().numpy()
    sizes = np.sqrt(np.square(values).mean(0))
    assert scale is not None
    assert scale.sd == pytest.approx(np.median(values.std(0)), rel=1e-5)
    assert scale.offset == pytest.approx(np.median(np.abs(values.mean(0)) / values.std(0)), rel=1e-5)
    assert scale.ragged == pytest.approx(sizes.max() / np.median(sizes), rel=1e-5)
    assert scale_of(torch.randint(0, 9, (50, 4))) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_far_targets_are_named_and_standardised_ones_are_not(seed: int) -> None:
    x, y = table("diabetes", seed)
    assert warned(found_by(trained_on(x, 152 + 77 * y, outputs=1), "data.target_unscaled")) == {"data.target_unscaled"}
    assert not warned(found_by(trained_on(x, y, outputs=1)))


def test_the_training_is_left_as_it_was() -> None:
    x, y = table("diabetes")
    subject = trained_on(5 * x + 80, 152 + 77 * y, outputs=1, lr=1e-4)
    before = {k: v.clone() for k, v in subject.model.state_dict().items()}
    state = torch.get_rng_state().clone()
    assert found_by(subject)
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert not subject.optimizer.state


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "diabetes"])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_copies_across_the_splits_are_leakage(name: str, noise: float) -> None:
    x, y = table(name)
    cut = len(x) * 3 // 4
    held, count = (x[cut:], y[cut:]), (len(x) - cut) // 4
    random = torch.Generator().manual_seed(0)
    copies = held[0][:count] + noise * x.std(0) * torch.randn(held[0][:count].shape, generator=random)
    leaky = trained_on(torch.cat([x[:cut], copies]), torch.cat([y[:cut], held[1][:count]]), held)
    found = [f for f in found_by(leaky, "data.leakage") if f.is_harmful]
    assert [f.id for f in found] == ["data.leakage"]
    assert found[0].numbers["share"] == pytest.approx(0.25, abs=0.03)
    assert not warned(found_by(trained_on(x[:cut], y[:cut], held), "data.leakage"))


@pytest.mark.parametrize(("columns", "values"), [(4, 3), (8, 2), (12, 2), (2, 20), (1, 50)])
def test_chance_repeats_of_few_values_are_no_copies(columns: int, values: int) -> None:
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, values + 1)
    x = torch.tensor(random.choice(values, (1500, columns), p=shares / shares.sum())).float()
    y = (x.sum(1) > x.sum(1).median()).long()
    subject = trained_on(x[:1000], y[:1000], (x[1000:], y[1000:]))
    assert not found_by(subject, "data.leakage", "data.duplicates")


def test_repeats_made_before_splitting_are_leakage_and_duplicates(shared_data: Path) -> None:
    x, y = pictures(shared_data, "fashion-mnist", 500)
    order = torch.randperm(1500, generator=torch.Generator().manual_seed(0))
    x, y = x.repeat_interleave(3, 0)[order], y.repeat_interleave(3, 0)[order]
    found = found_by(trained_on(x[:1100], y[:1100], (x[1100:], y[1100:])), "data.leakage", "data.duplicates")
    assert warned(found) == {"data.leakage", "data.duplicates"}


def test_equal_rows_have_equal_codes() -> None:
    x = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    codes = codes_of(rows_of((x, torch.arange(4))))
    assert codes[0] == codes[1] == codes[3] != codes[2]


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "iris", "diabetes"])
def test_a_column_that_is_the_target_is_named(name: str) -> None:
    x, y = table(name)
    leaky = torch.cat([x[:, :2], 3 * y.reshape(-1, 1).float() + 1, x[:, 2:]], 1)
    (found,) = found_by(trained_on(leaky, y), "data.leaking_column")
    assert found.id == "data.leakage"
    assert found.where == "column 2"
    assert not found_by(trained_on(x, y), "data.leaking_column")


def test_a_law_of_one_variable_and_a_series_are_no_leakage() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(600, 5, generator=random)
    walk = torch.randn(800, generator=random).cumsum(0).unfold(0, 11, 1)
    for inputs, target in (
        (x, 3 * x[:, :1] + 1),
        (x, 3 * x[:, :1] + 0.1 * x[:, 1:2]),
        (x, (x[:, 0] > 0).long()),
        (walk[:, :10], walk[:, 10:]),
    ):
        assert not found_by(trained_on(inputs, target), "data.leaking_column")


@pytest.mark.parametrize("form", ["one-hot", "a channel"])
def test_a_target_among_the_inputs_is_leakage_in_any_form(form: str) -> None:
    x, y = table("wine")
    generator = torch.Generator().manual_seed(0)
    x = x[:, :4] + torch.randn(len(x), 4, generator=generator)  # what the rest tells is weak
    told = torch.nn.functional.one_hot(y, 3).float() if form == "one-hot" else y.float()[:, None].expand(-1, 4)
    leaky, sound = (torch.cat([x, t], 1) for t in (told, torch.zeros_like(told)))
    shape = (-1, 2, 4) if form == "a channel" else (-1, 7)
    for inputs, found in ((leaky, {"data.leakage"}), (sound, set())):
        subject = trained_on(inputs, y, outputs=3)
        train = rows_of((inputs.reshape(shape), y))
        assert warned(leaking_column(replace(subject, train=train), math.inf)) == found


def test_rows_that_repeat_or_hang_together_do_not_make_a_column_leak() -> None:
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
    y = x[:, :2].sum(1, keepdim=True) + 0.3 * torch.randn(60, 1, generator=torch.Generator().manual_seed(1))
    often = torch.arange(60).repeat_interleave(12)
    visits = torch.cat([x[often], torch.randn(720, 3, generator=torch.Generator().manual_seed(2))], 1)
    for inputs in (x[often], visits):
        assert not leaking_column(trained_on(inputs, y[often]), math.inf)


@pytest.mark.parametrize("its_own", [True, False])
def test_a_mean_of_targets_by_a_key_leaks_where_each_rows_own_target_went_into_it(its_own: bool) -> None:
    x, y = table("breast_cancer")
    keys = np.random.default_rng(0).integers(0, 2500, len(y))
    same = (keys[:, None] == keys).astype(np.float64) - (0 if its_own else np.eye(len(y)))
    means = (same @ y.numpy() + 0.1 * y.float().mean().item()) / (same.sum(1) + 0.1)
    encoded = torch.cat([x[:, :8], torch.from_numpy(means).float()[:, None]], 1)
    found = found_by(trained_on(encoded, y), "data.leaking_column")
    assert [f.where for f in found] == (["column 8"] if its_own else [])


@pytest.mark.parametrize("way", ["plain", "turned", "smoothed", "without its own"])
def test_a_mean_over_a_few_rows_of_a_key_leaks_though_many_of_its_values_are_of_both_classes(way: str) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2400, 6))
    y = (draw.random(2400) < 1 / (1 + np.exp(-2 * x[:, 0] + x[:, 1]))).astype(np.float64)
    keys = draw.integers(0, 1200, 2400)
    sums, counts = np.bincount(keys, y, 1200)[keys], np.bincount(keys, minlength=1200)[keys]
    means = {
        "plain": sums / counts,
        "turned": 1 - 3 * sums / counts,
        "smoothed": (sums + 0.43) / (counts + 1),
        "without its own": (sums - y + 0.5) / counts,
    }[way]
    rows = torch.from_numpy(np.column_stack([x, means])).float()
    found = found_by(trained_on(rows, torch.from_numpy(y).long()), "data.leaking_column")
    assert [f.where for f in found] == ([] if way == "without its own" else ["column 6"])


def test_a_count_that_comes_near_to_certainty_by_degrees_is_no_mean_of_classes() -> None:
    draw = np.random.default_rng(0)
    for steep in (0.6, 1.0, 1.5, 2.5):
        grade = draw.integers(0, 17, 2400)
        labels = (draw.random(2400) < 1 / (1 + np.exp(-steep * (grade - 8)))).astype(np.int64)
        assert told_by_values(grade[:, None].astype(np.float32), labels, 2) is None


def test_values_that_stand_for_a_class() -> None:
    y = np.arange(400) % 2
    answer = np.where(np.arange(400) % 8 == 7, np.random.default_rng(0).normal(size=400), y).astype(np.float32)
    mixed = np.where(np.arange(400) % 50 == 0, 1 - y, y).astype(np.float32)
    one_sided = np.where(y == 1, 1.0, np.arange(400)).astype(np.float32)
    rare = np.arange(400) % 10 == 0
    common = np.where(rare, np.random.default_rng(1).normal(size=400), np.arange(400) % 2).astype(np.float32)
    assert told_by_values(common[:, None], rare.astype(np.int64), 2) is None  # it says nothing of the rare class
    found = told_by_values(np.stack([mixed, one_sided, answer], 1), y, 2)
    assert found is not None
    assert (found[0], int(found[1].sum())) == (2, 350)
    assert told_by_values(np.stack([mixed, one_sided], 1), y, 2) is None
    for name in ("iris", "wine", "digits", "breast_cancer"):  # measured values that repeat are of several classes
        x, labels = table(name)
        assert told_by_values(x.numpy(), labels.numpy(), int(labels.max()) + 1) is None
