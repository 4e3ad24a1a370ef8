"""The defaults that a good practitioner would accept, for each task and size of data, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dressage.catalogue import parse
from dressage.data.preprocess.steps import leaves_vectors
from dressage.data.source import Task
from dressage.objective import keys_asked
from dressage.objective.usual import usual_of_views
from dressage.optim import COMPARING, FULL_BATCH, keeps_average
from dressage.optim.fits import pieces, small_width
from dressage.recipe import Recipe

SMALL = 5000  # training rows below which every row counts
FEW = 100  # training rows from which training all layers of another network did better than its head alone (docs/evidence.md)

# What a network that is named asks for, where that is not what its data would get.
NETWORKS: Mapping[str, Mapping[str, object]] = {
    "highway": {"model.width": 64, "model.depth": 8, "model.norm": "none"},
    "repvgg": {"model.width": 16, "model.norm": "batch"},
    "vit": {"model.width": 64, "model.depth": 4, "model.norm": "layer", "optim.lr": 1e-3, "regularize.dropout": 0.1},
    "recurrent": {"model.width": 64, "model.depth": 1, "model.norm": "layer"},
}
RATES = {
    "gd": 0.2,
    "sgd": 0.05,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.01,
    "rmsprop": 1e-3,
    "adadelta": 1.0,
    "lars": 2.0,
    "lamb": 0.005,
    "lbfgs": 1.0,
    "bfgs": 1.0,
    "newton": 1.0,
}
"""Of optimisers whose steps are not of the size of AdamW's."""
USUAL = 2e-3
"""Of AdamW, and of those whose steps are of its size."""
UNCOUPLED = ("adamw", "muon", "lamb", "schedule_free")
"""Optimisers in which decay is no part of the gradient. Elsewhere AdamW's would be the larger part of it."""
STEADY: Mapping[str, object] = {
    "average": "none",
    "schedule.name": "constant",
    "schedule.warmup": 0.0,
    "train.precision": "float32",
    "train.memory_format": "contiguous",
}
"""For optimisers that find the length of a step themselves."""
FULL_EPOCHS = {"gd": 200, "lbfgs": 30, "bfgs": 200, "newton": 20}
"""Steps of optimisers that see all rows in each."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that was not given, where it comes from and why it is so."""

    value: object
    origin: Literal["preset", "inferred"]
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the data is, as far as the recipe depends on it. `shape` is one sample's: `(H, W, C)` of an image, `(D,)` of a row."""

    task: Task
    kind: Literal["images", "array", "table"]
    rows: int
    """Training rows."""
    shape: tuple[int, ...]
    outputs: int
    """Classes, or target columns."""
    smallest_class: int = 0
    """Training rows of the smallest class."""
    validation: int = 0
    """Rows of the validation part."""
    own_validation: bool = False
    """Whether the data came with its validation part."""


def presets_for(recipe: Recipe, facts: Facts, own_model: bool) -> Mapping[str, Choice]:
    """A choice for each path where the data asks for something else than the plain default."""
    choices = _images(facts) if facts.kind == "images" else _rows(recipe, facts)
    if facts.kind == "images" and leaves_vectors(recipe.data.preprocess):
        choices |= _components()
    choices |= _by_task(recipe, facts) | _by_network(recipe) | _by_optimizer(recipe, facts) | _by_techniques(recipe)
    choices |= _by_transfer(recipe, facts)
    choices |= _by_snapshots(recipe, choices)
    batch = int(choices["train.batch_size"].value)  # type: ignore[call-overload]
    if batch > facts.rows:
        choices["train.batch_size"] = Choice(facts.rows, "inferred", f"all {facts.rows} training rows")
    if own_model:
        choices = {
            path: choice
            for path, choice in choices.items()
            if not path.startswith(("model.", "regularize.dropout", "train.refit"))
        }
    return choices


def _by_transfer(recipe: Recipe, facts: Facts) -> dict[str, Choice]:
    """Few rows tell what the head should say, more of them what all layers should; L6."""
    if not recipe.transfer.source:
        return {}
    few = facts.rows < FEW
    why = f"{facts.rows} training rows are {'few: only the head is learned' if few else 'enough for all layers'}"
    rate = {"transfer.rate": Choice(1.0, "preset", "one length of step for all")} if finds_length(recipe) else {}
    return {"transfer.layers": Choice("head" if few else "all", "preset", why), **rate}


def _by_techniques(recipe: Recipe) -> dict[str, Choice]:
    """Where a technique was named that takes the place of something, or would be undone by it."""
    names = [parse(written)[0] for written in recipe.regularize.techniques]
    chosen: dict[str, Choice] = {}
    for name in names:
        if name in ("l1", "l2", "elastic_net"):
            chosen["regularize.weight_decay"] = Choice(0.0, "preset", f"{name} takes its place")
        if name in ("l1", "elastic_net"):
            chosen["average"] = Choice("none", "preset", f"the zeros of {name} would not be exact in an average")
        if name == "vanilla_dropout":
            chosen["regularize.dropout"] = Choice(0.0, "preset", f"{name} takes its place")
    return chosen


def _by_snapshots(recipe: Recipe, choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """Where snapshots of one training are to be an ensemble: each at the end of a wave of the rate (Huang et al. 2017)."""
    count = recipe.train.snapshots
    if not count:
        return {}
    epochs = int(choices["train.epochs"].value) if "train.epochs" in choices else recipe.train.epochs  # type: ignore[call-overload]
    why = f"{count} snapshots, each at the end of a wave of the rate"
    return {
        "schedule.name": Choice(f"warm_restarts(first={1 / count:.6g})", "preset", why),
        "schedule.warmup": Choice(0.0, "preset", why),
        "train.epochs": Choice(-(-epochs // count) * count, "preset", f"a multiple of the {count} snapshots"),
        "train.patience": Choice(0, "preset", "every snapshot is wanted"),
        "train.refit": Choice(False, "preset", "the snapshots are the networks that predict"),
        "average": Choice("none", "preset", "an average would mix one wave with the next"),
    }


def _by_network(recipe: Recipe) -> dict[str, Choice]:
    name = parse(recipe.model.name)[0]
    return {path: Choice(value, "preset", f"for {name}") for path, value in NETWORKS.get(name, {}).items()}


def _by_task(recipe: Recipe, facts: Facts) -> dict[str, Choice]:
    if facts.task == "regression":
        return {"loss.name": Choice("mse", "inferred", "the target is a number")}
    if facts.task == "contrastive":
        usual = usual_of_views(max(facts.shape[:2]), facts.rows, keys_asked(recipe.loss.name))
        return {path: Choice(value, "preset", why) for path, (value, why) in usual.items()}
    if facts.task == "multi":
        return {
            "loss.name": Choice("multi", "inferred", "there are several targets"),
            "train.monitor": Choice("loss", "inferred", "the one number for all targets"),
        }
    return {"loss.name": Choice("cross_entropy", "inferred", f"the target is one of {facts.outputs} classes")}


def _by_optimizer(recipe: Recipe, facts: Facts) -> dict[str, Choice]:
    """Where another optimiser was given than the AdamW that all else is chosen for."""
    name, mover = parse(recipe.optim.name)[0], mover_of(recipe)
    chosen: dict[str, Choice] = {}
    if mover in RATES:
        chosen["optim.lr"] = Choice(RATES[mover], "preset", f"{mover} on standardised inputs")
    if mover not in UNCOUPLED:
        chosen["regularize.weight_decay"] = Choice(1e-3, "preset", f"in {mover} it is part of the gradient")
    if mover == "lamb":
        chosen["regularize.weight_decay"] = Choice(
            0.01, "preset", "in lamb its part of a step does not shrink with the rate"
        )
    if keeps_average(recipe.optim.name):
        chosen["average"] = Choice("none", "preset", f"{name} keeps one of its own")
        chosen["schedule.name"] = Choice("constant", "preset", f"{name} needs no falling rate")
    return chosen | (_of_all_rows(name, facts) if name in FULL_BATCH else {})


def mover_of(recipe: Recipe) -> str:
    """The optimiser whose steps are taken: of those that look around first, the one inside."""
    name, options = parse(recipe.optim.name)
    return str(options.get("base", "sgd")) if name in ("sam", "asam", "lookahead_sam") else name


def usual_rate(recipe: Recipe) -> float:
    """About the rate of the recipe's optimiser on a small standardised network."""
    return RATES.get(mover_of(recipe), USUAL)


def finds_length(recipe: Recipe) -> bool:
    """Whether the optimiser finds the length of a step itself, so that its rate is no setting to look for."""
    return parse(recipe.optim.name)[0] in COMPARING


def _of_all_rows(name: str, facts: Facts) -> dict[str, Choice]:
    """Of an optimiser whose steps see all rows; those that compare losses want one and the same loss at every step."""
    numbers = math.prod(facts.shape)
    chosen = {
        "train.batch_size": Choice(facts.rows, "inferred", f"a step of {name} sees all {facts.rows} training rows"),
        "train.accumulate": Choice(pieces(name, facts.rows, numbers), "inferred", "so that a piece fits into memory"),
        "train.epochs": Choice(FULL_EPOCHS[name], "preset", f"steps of {name}"),
    }
    if name in COMPARING:
        same, why = "one and the same loss at every step", f"{name} compares losses"
        chosen |= {
            path: Choice(value, "preset", same) for path, value in (("augment", []), ("regularize.dropout", 0.0))
        }
        chosen |= {path: Choice(value, "preset", why) for path, value in STEADY.items()}
    if name in ("bfgs", "newton"):
        width = small_width(numbers, facts.outputs)
        small = {"model.name": "mlp", "model.width": width, "model.depth": 1, "model.norm": "none"}
        chosen |= {path: Choice(value, "preset", f"few enough parameters for {name}") for path, value in small.items()}
    return chosen


def _rows(recipe: Recipe, facts: Facts) -> dict[str, Choice]:
    rows = facts.rows
    width = 64 if rows < 1000 else 256
    batch = 16 if rows < 500 else 32 if rows < 3000 else 128 if rows < 50_000 else 512
    steps = 3000 if rows < 3000 else 8000 if rows < 50_000 else 20_000
    taken = recipe.train.batch_size if "batch_size" in recipe.train.model_fields_set else batch
    epochs = max(5, min(200, round(steps * min(taken, rows) / rows)))
    small = f"for {rows} training rows"
    return {
        "data.preprocess": Choice(["standardize"], "preset", "features of one scale train at one rate"),
        "model.name": Choice("mlp", "inferred", "rows of features"),
        "model.width": Choice(width, "preset", small),
        "regularize.dropout": Choice(0.4 if rows < SMALL else 0.1, "preset", small),
        "regularize.weight_decay": Choice(0.5 if rows < SMALL else 0.01, "preset", small),
        "average": Choice("ema(decay=0.99)", "preset", "an average of the last steps varies less than the last step"),
        "optim.lr": Choice(USUAL, "preset", "AdamW on a small standardised network"),
        "train.batch_size": Choice(batch, "preset", small),
        "train.epochs": Choice(epochs, "preset", f"about {steps} steps"),
        **_length(recipe, facts, epochs),
    }


def _length(recipe: Recipe, facts: Facts, epochs: int) -> dict[str, Choice]:
    """Whether all rows are learned from in the end, and when the training stops."""
    patience = Choice(max(10, epochs // 4), "preset", "a quarter of the epochs without a better validation loss")
    waits = recipe.schedule.name.startswith("reduce_on_plateau")  # for validation values, which a second training lacks
    few = facts.rows < SMALL and facts.validation > 0 and not facts.own_validation and not waits
    chosen = {"train.refit": Choice(True, "preset", _worth(facts))} if few else {}
    again = recipe.train.refit if "refit" in recipe.train.model_fields_set else few
    if again and facts.task == "classification":
        patience = Choice(0, "preset", "the end has to be seen, to tell how long the second training may last")
    return {**chosen, "train.patience": patience}


def _worth(facts: Facts) -> str:
    return f"the {facts.validation} validation rows teach too, beside {facts.rows} training rows"


def _components() -> dict[str, Choice]:
    """What differs for images of which principal components are left."""
    return {
        "model.name": Choice("mlp", "inferred", "principal components are rows of numbers"),
        "model.width": Choice(256, "preset", "for rows of numbers"),
        "model.depth": Choice(2, "preset", "for rows of numbers"),
    }


def _images(facts: Facts) -> dict[str, Choice]:
    rows, colour = facts.rows, facts.shape[-1] == 3
    height, width = facts.shape[:2]
    what = f"{'colour' if colour else 'grey'} images of {width} x {height} pixels"
    epochs = max(6, min(60, round((500_000 if colour else 400_000) / rows)))
    shift = max(1, min(height, width) // (8 if colour else 14))
    augment = ["horizontal_flip"] * colour + [f"random_crop(padding={shift})"]
    moves = (
        "photographs may shift and be mirrored"
        if colour
        else "grey images may shift, but not mirror: they may be signs"
    )
    large = rows >= 5000
    counts = f"a {'large' if large else 'small'} validation part counts mistakes {'finely' if large else 'coarsely'}"
    return {
        "data.preprocess": Choice(["standardize_per_channel"], "preset", "each channel with mean 0 and deviation 1"),
        "augment": Choice(augment, "preset", moves),
        "model.name": Choice("resnet" if colour else "convnet", "inferred", what),
        "model.width": Choice(16, "preset", "trains in minutes on a processor"),
        "model.depth": Choice(1 if colour else 2, "preset", "trains in minutes on a processor"),
        "model.norm": Choice("batch", "preset", "less sensitive to rate and initialisation"),
        "regularize.dropout": Choice(
            0.0 if colour else 0.3, "preset", "the resnet is small" if colour else "before the large last layer"
        ),
        "regularize.weight_decay": Choice(0.05, "preset", "decoupled, as AdamW is used on images"),
        "optim.lr": Choice(3e-3, "preset", "AdamW with batch norm and a cosine"),
        "train.batch_size": Choice(128 if rows >= 2000 else 32, "preset", f"for {rows} training images"),
        "train.epochs": Choice(epochs, "preset", f"for {rows} training images"),
        "train.monitor": Choice("metric" if large else "loss", "preset", counts),
    }
