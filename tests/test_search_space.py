"""Ranges, spaces and samplers: each formula against NumPy, each wrong range answered in three parts."""

from __future__ import annotations

import math
import sys
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dressage.errors import DressageError, RecipeError
from dressage.recipe import Recipe, to_toml
from dressage.remedies import edited
from dressage.search import as_space, choice, default_space, integer, log, sample, uniform
from dressage.search.edits import as_edit, point_of
from dressage.search.samplers import grid_counts
from dressage.search.space import hyper_parameters, texts_of

WIDE = [
    "optim.lr=log:1e-5:1e-1",
    "regularize.weight_decay=log:1e-6:1",
    "model.width=integer:16:256:log",
    "model.depth=integer:1:4",
    "regularize.dropout=uniform:0:0.5",
    "model.activation=choice:relu:tanh:elu(alpha=0.5)",
    "optim.name=choice:adamw:momentum:sam(rho=0.1)",
    "optim.momentum=uniform:0.5:0.99 if optim.name=momentum",
    "optim.name.sam.rho=log:0.01:0.5",
    "augment=choice:none:horizontal_flip,random_crop(padding=4)",
]


@pytest.mark.parametrize("unit", [0.0, 0.1, 0.5, 0.9, 1 - 2**-53])
def test_values_are_those_of_the_formulas(unit: float) -> None:
    assert log(1e-5, 1e-1).at(unit) == pytest.approx(1e-5 * np.power(1e4, unit), rel=1e-13)
    assert uniform(0.2, 0.7).at(unit) == pytest.approx(0.2 + 0.5 * unit, rel=1e-13)
    assert integer(3, 7).at(unit) == 3 + math.floor(5 * unit)
    assert choice("a", "b", "c").at(unit) == "abc"[math.floor(3 * unit)]
    ends = np.log([15.5, 256.5])
    assert integer(16, 256, log=True).at(unit) == np.clip(np.rint(np.exp(ends[0] + unit * np.diff(ends)[0])), 16, 256)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.sampled_from(WIDE))
def test_unit_undoes_at(unit: float, text: str) -> None:
    range_ = as_space(WIDE)[text.partition("=")[0]]
    value = range_.at(unit)
    again = range_.at(range_.unit(value))
    assert again == (pytest.approx(value) if isinstance(value, float) else value)


def test_whole_numbers_and_choices_have_equal_shares() -> None:
    units = (np.arange(6000) + 0.5) / 6000
    for range_, values in ((integer(1, 6), 6), (choice("a", "b", "c"), 3)):
        _, counts = np.unique([range_.at(u) for u in units], return_counts=True)
        assert (counts == 6000 // values).all()


def test_text_is_read_back_exactly() -> None:
    space = as_space(WIDE)
    assert as_space(texts_of(space)) == space
    third = as_space({"optim.lr": log(1e-5 / 3, 0.1 / 3)})
    assert as_space(texts_of(third)) == third
    assert as_space({"optim.lr": "log:1e-5:1e-1", "model.width": integer(8, 16)})["optim.lr"] == log(1e-5, 1e-1)


WRONG = [
    ("optim.lrr=log:1e-5:1", "did you mean 'optim.lr'"),
    ("learning_rate=log:1e-5:1", "did you mean 'optim.lr'"),
    ("optim.rate=log:1e-5:1", "did you mean 'optim.lr'"),
    ("model.layers=integer:1:4", "did you mean 'model.depth'"),
    ("regularize.l2=log:1e-5:1", "did you mean 'regularize.weight_decay'"),
    ("optim.lr=log:1:1", "the range is empty"),
    ("optim.lr=log:1:0.1", "the range is inverted"),
    ("optim.lr=log:0:0.1", "numbers above 0 only"),
    ("optim.lr=log:nan:1", "two finite numbers"),
    ("optim.lr=log:1e-5:inf", "two finite numbers"),
    ("optim.lr=lgo:1:2", "did you mean 'log'"),
    ("optim.lr=log:1", "expected its two ends"),
    ("optim.lr=log:a:b", "expected a number"),
    ("optim.lr", "expected PATH=RANGE"),
    ("=log:1:2", "expected PATH=RANGE"),
    ("optim.lr=integer:1:4", "expected log, uniform or choice"),
    ("seed=integer:1:5", "is not searched"),
    ("train.epochs=integer:1:5", "is in the recipe, but is not searched; (known: "),
    ("model.width=uniform:1:4", "expected integer or choice"),
    ("model.width=integer:1.5:4", "whole numbers"),
    ("model.width=integer:0:4", "greater than or equal to 1"),
    ("model.width=choice:8:x", "a whole number"),
    ("model.activation=choice:relu:tanhh", "did you mean 'tanh'"),
    ("model.activation=log:1:2", "expected choice"),
    ("model.activation=choice:relu", "at least two values"),
    ("model.activation=choice:relu:relu", "all different"),
    ("regularize.dropout=uniform:0:1.5", "less than 1"),
    ("optim.name.sam.rh=log:1:2", "did you mean 'rho'"),
    ("optim.name.samm.rho=log:1:2", "did you mean 'sam'"),
    ("optim.momentum=uniform:0:0.9 if optim.name=momentum", "a choice that is searched"),
    ("optim.momentum=uniform:0:0.9 if optim.name", "expected if PATH=VALUE"),
    ("augment=choice:none:horizontal_flipp", "did you mean 'horizontal_flip'"),
    ("optim.lr=" + "9" * 3000, "no such range"),
    ("optim.\x1b[31mlr=log:1:2", "\\x1b"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_wrong_ranges_are_answered(text: str, told: str) -> None:
    with pytest.raises(RecipeError) as error:
        as_space(text)
    message = str(error.value)
    assert told in message and message.count(";") >= 2 and message.startswith("space") and message.isprintable()


def test_all_errors_come_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        as_space(["optim.lrr=log:1e-5:1", "model.width=integer:9:4", "optim.lr=log:1e-3:1", "optim.lr=log:1e-3:1"])
    assert len(str(error.value).splitlines()) == 3
    for nothing in ([], {}):
        with pytest.raises(RecipeError, match="0 settings given"):
            as_space(nothing)
    with pytest.raises(RecipeError, match="101 settings given"):
        as_space([f"optim.{'x' * i}=log:1:2" for i in range(101)])
    twisted = ["optim.momentum=uniform:0.5:0.9 if optim.name=adam", "optim.name=choice:adamw:momentum"]
    with pytest.raises(RecipeError, match="stands before it"):
        as_space(twisted)
    with pytest.raises(RecipeError, match="never adam"):
        as_space(twisted[::-1])
    with pytest.raises(RecipeError, match="never sam"):
        as_space(["optim.name=choice:adamw:momentum", "optim.name.sam.rho=log:0.01:1"])


def test_what_may_be_searched() -> None:
    known = hyper_parameters()
    assert {"optim.lr", "regularize.weight_decay", "model.width", "augment", "train.batch_size"} <= set(known)
    assert not {"seed", "data.target", "data.validation", "train.epochs", "train.device", "evaluate.views"} & set(known)


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_points_are_recipes_and_come_back(sampler: str) -> None:
    space, recipe = as_space(WIDE), Recipe()
    points = sample(space, sampler, 40, seed=3, stage=1)
    assert points[:7] == sample(space, sampler, 7, seed=3, stage=1)
    assert points != sample(space, sampler, 40, seed=4, stage=1) != sample(space, sampler, 40, seed=3, stage=2)
    for point in points:
        edit = as_edit(recipe, point)
        assert point_of(space, edit) == point
        changed = edited(recipe, edit)
        assert Recipe.model_validate(tomllib.loads(to_toml(changed))) == changed
        assert ("optim.momentum" in point) == (point["optim.name"] == "momentum")
        assert ("optim.name.sam.rho" in point) == str(point["optim.name"]).startswith("sam")
        if "optim.name.sam.rho" in point:
            assert changed.optim.name == f"sam(rho={point['optim.name.sam.rho']!r})"
    assert {point["optim.name"] for point in points} == {"adamw", "momentum", "sam(rho=0.1)"}


def test_option_of_a_technique_that_is_not_there() -> None:
    space = as_space("average.ema.decay=uniform:0.9:0.999")
    point = sample(space, "random", 1, 0)[0]
    averaged = edited(Recipe(), {"average": "ema(decay=0.5)"})
    assert as_edit(averaged, point) == {"average": f"ema(decay={point['average.ema.decay']!r})"}
    with pytest.raises(RecipeError, match="average is none; expected ema"):
        as_edit(Recipe(), point)
    crop = as_space("augment.random_crop.padding=integer:1:8")
    edit = as_edit(
        edited(Recipe(), {"augment": ["horizontal_flip", "random_crop(padding=4)"]}), {"augment.random_crop.padding": 7}
    )
    assert edit == {"augment": ["horizontal_flip", "random_crop(padding=7)"]}
    assert point_of(crop, edit) == {"augment.random_crop.padding": 7}


def test_random_points_are_even_and_independent() -> None:
    space = as_space(["optim.lr=log:1e-5:1e-1", "regularize.weight_decay=log:1e-6:1"])
    units = np.array([[space[p].unit(v) for p, v in point.items()] for point in sample(space, "random", 4000, 0)])
    counts = np.histogram2d(*units.T, bins=8)[0]
    chi2 = float(((counts - 62.5) ** 2 / 62.5).sum())
    assert 35 < chi2 < 104  # 63 degrees of freedom: 0.1 % at either end


def test_sobol_points_are_more_even_than_random_ones() -> None:
    space = as_space(["optim.lr=log:1e-5:1e-1", "regularize.weight_decay=log:1e-6:1"])
    for seed in range(3):
        units = np.array([[space[p].unit(v) for p, v in point.items()] for point in sample(space, "sobol", 64, seed)])
        for axis in units.T:  # a (0, 6, 2)-net: one point in each of 64 equal stretches of each axis
            assert (np.histogram(axis, bins=64, range=(0, 1))[0] == 1).all()
        assert (np.histogram2d(*units.T, bins=8, range=[(0, 1)] * 2)[0] == 1).all()


def test_grid_is_even_on_the_scale() -> None:
    space = as_space(["optim.lr=log:1e-5:1e-1", "regularize.weight_decay=log:1e-6:1"])
    points = sample(space, "grid", 9, seed=0)
    rates = 1e-5 * 1e4 ** ((np.arange(3) + 0.5) / 3)
    decays = 1e-6 * 1e6 ** ((np.arange(3) + 0.5) / 3)
    wanted = [(rate, decay) for rate in rates for decay in decays]
    np.testing.assert_allclose([list(point.values()) for point in points], wanted, rtol=1e-12)
    assert grid_counts(space, 14) == {"optim.lr": 4, "regularize.weight_decay": 3}
    assert len(sample(as_space(["model.depth=integer:1:3"]), "grid", 50, 0)) == 3
    conditional = as_space(
        ["optim.name=choice:adamw:momentum", "optim.momentum=uniform:0.5:0.9 if optim.name=momentum"]
    )
    assert len(sample(conditional, "grid", 6, 0)) == 4
    with pytest.raises(RecipeError, match="2 trials for 3 combinations"):
        sample(as_space("model.activation=choice:relu:tanh:elu"), "grid", 2, 0)


@pytest.mark.parametrize(
    ("sampler", "n", "told"), [("random", 0, "0 given"), ("sobol", -3, "-3 given"), ("rnadom", 3, "random")]
)
def test_wrong_sampling_is_answered(sampler: str, n: int, told: str) -> None:
    with pytest.raises(DressageError, match=told):
        sample(as_space("optim.lr=log:1e-5:1e-1"), sampler, n, 0)


def test_default_space_is_around_the_preset() -> None:
    space = default_space(
        edited(Recipe(), {"optim.lr": 2e-3, "regularize.weight_decay": 0.5, "regularize.dropout": 0.4})
    )
    assert list(space) == ["optim.lr", "regularize.weight_decay", "regularize.dropout"]
    assert space["optim.lr"].low < 2e-3 < space["optim.lr"].high and as_space(texts_of(space)) == space
    assert list(default_space(Recipe())) == ["optim.lr", "regularize.weight_decay"]


MIXED = [
    "optim.lr=log:1e-5:1e-1",
    "optim.name=choice:adamw:momentum",
    "optim.momentum=uniform:0.5:0.9 if optim.name=momentum",
]


def test_optuna_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dressage.integrations.needed.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "optuna", raising=False)
    with pytest.raises(DressageError, match=r"pip install 'dressage\[optuna\]'"):
        sample(as_space(MIXED), "optuna", 3, 0)


def test_optuna_proposes_the_same_for_the_same_results() -> None:
    pytest.importorskip("optuna")
    space = as_space(MIXED)
    first = sample(space, "optuna", 12, seed=1)
    told = [(point, -abs(math.log10(float(point["optim.lr"])) + 3)) for point in first]
    later = sample(space, "optuna", 12, seed=1, stage=1, told=told)
    assert later == sample(space, "optuna", 12, seed=1, stage=1, told=told)  # whatever was asked before
    assert all(("optim.momentum" in point) == (point["optim.name"] == "momentum") for point in later)
    off = [abs(math.log10(float(point["optim.lr"])) + 3) for point in later]
    assert np.median(off) < np.median([-score for _, score in told])
    assert sample(space, "optuna", 2, seed=1, told=[(told[0][0], None), ({"optim.lr": 5.0}, 1.0)])
