"""Which changes of a recipe are worth a trial: what the findings point at, and what was given that is out of the ordinary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dressage.catalogue import parse
from dressage.optim.schedules import schedule
from dressage.recipe import Recipe
from dressage.remedies import LEFT
from dressage.resolve import given_paths, value_at

SETTLED: tuple[str, ...] = (
    "loss.name",
    "model.name",
    "train.accumulate",
    "train.device",
    "train.precision",
    "train.memory_format",
)
SETTLED += ("train.threads", "train.checkpoint_seconds", "train.refit", "train.monitor")
"""Given values that are no remedy's to change: what is learned, by what kind of network, and how it is computed."""
SECTIONS = ("augment", "average", "data.preprocess", "model.", "loss.", "regularize.", "optim.", "schedule.", "train.")
RATES = ("optim.lr", "optim.momentum", "optim.beta1", "optim.clip_norm", "schedule.warmup")
LAYERS = ("model.activation", "model.depth", "model.init", "model.norm")
POINTS_AT: Mapping[str, Sequence[str]] = {
    "sym.nonfinite_loss": RATES,
    "optim.lr_too_high": ("optim.lr", "schedule.warmup"),
    "optim.lr_too_low": ("optim.lr", "optim.clip_norm"),
    "optim.exploding_gradients": (*RATES, *LAYERS),
    "optim.momentum_too_high": ("optim.momentum", "optim.beta1"),
    "optim.over_regularised": ("regularize.", "loss.label_smoothing", "augment"),
    "optim.bn_small_batch": ("train.batch_size",),
    "optim.too_few_epochs": ("train.epochs",),
    "optim.schedule_collapsed": ("schedule.name",),
    "optim.vanishing_gradients": LAYERS,
    "model.saturated_activation": LAYERS,
    "model.dead_relu": (*LAYERS, "optim.lr"),
    "model.init_too_small": ("model.init",),
    "model.init_too_large": ("model.init",),
    "model.symmetric_init": ("model.init",),
    "model.bottleneck": ("model.width",),
    "data.unscaled_inputs": ("data.preprocess",),
    "data.all_positive_inputs": ("data.preprocess",),
}
"""The values of a recipe that a cause is a reason to doubt."""
UNUSUAL = 8.0
"""Times that a number is from what is usual before that alone is a reason for a trial."""
SHARES = ("regularize.dropout", "loss.label_smoothing", "optim.momentum", "optim.beta1", "optim.beta2")
"""Of these it is the distance from 1 that counts."""
ONE_SIDED = {"train.epochs": -1, "model.width": -1, "train.batch_size": -1, "regularize.weight_decay": 1}
"""A larger network, or a longer training, does no harm but to the clock; less decay hardly any."""
CLIP = 1.0
"""Norm that gradients are usually clipped to, where they are."""
MOST = 5
"""Values that are tried one by one."""
STEPS = 1000
LARGE = 0.3
"""Standard deviation of first weights that is too large for all but the narrowest layers."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """An edit of the recipe, the cause that it is for, and what speaks for it."""

    cause: str
    edit: Mapping[str, object]
    """By path the new value; LEFT: the value that is usual for the data."""
    why: str
    finding: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a person wrote, where another is usual for the data."""

    path: str
    value: object
    usual: object
    times: float
    """How far it is from that; 1 where this cannot be said in numbers."""
    cause: str
    """What it stands for where leaving it to the preset is what helps."""

    @property
    def is_unusual(self) -> bool:
        """Whether it is so far from what is usual that this alone is a reason to try that."""
        return self.times >= UNUSUAL

    @property
    def said(self) -> str:
        """It beside what is usual."""
        return f"{self.path} = {self.value} was given, where {self.usual} is usual for such data"

    def remedy(self) -> Remedy:
        """To leave it to the preset."""
        return Remedy(self.cause, {self.path: LEFT}, self.said)


def given_otherwise(written: Recipe, whole: Recipe, usual: Mapping[str, Recipe]) -> list[Given]:
    """The values of `written` that are not what is usual; the farthest first. `usual` has the whole recipe without each."""
    found = []
    for path in usual:
        value, other = value_at(whole, path), value_at(usual[path], path)
        if value != other:
            times = _times(path, value, other, whole, usual[path])
            found.append(Given(path, value, other, times, _cause(path, value, other, whole)))
    return sorted(found, key=lambda g: -g.times)


def changeable(written: Recipe, *, own_model: bool) -> list[str]:
    """The paths of what was given that a remedy may change."""
    kept = SETTLED + (("model.", "regularize.dropout") if own_model else ())
    name = written.optim.name.partition("(")[0]
    if name not in ("momentum", "nesterov"):
        kept += ("optim.momentum",)
    if not name.startswith(("adam", "nadam", "radam", "lamb", "lion")):
        kept += ("optim.beta", "optim.eps")
    return [p for p in sorted(given_paths(written)) if p.startswith(SECTIONS) and not p.startswith(kept)]


def mendable(findings: Iterable[Mapping[str, Any]], given: Sequence[Given] = ()) -> list[dict[str, Any]]:
    """The harmful findings that a change of the recipe may mend, the best supported cause first."""
    causes = [
        dict(f) for f in findings if f.get("severity") != "info" and (f.get("edit") or _doubted(str(f["id"]), given))
    ]
    return sorted(causes, key=lambda f: (str(f["id"]).startswith("sym."), -float(f.get("confidence") or 0.0)))


def remedies(found: Sequence[Mapping[str, Any]], given: Sequence[Given], behind: str) -> list[Remedy]:
    """What is worth a trial, the best supported first; `behind` says by how much simple models do better, if they do."""
    tried = [_of_finding(f, given) for f in found]
    doubted = [g for f in found for g in _doubted(str(f["id"]), given)]
    odd = [g for g in given if g in doubted or g.is_unusual]
    if not tried and not odd and not behind:
        return []
    single = (odd or list(given))[:MOST]
    tried += [g.remedy() for g in single]
    cause = tried[0] if tried else None
    if len(single) > 1:
        tried.append(_joint(single, cause, behind))
    if len(given) > len(single) and (found or behind):
        tried.append(_joint(given, cause, behind))
    unlike: list[Remedy] = []
    for remedy in tried:
        if remedy.edit and all(remedy.edit != other.edit for other in unlike):
            unlike.append(remedy)
    return unlike


def further(
    findings: Iterable[Mapping[str, Any]], given: Sequence[Given], edit: Mapping[str, object]
) -> dict[str, object]:
    """The edit, and what speaks for more of it, after a training that diverged with it."""
    left = [g for g in given if g.path not in edit]
    found = mendable(findings, left)
    return {**edit, **(_of_finding(found[0], left).edit if found else {})}


CAUSE_OF = {
    "optim.momentum": "optim.momentum_too_high",
    "optim.beta1": "optim.momentum_too_high",
    "optim.clip_norm": "optim.lr_too_low",
    "regularize.": "optim.over_regularised",
    "loss.label_smoothing": "optim.over_regularised",
    "augment": "optim.over_regularised",
    "train.epochs": "optim.too_few_epochs",
    "schedule.name": "optim.schedule_collapsed",
    "model.width": "model.bottleneck",
    "model.activation": "optim.vanishing_gradients",
    "model.depth": "optim.vanishing_gradients",
    "data.preprocess": "data.unscaled_inputs",
}


def _of_finding(finding: Mapping[str, Any], given: Sequence[Given]) -> Remedy:
    """What was given and is in doubt is left to the preset; where nothing was, the finding's own edit."""
    doubted = _doubted(str(finding["id"]), given)
    edit = {g.path: LEFT for g in doubted} or dict(finding.get("edit") or {})
    seen = str(finding.get("evidence", ""))
    if str(finding["id"]).startswith("sym.") and doubted:  # what was seen, and not yet why
        return Remedy(doubted[0].cause, edit, f"{seen}; {', '.join(g.said for g in doubted)}", finding)
    return Remedy(str(finding["id"]), edit, seen, finding)


def _doubted(cause: str, given: Sequence[Given]) -> list[Given]:
    return [g for g in given if g.path.startswith(tuple(POINTS_AT.get(cause, ("-",))))]


def _joint(given: Sequence[Given], cause: Remedy | None, behind: str) -> Remedy:
    said = ", ".join(f"{g.path} = {g.value}" for g in given)
    reasons = [behind, cause.why if cause else "", f"given otherwise than usual: {said}"]
    name = cause.cause if cause else "eval.underfit"
    return Remedy(name, {g.path: LEFT for g in given}, "; ".join(filter(None, reasons)))


def _times(path: str, value: object, usual: object, whole: Recipe, other: Recipe) -> float:
    if path == "schedule.name":
        return _summed(other) / max(_summed(whole), 1e-9)
    if isinstance(value, bool) or not (isinstance(value, int | float) and isinstance(usual, int | float)):
        return 1.0
    if path == "optim.clip_norm" and value > 0 >= usual:
        return CLIP / value
    if path in SHARES:
        return float((1 - usual) / (1 - value))
    if value <= 0 or usual <= 0:
        return 1.0
    ratio, side = math.log(value / usual), ONE_SIDED.get(path)
    return math.exp(abs(ratio) if side is None else ratio * side)


def _summed(recipe: Recipe) -> float:
    """The rate over a training, as a share of its highest each step."""
    warmup = recipe.schedule.warmup
    curve = schedule(recipe.schedule.name, warmup if warmup < 1 else 0.0, STEPS)
    return sum(curve(step) for step in range(STEPS))


def _cause(path: str, value: object, usual: object, whole: Recipe) -> str:
    is_larger = isinstance(value, int | float) and isinstance(usual, int | float) and value > usual
    if path == "optim.lr":
        return "optim.lr_too_high" if is_larger else "optim.lr_too_low"
    if path == "model.init":
        return "model.init_too_large" if _std(value) > LARGE else "model.init_too_small"
    if path == "train.batch_size" and not is_larger and whole.model.norm.startswith("batch"):
        return "optim.bn_small_batch"
    return next((cause for start, cause in CAUSE_OF.items() if path.startswith(start)), "eval.underfit")


def _std(written: object) -> float:
    std = parse(str(written))[1].get("std", 0.01)
    return float(std) if isinstance(std, int | float) else 0.0
