"""The head of the page: what was trained, how it ended, how good it is, in two sentences and a row of figures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from dressage.errors import DressageError
from dressage.evaluate.words import (
    digits,
    headline_of,
    metric_name,
    number,
    refit_sentence,
    sentence,
    targets_of,
    verdict,
)
from dressage.report.curves import best_epoch
from dressage.report.gather import Files
from dressage.report.scatter import interval_svg
from dressage.report.text import count, duration, listing, mapping, shown

MOST_TARGETS = 8
PART_WORDS = {"test": "test", "validation": "validation", "train_dev": "train-dev", "train": "training"}


@dataclass(frozen=True, slots=True)
class Status:
    """How the training ended: a word, a mood for its colour, and what it means in a sentence."""

    word: str
    mood: Literal["good", "warn", "bad"]
    meaning: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the head."""

    label: str
    figure: str
    note: str = ""
    picture: str = ""
    """SVG made by us."""


def status(files: Files) -> Status:
    """How the run stands by its status.json."""
    word, step = files.state.get("status"), count(files.state.get("step"))
    if word == "finished" and files.state.get("reason") == "patience":
        return Status("stopped early", "good", f"Stopped at step {step}: the validation part no longer improved.")
    if word == "finished":
        return Status("finished", "good", f"All {step} steps were done.")
    if word == "diverged":
        return Status(
            "diverged", "bad", f"The numbers stopped being finite; the weights kept are those of step {step}."
        )
    if word == "interrupted":
        return Status("interrupted", "warn", f"Stopped at step {step}; dressage resume goes on from there.")
    if word == "running":
        return Status("running", "warn", "The training goes on: this page shows how far it was.")
    if word == "failed":
        return Status("failed", "bad", "An error ended the training.")
    return Status("unknown", "warn", "The folder does not say how the training ended.")


def title(files: Files) -> str:
    """`digits`: what the data is called, else the run."""
    return shown(files.data.get("name") or files.name, 120)


def headline(files: Files) -> str:
    """The verdict, a sentence or two: the score, what it is worth beside the baseline."""
    judged = files.judged
    if not judged:
        return "How good it is is not known: the run has not been judged."
    if targets_of(judged):
        told = shown(sentence(judged), 1000)
        return told[:1].upper() + told[1:] + "."
    name = headline_of(judged)
    score = mapping(mapping(judged.get("metrics")).get(name))
    base = mapping(mapping(mapping(judged.get("baseline")).get("metrics")).get(name))
    part = PART_WORDS.get(str(judged.get("part")), "test")
    metric = metric_name(name)
    if number(score.get("value")) is None:
        return f"The {metric} on the {part} part is not defined."
    against = {
        "better": "clearly better than",
        "unclear": "not distinguishable from",
        "worse": "worse than",
        "unknown": "beside",
    }[verdict(judged)]
    span = interval(score)
    within = f" (95 % interval {span})" if span else ""
    other = f"the {shown(mapping(judged.get('baseline')).get('name') or 'baseline', 60)} at {digits(base.get('value'))}"
    return f"{part[:1].upper() + part[1:]} {metric} {digits(score.get('value'))}{within}, {against} {other}."


def interval(estimate: Mapping[str, Any]) -> str:
    """`0.953–0.984`, or "" where there is none."""
    low, high = number(estimate.get("low")), number(estimate.get("high"))
    if low is None or high is None:
        return ""
    if max(abs(low), abs(high)) >= 1e-3:  # beside 0.574, an end of 2e-05 is 0
        low, high = (0.0 if abs(end) < 5e-4 else end for end in (low, high))
    return f"{digits(low)} to {digits(high)}" if low < 0 else f"{digits(low)}–{digits(high)}"


def trained(files: Files) -> str:
    """What was trained on what for how long, in a sentence."""
    model = shown(mapping(files.recipe.get("model")).get("name") or "network", 80)
    size = parameters(files)
    epochs, steps = len(files.history.epochs), files.history.steps
    told = [f"{_article(model)} {model}" + (f" of {count(size)} parameters" if size is not None else "")]
    rows = part_rows(files.data).get("train")
    if rows is not None:
        told.append(f"trained on {count(rows)} rows")
    if epochs:
        told.append(f"for {count(epochs)} epoch{'s' if epochs > 1 else ''}")
    elif len(steps):
        told.append(f"for {count(int(steps[-1]))} step{'s' if steps[-1] > 1 else ''}")
    seconds = total_seconds(files)
    if seconds is not None:
        told.append(f"in {duration(seconds)}")
    refit, best = mapping(files.state.get("refit")), best_epoch(files.history.epochs)
    if refit:
        again = shown(refit_sentence(refit, files.evaluation), 400)
        return " ".join(told) + f". Then {again}; the curves and the other scores are the first one's."
    kept = (
        f" The weights kept are those of epoch {count(best.get('epoch'))}."
        if best and number(best.get("epoch"))
        else ""
    )
    return " ".join(told) + "." + kept


def penalties(files: Files) -> list[str]:
    """The penalties and constraints that the recipe names, each with its convention."""
    from dressage.regularize import said

    named = listing(mapping(files.recipe.get("regularize")).get("techniques"))
    with suppress(DressageError):
        return said([text for text in named if isinstance(text, str)])
    return []


def tiles(files: Files) -> list[Tile]:
    """The figures of the head, most important first."""
    judged, found = files.judged, []
    if each := targets_of(judged):
        found += [_score_tile(one, f"{shown(name, 40)} ") for name, one in list(each.items())[:MOST_TARGETS]]
    elif judged:
        regression = judged.get("task") == "regression"
        metrics = mapping(judged.get("metrics"))
        base = mapping(mapping(judged.get("baseline")).get("metrics"))
        name = headline_of(judged)
        beside = mapping(base.get(name))
        found.append(_score_tile(judged))
        second = "rmse" if regression else "log_loss"
        if number(mapping(metrics.get(second)).get("value")) is not None:
            other = number(mapping(base.get(second)).get("value"))
            note = f"baseline {digits(other)}" if other is not None else ""
            found.append(Tile(metric_name(second), digits(mapping(metrics.get(second)).get("value")), note))
        if judged.get("task") == "classification":
            answer = mapping(judged.get("baseline")).get("prediction")
            found.append(Tile("baseline", digits(beside.get("value")), f"always “{shown(answer, 40)}”"))
    if files.history.epochs:
        planned = number(mapping(files.recipe.get("train")).get("epochs"))
        found.append(Tile("epochs", count(len(files.history.epochs)), f"of {count(planned)}" if planned else ""))
    seconds = total_seconds(files)
    if seconds is not None:
        steps = files.history.steps
        found.append(Tile("training time", duration(seconds), f"{count(int(steps[-1]))} steps" if len(steps) else ""))
    if parameters(files) is not None:
        found.append(Tile("parameters", count(parameters(files))))
    return found if len(found) > 1 else []


def _score_tile(judged: Mapping[str, Any], of: str = "") -> Tile:
    """The one metric that stands for a target, with its interval and the baseline in a picture."""
    name = headline_of(judged)
    score = mapping(mapping(judged.get("metrics")).get(name))
    beside = mapping(mapping(mapping(judged.get("baseline")).get("metrics")).get(name))
    part = PART_WORDS.get(str(judged.get("part")), "test")
    span = interval(score)
    note = (f"95 % interval {span}, " if span else "") + f"n = {count(judged.get('n'))}"
    picture = interval_svg(score, beside.get("value"), f"{metric_name(name)} {digits(score.get('value'))}, {note}")
    return Tile(f"{part} {of}{metric_name(name)}", digits(score.get("value")), note, picture)


def parameters(files: Files) -> float | None:
    """Number of weights: from the events, the environment or the evaluation, wherever it was written."""
    places = [*files.history.events, files.environment, mapping(files.environment.get("model")), files.data]
    return next((n for place in places if (n := number(place.get("parameters"))) is not None), None)


def total_seconds(files: Files) -> float | None:
    """Time spent training. An epoch has the seconds since its training began or was resumed: a stretch counts once."""
    each = [number(epoch.get("seconds")) for epoch in files.history.epochs]
    known = [s for s in each if s is not None]
    if not known:
        return None
    return sum(now for now, after in pairwise([*known, -1.0]) if after < now)


def part_rows(data: Mapping[str, Any]) -> dict[str, float]:
    """Rows of each part."""
    sizes = {str(name): number(mapping(entry).get("size")) for name, entry in mapping(data.get("parts")).items()}
    return {name: size for name, size in sizes.items() if size is not None}


def _article(word: str) -> str:
    return "An" if word[:1].lower() in "aeiou" or word[:3].lower() == "mlp" else "A"
