"""What of a recipe does not go together with the data or with the rest of it: schedule, preprocessing, test-time views."""

from __future__ import annotations

import torch

from dressage.augment.views import catalogue as views
from dressage.catalogue import parse
from dressage.data.preprocess.fit import built_steps
from dressage.data.preprocess.steps import leaves_vectors
from dressage.errors import RecipeError
from dressage.models import catalogue as models
from dressage.objective import keys_asked
from dressage.optim import COMPARING
from dressage.optim.thaw import catalogue
from dressage.presets import Facts
from dressage.recipe import Recipe, Transfer
from dressage.regularize import SHRINKING
from dressage.start import Start

KINDS = {"images": "images", "array": "an array", "table": "a table"}


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


def contrastive_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """Views of the same sample are of images, are not alike, and are judged as they are drawn."""
    if facts.task != "contrastive":
        return None
    name, mover = f"'{recipe.loss.name}' given", parse(recipe.optim.name)[0]
    if facts.kind != "images":
        return _error(
            "loss.name", name, f"views are of images, and the data is {KINDS[facts.kind]}", "take another loss"
        )
    if mover in COMPARING:
        expected = "it compares losses of the same views, and each step draws others"
        return _error(
            "optim.name", f"{recipe.optim.name} given with {recipe.loss.name}", expected, "take adamw or lars"
        )
    if not recipe.augment:
        return _error("augment", "nothing given", "two views of an image must differ", "e.g. augment = simclr")
    if recipe.evaluate.views != "none":
        found, expected = f"'{recipe.evaluate.views}' given", f"{recipe.loss.name} has views of its own"
        return _error("evaluate.views", found, expected, "leave it out")
    if keys_asked(recipe.loss.name) >= facts.rows:
        found, expected = (
            f"{keys_asked(recipe.loss.name)} keys given",
            f"expected less than the {facts.rows} training rows",
        )
        return _error("loss.name", found, expected, f"e.g. info_nce(queue={max(1, facts.rows // 2)})")
    if recipe.watch.diagnose:
        return _error("watch.diagnose", "true given", "its rules judge by labels", "leave it out")
    if recipe.train.refit:
        return _error("train.refit", "true given", "another training takes the network over", "leave it out")
    return None


def other_kind(start: Start, facts: Facts) -> RecipeError | None:
    """A network for images is taken over for images, one for rows for rows."""
    if start.preprocess is None or start.preprocess.kind == facts.kind:
        return None
    found, expected = f"the data is {KINDS[facts.kind]}", f"it was trained on {KINDS[start.preprocess.kind]}"
    return _error("transfer.source", found, expected, "give data of the same kind")


def transfer_misfits(recipe: Recipe, start: Start | None, *, own_model: bool) -> list[RecipeError]:
    """What a training that takes over weights cannot be, and what only such a training can."""
    section, optim = recipe.transfer, parse(recipe.optim.name)[0]
    if start is None:
        given = sorted(section.model_fields_set - {"source"} if section != Transfer() else ())
        where = f"transfer.{given[0] if given else 'layers'}"
        nothing = _error(where, "given without transfer.source", "there is nothing to take over", "name a trained run")
        return [nothing] if section != Transfer() else []
    if start.own_model and not own_model:
        found, expected = "trained with a network of your own", "expected that network"
        return [_error("transfer.source", found, expected, "give it with --model FILE.py:Name, or model=")]
    other = start.other_form(recipe) if not own_model else []
    problems = [_error(path, f"{now} given", f"the source has {then}", "leave it out") for path, now, then in other]
    try:
        catalogue.build(section.layers)(1, recipe.train.epochs)
    except RecipeError as error:
        problems.append(error)
    moves, slows = parse(section.layers)[0] == "staged", section.rate * section.decay < 1
    if optim in COMPARING and moves:
        found, expected = (
            f"'{section.layers}' given with {optim}",
            "what it has learned of some layers says nothing of more",
        )
        problems.append(_error("transfer.layers", found, expected, "take head, top or all, or adamw"))
    elif optim in COMPARING and slows and parse(section.layers)[0] != "head":
        found, expected = f"{section.rate:g} given with {optim}", "it finds one length of step for all layers"
        problems.append(_error("transfer.rate", found, expected, "set transfer.rate = 1 and transfer.decay = 1"))
    shrinks = next((t for t in recipe.regularize.techniques if parse(t)[0] in SHRINKING), "")
    if shrinks and slows and parse(section.layers)[0] != "head":
        found, expected = f"'{shrinks}' given with rates of their own for layers", "its step has one rate"
        problems.append(_error("regularize.techniques", found, expected, "set transfer.rate = 1, or leave it out"))
    return problems


def _error(path: str, found: str, expected: str, repair: str) -> RecipeError:
    return RecipeError(str(RecipeError.of(path, found, expected, repair)))
