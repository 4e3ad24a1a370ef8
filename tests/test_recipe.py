"""The recipe: reading, overriding, writing, and every error at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dressage.errors import RecipeError, UsageError
from dressage.recipe import Recipe, as_recipe, load_recipe, to_toml


def test_an_override_lies_over_the_file_and_only_given_fields_are_set(tmp_path):
    (tmp_path / "r.toml").write_text("seed = 3\n[optim]\nlr = 0.1\nname = 'sgd'\n")
    recipe = load_recipe(tmp_path / "r.toml", {"optim": {"lr": "1e-3"}})
    assert (recipe.seed, recipe.optim.lr, recipe.optim.name) == (3, 1e-3, "sgd")
    assert recipe.optim.model_fields_set == {"lr", "name"}


def test_all_errors_come_at_once_each_with_its_path_and_nearest_spelling():
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, {"optim": {"lrr": 1, "lr": -1}, "trian": {}, "train": {"epochs": "many"}})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert any("optim.lrr" in line and "did you mean 'lr'?" in line for line in lines)
    assert any("trian" in line and "did you mean 'train'?" in line for line in lines)
    assert any("optim.lr:" in line and "greater than or equal to 0" in line for line in lines)
    assert any("train.epochs" in line and "'many' given" in line for line in lines)


def test_group_and_time_exclude_each_other_and_are_told_with_the_other_errors():
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, {"data": {"time": "when", "group": "site", "test": 2}})
    time, test = sorted(str(caught.value).splitlines(), reverse=True)
    assert time == "recipe: data.time: 'when' given; expected no data.group beside it; take one of them out"
    assert "data.test" in test
    assert load_recipe(None, {"data": {"time": "", "group": "site"}}).data.group == "site"


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), "fast", -1e-3])
def test_a_rate_must_be_a_finite_number_that_is_not_negative(value):
    with pytest.raises(RecipeError, match=r"optim\.lr"):
        load_recipe(None, {"optim": {"lr": value}})


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 3000 + "]" * 3000,
        "seed = " + "9" * 5000,
        "x" * (2 << 20),
        "seed = = 1",
        "a" + ".a" * 3000 + " = 1",
    ],
)
def test_hostile_files_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "r.toml")
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 1000


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_recipe(tmp_path / "none.toml")


def test_a_list_may_be_written_as_one_text():
    recipe = load_recipe(None, {"augment": "horizontal_flip, random_crop(padding=4,fill=0)"})
    assert recipe.augment == ["horizontal_flip", "random_crop(padding=4,fill=0)"]


@given(lr=st.floats(0, 1e6), seed=st.integers(0, 2**63 - 1), target=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_is_read_back_equal(tmp_path_factory, lr, seed, target):
    recipe = Recipe.model_validate(
        {"seed": seed, "optim": {"lr": lr}, "data": {"target": target}, "augment": ["mixup(alpha=0.2)"]}
    )
    file = tmp_path_factory.mktemp("toml") / "recipe.toml"
    file.write_text(to_toml(recipe, {"optim.lr": "why\nnot # \x00"}), encoding="utf-8", newline="")
    assert load_recipe(file) == recipe


def test_what_is_written_otherwise_in_python_is_told():
    with pytest.raises(RecipeError, match=r"expected \{'train': \{'epochs': …\}\}"):
        as_recipe({"train.epochs": 2})
    with pytest.raises(RecipeError, match="load_recipe"):
        as_recipe("my.toml")
