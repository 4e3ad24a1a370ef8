"""What of a recipe does not go together with the data or with the rest of it: schedule, preprocessing, test-time views."""

from __future__ import annotations

import torch

from dressage.augment.views import catalogue as views
from dressage.data.preprocess.fit import built_steps
from dressage.data.preprocess.steps import leaves_vectors
from dressage.errors import RecipeError
from dressage.models import catalogue as models
from dressage.presets import Facts
from dressage.recipe import Recipe


def plateau_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """A schedule that waits for validation values needs validation rows."""
    if recipe.schedule.name.partition("(")[0].strip() != "reduce_on_plateau":
        return None
    found, needs = "'reduce_on_plateau' given", "it waits for a better validation value"
    if not facts.validation:
        return _error("schedule.name", found, f"{needs}, and there are no validation rows", "take another one")
    if recipe.train.refit:
        return _error("schedule.name", found, f"{needs}, and train.refit has none", "set train.refit = false")
    return None


def steps_fit(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """Each step of the preprocessing is for such data."""
    try:
        built_steps(recipe.data.preprocess, facts.kind)
    except RecipeError as error:
        return error
    return None


def components_fit(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """Principal components of images are for networks of rows."""
    if facts.kind != "images" or not leaves_vectors(recipe.data.preprocess):
        return None
    if _builds(recipe, (4,)) or not _builds(recipe, (facts.shape[-1], *facts.shape[:2])):
        return None
    found, expected = f"'{recipe.model.name}' given", "pca leaves rows of numbers, and this network needs images"
    return _error("model.name", found, expected, "use mlp, or zca_whiten")


def snapshots_fit(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """A snapshot is taken at the end of an epoch, of the network that predicts."""
    count = recipe.train.snapshots
    if count > recipe.train.epochs:
        expected = f"there are {recipe.train.epochs} epochs, and each has its own"
        return _error("train.snapshots", f"{count} given", expected, "give fewer, or more epochs")
    if count and recipe.train.refit:
        expected = "train.refit trains another network after them"
        return _error("train.snapshots", f"{count} given", expected, "set train.refit = false")
    return None


def network_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """The network can be built for samples of this shape; where principal components are left, for rows of some length."""
    shape = (facts.shape[-1], *facts.shape[:2]) if facts.kind == "images" else facts.shape
    return _refused(recipe, (4,) if leaves_vectors(recipe.data.preprocess) else shape, facts.outputs)


def _builds(recipe: Recipe, shape: tuple[int, ...]) -> bool:
    return _refused(recipe, shape, 2) is None


def _refused(recipe: Recipe, shape: tuple[int, ...], outputs: int) -> RecipeError | None:
    try:
        with torch.device("meta"):  # shapes without numbers
            models.build(recipe.model.name, shape, outputs, recipe.model, 0.0)
    except RecipeError as error:
        return error
    return None


def views_fit(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """Views of images need images."""
    if facts.kind == "images" or not views.build(recipe.evaluate.views).of_images:
        return None
    return _error("evaluate.views", f"'{recipe.evaluate.views}' given", "the data has no images", "leave it out")


def _error(path: str, found: str, expected: str, repair: str) -> RecipeError:
    return RecipeError(str(RecipeError.of(path, found, expected, repair)))
