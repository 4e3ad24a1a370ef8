"""From what was written and what the data is to the whole recipe."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from dressage.errors import RecipeError
from dressage.presets import Facts, presets_for
from dressage.recipe import CHOSEN, Recipe
from dressage.resolve import FAMILIES, all_paths, check_names, resolve, value_at

DIGITS = Facts("classification", "array", 1200, (64,), 10, validation=200)
PHOTOS = Facts("classification", "images", 42_500, (32, 32, 3), 10)
GREY = Facts("classification", "images", 51_000, (28, 28, 1), 10)
PRICES = Facts("regression", "table", 300, (12,), 1)
VIEWS = Facts("contrastive", "images", 42_500, (32, 32, 3), 128)


@pytest.mark.parametrize(
    "facts",
    [
        Facts(task, kind, rows, shape, 1 if task == "regression" else 3)
        for task, (kind, shape), rows in itertools.product(
            ("classification", "regression"),
            (
                ("array", (4,)),
                ("table", (30,)),
                ("images", (32, 32, 3)),
                ("images", (28, 28, 1)),
                ("images", (8, 8, 1)),
            ),
            (2, 7, 100, 5_000, 1_000_000),
        )
    ],
    ids=str,
)
def test_every_kind_and_size_of_data_gets_a_whole_recipe_with_a_reason_for_each_value(facts):
    resolved = resolve(Recipe(), facts)
    check_names(resolved.recipe)
    assert set(resolved.reasons) == set(all_paths())
    assert all(reason.why for reason in resolved.reasons.values())
    assert resolved.recipe.train.batch_size <= facts.rows
    assert resolve(resolved.recipe, facts).recipe == resolved.recipe, "a whole recipe is left as it is"


def test_what_is_given_stays_and_says_so():
    resolved = resolve(Recipe.model_validate({"optim": {"lr": 0.5}, "model": {"name": "mlp"}}), PHOTOS)
    assert (resolved.recipe.optim.lr, resolved.recipe.model.name) == (0.5, "mlp")
    assert {resolved.reasons[path].origin for path in ("optim.lr", "model.name")} == {"given"}
    assert resolved.reasons["augment"].origin == "preset"


def test_grey_images_are_not_mirrored_and_photographs_are():
    assert not any("flip" in written for written in resolve(Recipe(), GREY).recipe.augment)
    assert "horizontal_flip" in resolve(Recipe(), PHOTOS).recipe.augment


def test_the_number_of_epochs_follows_a_given_batch():
    small = resolve(Recipe.model_validate({"train": {"batch_size": 8}}), DIGITS).recipe.train.epochs
    assert small < resolve(Recipe(), DIGITS).recipe.train.epochs


@pytest.mark.parametrize(
    ("facts", "own_model", "refit"),
    [
        (DIGITS, False, True),
        (replace(DIGITS, rows=5000), False, False),
        (replace(DIGITS, validation=0), False, False),
        (replace(DIGITS, own_validation=True), False, False),
        (replace(DIGITS, kind="images", shape=(8, 8, 1)), False, False),
        (DIGITS, True, False),
    ],
)
def test_few_rows_of_features_are_learned_from_twice(facts, own_model, refit):
    assert resolve(Recipe(), facts, own_model=own_model).recipe.train.refit is refit
    for wish in (True, False) if facts.validation else ():
        written = Recipe.model_validate({"train": {"refit": wish}})
        assert resolve(written, facts, own_model=own_model).recipe.train.refit is wish


def test_an_own_network_gets_no_settings_of_ours():
    reasons = resolve(Recipe(), PHOTOS, own_model=True).reasons
    assert {r.origin for path, r in reasons.items() if path.startswith("model.")} == {"default"}


@pytest.mark.parametrize(
    ("facts", "written", "told"),
    [
        (DIGITS, {"train": {"batch_size": 5000}}, r"train\.batch_size: 5000 given; the training part has 1200 rows"),
        (DIGITS, {"loss": {"name": "mse"}}, r"loss\.name: 'mse' given; the task is a classification"),
        (PRICES, {"loss": {"label_smoothing": 0.1}}, r"loss\.label_smoothing"),
        (DIGITS, {"augment": ["random_crop"]}, r"augment: 'random_crop' given; the data has no images"),
        (PRICES, {"augment": ["mixup"]}, r"augment: 'mixup' given"),
        (DIGITS, {"train": {"accumulate": 64, "batch_size": 32}}, r"train\.accumulate: 64 pieces"),
        (PRICES, {"train": {"refit": True}}, r"train\.refit: true given; there are no validation rows to add"),
    ],
)
def test_what_the_data_cannot_bear_is_refused(facts, written, told):
    with pytest.raises(RecipeError, match=told):
        resolve(Recipe.model_validate(written), facts)


def test_all_names_that_do_not_exist_are_told_at_once():
    written = {"model": {"activation": "rellu"}, "optim": {"name": "adamm"}, "augment": ["mixup(alfa=1)", "mixup"]}
    with pytest.raises(RecipeError) as caught:
        check_names(Recipe.model_validate(written))
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for wanted in ("did you mean 'relu'?", "did you mean 'adam'?", "did you mean 'alpha'?"):
        assert any(wanted in line for line in lines)


def test_every_family_of_the_recipe_has_a_value_there():
    for path, family in FAMILIES.items():
        value = value_at(Recipe(), path)
        assert value == [] or value in family


def test_the_help_says_which_values_are_chosen_for_the_data():
    recipe = Recipe.model_validate({"transfer": {"source": "runs/1"}})
    chosen = {path for facts in (DIGITS, PHOTOS, GREY, PRICES, VIEWS) for path in presets_for(recipe, facts, False)}
    assert chosen == CHOSEN


@pytest.mark.parametrize("facts", [DIGITS, PHOTOS, PRICES], ids=str)
def test_another_optimiser_gets_a_decay_and_a_rate_of_its_own(facts):
    resolved = resolve(Recipe.model_validate({"optim": {"name": "sgd"}}), facts)
    assert (resolved.recipe.optim.lr, resolved.recipe.regularize.weight_decay) == (0.05, 1e-3)
    resolved = resolve(Recipe.model_validate({"optim": {"name": "adam"}}), facts)
    assert resolved.recipe.optim.lr == resolve(Recipe(), facts).recipe.optim.lr
    assert resolved.recipe.regularize.weight_decay == 1e-3
