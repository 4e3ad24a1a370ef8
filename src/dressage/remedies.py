"""What a finding advises, as an edit of a recipe: findings are made for any loop, a run of ours has settings of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dressage.errors import DressageError
from dressage.findings import Finding
from dressage.prepare import Job
from dressage.recipe import Recipe, as_recipe
from dressage.regularize import techniques
from dressage.resolve import all_paths, name_problems, value_at

LEFT = None
"""In an edit: the value is left to the preset, as if nobody had written it."""
TOLD_BY_GUARD = ("sym.nonfinite_loss", "pipe.data_stall")
"""Of these a training of ours has a finding of its own, or no such loop."""


PASSING = ("model.init_too_small", "model.init_too_large", "optim.vanishing_gradients", "model.saturated_activation")
"""Causes that ask for signals which pass through the layers."""


FORM = ("model.", "eval.underfit", "optim.vanishing_gradients", "optim.frozen_params")
"""What a network cannot do because of its form, its first weights or what of it is frozen."""


def in_a_recipe(findings: Iterable[Finding], job: Job, *, own_model: bool = False) -> list[Finding]:
    """The findings with edits that this job's recipe takes; overfitting is a note, since the best weights are kept."""
    told = [f for f in findings if f.id not in TOLD_BY_GUARD]
    return [_ours(f, job, own_model) for f in told]


def _ours(finding: Finding, job: Job, own_model: bool) -> Finding:
    recipe = job.recipe
    if job.start is not None and finding.id.startswith(FORM):
        return _intended(finding, recipe)
    edit: dict[str, object] = {
        path: value for path, value in finding.edit.items() if not (own_model and path.startswith("model."))
    }
    if finding.id in PASSING and not own_model:
        edit = _with_passing_signals(recipe)
    if "data.preprocess" in edit:
        edit["data.preprocess"] = _with_scaling(recipe.data.preprocess, is_image=job.source.kind == "images")
    if "train.epochs" in edit:
        edit["train.epochs"] = 2 * recipe.train.epochs
    if finding.id == "optim.over_regularised":
        edit = _with_less(recipe, edit)
    if "optim.momentum" in edit and recipe.optim.name.startswith(("adam", "lamb", "nadam", "lion")):
        edit["optim.beta1"] = edit.pop("optim.momentum")
    edit = {path: value for path, value in edit.items() if path not in all_paths() or value_at(recipe, path) != value}
    made = replace(finding, edit=edit if is_valid(edit) else {})
    if finding.id == "eval.overfit":
        step = job.state.best_step
        said = f"{finding.evidence}; the weights of step {step} are kept" if step else finding.evidence
        return replace(made, severity="info", evidence=said)
    return made


def _intended(finding: Finding, recipe: Recipe) -> Finding:
    """Of a network that was taken over: its form is the source's, and what is frozen is frozen on purpose. A note."""
    edit: dict[str, object] = {} if recipe.transfer.layers == "all" else {"transfer.layers": "all"}
    remedy = "train more of its layers" if edit else "train a network from its first weights"
    return replace(finding, severity="info", remedy=remedy, edit=edit, code="")


def _with_passing_signals(recipe: Recipe) -> dict[str, object]:
    """He's rule, and rectifiers in the place of units that saturate where there are many layers of them."""
    saturating = recipe.model.activation.startswith(("sigmoid", "tanh")) and recipe.model.depth > 3
    edit: dict[str, object] = {"model.init": "he"}
    return {**edit, "model.activation": "relu"} if saturating else edit


def _with_less(recipe: Recipe, edit: Mapping[str, object]) -> dict[str, object]:
    """Without the penalties and constraints that the recipe names; a decay that is weaker already stays."""
    written = recipe.regularize.techniques
    kept = [
        text for text, made in zip(written, techniques(written), strict=True) if not (made.penalty or made.after_step)
    ]
    less = {path: value for path, value in edit.items() if not _is_less(value_at(recipe, path), value)}
    return less | ({"regularize.techniques": kept} if kept != written else {})


def _is_less(now: object, value: object) -> bool:
    return isinstance(now, float) and isinstance(value, float) and now < value


def _with_scaling(steps: Sequence[str], *, is_image: bool) -> list[str]:
    """The steps with one that brings the features to one scale."""
    kept = [step for step in steps if not step.startswith(("center", "standardize", "min_max", "none"))]
    return [*kept, "standardize_per_channel" if is_image else "standardize"]


def is_valid(edit: Mapping[str, object]) -> bool:
    """Whether a recipe takes the edit."""
    try:
        as_recipe(nested(edit), also=name_problems)
    except DressageError:
        return False
    return True


def nested(edit: Mapping[str, object]) -> dict[str, object]:
    """`{"optim.lr": 1e-3}` as `{"optim": {"lr": 1e-3}}`."""
    made: dict[str, object] = {}
    for path, value in edit.items():
        section, _, name = path.rpartition(".")
        if section:
            inner = made.setdefault(section, {})
            assert isinstance(inner, dict)
            inner[name] = value
        else:
            made[name] = value
    return made


def edited(recipe: Recipe, edit: Mapping[str, object]) -> Recipe:
    """The recipe with an edit laid over it; LEFT takes a value away. Raises RecipeError."""
    written = recipe.model_dump(exclude_unset=True)
    for path, value in nested({p: v for p, v in edit.items() if v is not LEFT}).items():
        written[path] = {**written.get(path, {}), **value} if isinstance(value, dict) else value
    for path in (p for p, v in edit.items() if v is LEFT):
        section, _, name = path.rpartition(".")
        (written.get(section, {}) if section else written).pop(name, None)
    return as_recipe(written, also=name_problems)
