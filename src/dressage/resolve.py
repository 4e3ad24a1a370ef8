"""From what was written and what the data is to the whole recipe: names checked, defaults filled in, each value with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from dressage.augment import catalogue as augmentations
from dressage.augment import check_fits
from dressage.augment.views import catalogue as views
from dressage.catalogue import Catalogue, parse
from dressage.data.preprocess import catalogue as preprocessing
from dressage.errors import RecipeError
from dressage.layers.activations import catalogue as activations
from dressage.layers.init import catalogue as inits
from dressage.layers.norms import catalogue as norms
from dressage.models import catalogue as models
from dressage.objective import FITTING as LOSSES
from dressage.objective import catalogue as objectives
from dressage.optim import catalogue as optimizers
from dressage.optim.averages import catalogue as averages
from dressage.optim.fits import optimizer_fits
from dressage.optim.schedules import catalogue as schedules
from dressage.optim.thaw import catalogue as transfers
from dressage.presets import Choice, Facts, presets_for
from dressage.recipe import SECTIONS, Recipe, cut_at_commas
from dressage.regularize import catalogue as regularizers
from dressage.regularize import misfit
from dressage.start import Start
from dressage.together import (
    components_fit,
    contrastive_fits,
    network_fits,
    other_kind,
    plateau_fits,
    snapshots_fit,
    steps_fit,
    transfer_misfits,
    views_fit,
)

Origin = Literal["given", "preset", "inferred", "default", "measured"]

# Where a recipe names techniques, and the family that each belongs to.
FAMILIES: Mapping[str, Catalogue[Any]] = {
    "augment": augmentations,
    "average": averages,
    "data.preprocess": preprocessing,
    "model.name": models,
    "model.activation": activations,
    "model.norm": norms,
    "model.init": inits,
    "loss.name": objectives,
    "regularize.techniques": regularizers,
    "optim.name": optimizers,
    "schedule.name": schedules,
    "evaluate.views": views,
    "transfer.layers": transfers,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Where a value of the recipe came from, and why it is so."""

    origin: Origin
    why: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A whole recipe, and the reason of each of its values by path (`optim.lr`)."""

    recipe: Recipe
    reasons: Mapping[str, Reason]
    start: Start | None = None
    """Where the first weights come from, when they are taken over."""

    def put(self, path: str, value: object, origin: Origin, why: str) -> Resolved:
        """The same with one value changed."""
        recipe, reasons = _with(self.recipe, {path: value}), {**self.reasons, path: Reason(origin, why)}
        return Resolved(recipe, reasons, self.start)


def check_names(recipe: Recipe) -> None:
    """Raises RecipeError, with all errors at once, unless every technique and option named exists."""
    problems = name_problems(recipe.model_dump())
    if problems:
        raise RecipeError("\n".join(problems))


def name_problems(written: Mapping[str, object]) -> list[str]:
    """The same errors, a line each, of a recipe as it was written, whatever else may be wrong with it."""
    problems = []
    for path, family in FAMILIES.items():
        for technique in _techniques(written, path):
            try:
                family.check(technique)
            except RecipeError as error:
                problems.append(f"{path}: {error}")
    return problems


def resolve(recipe: Recipe, facts: Facts, *, own_model: bool = False, start: Start | None = None) -> Resolved:
    """The whole recipe for data of these facts. What was given stays; the rest is chosen, each value with its reason.

    `start`: the network whose weights are taken over, and its form with them. Raises RecipeError for names that do not
    exist and settings that the data cannot bear.
    """
    check_names(recipe)
    if start is not None and (problem := other_kind(start, facts)):
        raise problem
    written = given_paths(recipe)
    recipe = recipe if start is None else start.under(recipe)
    given = given_paths(recipe)
    choices = {path: choice for path, choice in presets_for(recipe, facts, own_model).items() if path not in given}
    whole = _with(recipe, {path: choice.value for path, choice in choices.items()})
    reasons = {path: _reason(path, path in given, choices.get(path)) for path in all_paths()}
    if start is not None:
        reasons |= {path: Reason("inferred", start.why) for path in given - written}
    _check_against_data(whole, facts, own_model, start)
    return Resolved(whole, reasons, start)


@cache
def all_paths() -> tuple[str, ...]:
    """Every value of a recipe by path, in order."""
    top, usual = [name for name in Recipe.model_fields if name not in SECTIONS], Recipe()
    return (*top, *(f"{section}.{name}" for section in SECTIONS for name in type(getattr(usual, section)).model_fields))


def given_paths(recipe: Recipe) -> set[str]:
    """The paths whose values a person wrote."""
    given = {name for name in recipe.model_fields_set if name not in SECTIONS}
    for section in SECTIONS:
        given |= {f"{section}.{name}" for name in getattr(recipe, section).model_fields_set}
    return given


def value_at(recipe: Recipe, path: str) -> object:
    """The value at `optim.lr`."""
    section, _, name = path.rpartition(".")
    return getattr(getattr(recipe, section) if section else recipe, name)


def _reason(path: str, was_given: bool, choice: Choice | None) -> Reason:
    if was_given:
        return Reason("given", "as written")
    return Reason(choice.origin, choice.why) if choice else Reason("default", "the usual value")


def _with(recipe: Recipe, values: Mapping[str, object]) -> Recipe:
    content = recipe.model_dump()
    for path, value in values.items():
        section, _, name = path.rpartition(".")
        (content[section] if section else content)[name] = value
    return Recipe.model_validate(content)


def _techniques(written: Mapping[str, object], path: str) -> list[str]:
    section, _, name = path.rpartition(".")
    inside = written.get(section) if section else written
    value = inside.get(name) if isinstance(inside, Mapping) else None
    lists = ("augment", "data.preprocess", "regularize.techniques")
    texts = cut_at_commas(value) if path in lists else [value]
    return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []


def _check_against_data(recipe: Recipe, facts: Facts, own_model: bool, start: Start | None) -> None:
    checks = [
        _batch_fits,
        _loss_fits,
        _augment_fits,
        _regularize_fits,
        _cut_fits,
        optimizer_fits,
        _refit_fits,
        plateau_fits,
        views_fit,
        steps_fit,
        components_fit,
        snapshots_fit,
        _output_bias_fits,
        _several_fit,
        contrastive_fits,
    ]
    problems = [str(problem) for check in checks if (problem := check(recipe, facts))]
    problems += [str(problem) for problem in transfer_misfits(recipe, start, own_model=own_model)]
    if not problems and not own_model and (problem := network_fits(recipe, facts)):
        problems = [str(problem)]
    if problems:
        raise RecipeError("\n".join(problems))


def _batch_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    size = recipe.train.batch_size
    if size <= facts.rows:
        return None
    return _error(
        "train.batch_size", f"{size} given", f"the training part has {facts.rows} rows", f"give at most {facts.rows}"
    )


def _cut_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    if recipe.train.accumulate <= recipe.train.batch_size:
        return None
    return _error(
        "train.accumulate",
        f"{recipe.train.accumulate} pieces",
        f"a batch has {recipe.train.batch_size} samples",
        "give fewer pieces",
    )


def _loss_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    try:
        objectives.build(recipe.loss.name, recipe.loss.label_smoothing)
    except RecipeError as error:
        return error
    fitting, name = LOSSES[facts.task], parse(recipe.loss.name)[0]
    if name in fitting:
        return None
    other = "name several targets for several yes or no labels" if name == "logistic" else "set data.task"
    repair = f"use {' or '.join(fitting)}, or {other}"
    return _error("loss.name", f"'{recipe.loss.name}' given", f"the task is a {facts.task}", repair)


def _augment_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    mixing = next((written for written in recipe.augment if parse(written)[0] in ("mixup", "cutmix")), "")
    if mixing and facts.task in ("regression", "contrastive"):
        return _error("augment", f"'{mixing}' given", "labels are mixed in classification only", "leave it out")
    shape = facts.shape if facts.kind == "images" else (math.prod(facts.shape),)
    try:
        check_fits(recipe.augment, 0 if facts.task == "regression" else facts.outputs, shape)
    except RecipeError as error:
        return error
    return None


def _several_fit(recipe: Recipe, facts: Facts) -> RecipeError | None:
    """What a training for several targets cannot do, and what only such a training can."""
    if facts.task != "multi":
        found = ", ".join(f"{weight:g}" for weight in recipe.loss.weights)
        return _error("loss.weights", f"{found} given", "there is one target", "leave them out") if found else None
    mixing = next((written for written in recipe.augment if parse(written)[0] in ("mixup", "cutmix")), "")
    if mixing:
        return _error("augment", f"'{mixing}' given", "labels of several targets are not mixed", "leave it out")
    if recipe.train.monitor == "metric":
        return _error("train.monitor", "'metric' given", "each of several targets has its own", "use loss")
    return None


def _output_bias_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    loss = recipe.loss.name.partition("(")[0].strip()
    if recipe.model.output_bias == "zeros" or loss in ("cross_entropy", "mse"):
        return None
    return _error("model.output_bias", f"'prior' given with {loss}", "known for cross_entropy and mse", "leave it out")


def _regularize_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    return misfit(recipe)


def _refit_fits(recipe: Recipe, facts: Facts) -> RecipeError | None:
    if not recipe.train.refit or facts.validation:
        return None
    return _error("train.refit", "true given", "there are no validation rows to add", "leave it out")


def _error(path: str, found: str, expected: str, repair: str) -> RecipeError:
    return RecipeError(str(RecipeError.of(path, found, expected, repair)))
