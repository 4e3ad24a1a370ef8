"""The typed recipe: structure, types and limits only. It knows no technique by name and needs no torch.

A field that is not given keeps its default here until `dressage.resolve` puts a better one in its place, with the reason.
A technique is written as text, `name` or `name(option=value)`; `resolve` checks it against the catalogues.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def cut_at_commas(value: object) -> object:
    """`"a,b(c=1,d=2)"` -> `["a", "b(c=1,d=2)"]`: a list may be written as one text, as on a command line."""
    if not isinstance(value, str):
        return value
    pieces, depth = [""], 0
    for char in value:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces if piece.strip()]


Technique = Annotated[str, Field(min_length=1, max_length=500)]
Techniques = Annotated[list[Technique], BeforeValidator(cut_at_commas), Field(max_length=100)]
Names = Annotated[list[str], BeforeValidator(cut_at_commas)]
Numbers = Annotated[list[float], BeforeValidator(cut_at_commas), Field(max_length=1000)]
Share = Annotated[float, Field(ge=0, lt=1)]


def rate_or_auto(value: object) -> object:
    """A learning rate, a finite number of 0 or more, or "auto"; one error where it is neither."""
    if value == "auto":
        return value
    try:
        rate = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate < math.inf:
        expected = "expected a finite number greater than or equal to 0, or auto"
        raise PydanticCustomError("rate", expected, {"repair": "e.g. optim.lr = 1e-3"})
    return rate


Rate = Annotated[float | Literal["auto"], BeforeValidator(rate_or_auto)]


class Section(BaseModel):
    """One section of a recipe: immutable, no unknown keys, a sentence under every field."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Data(Section):
    """What is learned from what, how it is split, and what is done to it before the network sees it."""

    target: str = ""
    """Name of the column to predict, or of several between commas; empty: found from the data."""
    group: str = ""
    """Column whose equal values never land in two splits."""
    time: str = ""
    """Column to split by: training before validation before test; not beside `group`."""
    task: Literal["auto", "classification", "regression"] = "auto"
    """What the target is; auto: found from the data."""
    ignore: Names = []
    """Columns that are left out."""
    validation: Share = 0.15
    """Share of the rows held out to choose by."""
    test: Share = 0.15
    """Share of the rows held out to judge by, once; only where the data has no test part of its own."""
    train_dev: Share = 0.0
    """Share of the training rows held out to tell variance from a shift between training and validation."""
    subset: Annotated[int, Field(ge=0)] = 0
    """Training rows that are used at most, each class with its share; 0: all."""
    split_seed: Annotated[int, Field(ge=-1, lt=2**63)] = -1
    """Key of the split and of the subset; -1: the run's seed."""
    bootstrap: bool = False
    """Whether the training rows are drawn with replacement, as many as there are, keyed by the seed (bagging)."""
    preprocess: Techniques = []
    """Steps fitted on the training part and applied unchanged everywhere, in order."""
    image_size: Annotated[int, Field(ge=0, le=4096)] = 0
    """Side of the square that images are brought to, in pixels; 0: as they are, or chosen when they differ."""
    cache_limit: Annotated[float, Field(gt=0)] = 20.0
    """Largest size of the decoded image cache, in GiB."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Background workers that read a torch Dataset; the run is the same with any number."""

    @field_validator("time")
    @classmethod
    def _not_beside_group(cls, time: str, others: ValidationInfo) -> str:
        if time and others.data.get("group"):
            raise PydanticCustomError("one_of", "expected no data.group beside it", {"repair": "take one of them out"})
        return time


class Model(Section):
    """The network."""

    name: Technique = "mlp"
    """Architecture."""
    width: Annotated[int, Field(ge=1, le=65536)] = 128
    """Hidden units of a layer, or channels of the first stage."""
    depth: Annotated[int, Field(ge=0, le=1000)] = 2
    """Hidden layers, or blocks a stage."""
    activation: Technique = "relu"
    """Nonlinearity between layers."""
    norm: Technique = "none"
    """Normalisation between a layer and its activation."""
    init: Technique = "he"
    """Rule for the first weights."""
    output_bias: Literal["zeros", "prior"] = "zeros"
    """First bias of the outputs; prior: such that all outputs begin at the shares of the classes, or the targets' mean."""


class Loss(Section):
    """What is minimised."""

    name: Technique = "cross_entropy"
    """Loss of one sample; a batch has the mean."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target probability spread evenly over all classes."""
    weights: Numbers = []
    """What each of several targets counts, in the order of `data.target`; empty: all the same."""


class Regularize(Section):
    """What holds the network back from learning the training part by heart."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a hidden unit is dropped in training."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """λ of the decay, never on biases and norm parameters: decoupled in adamw, muon, lamb and schedule_free, ½λ‖w‖² in the loss
    elsewhere."""
    techniques: Techniques = []
    """Penalties, constraints, forms of dropout and noise, in order."""


class Optim(Section):
    """How a step is made from a gradient."""

    name: Technique = "adamw"
    """Optimiser."""
    lr: Rate = 1e-3
    """Learning rate at the top of the schedule; auto: found by a range test before the first step."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of momentum, nesterov and lars."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the mean of gradients in the Adam family."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the mean of squared gradients in the Adam family."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Added to the denominator in the Adam family."""
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of the whole gradient; 0: not clipped."""
    clip_value: Annotated[float, Field(ge=0)] = 0.0
    """Largest size of one number of the gradient; 0: not clipped."""
    clip_adaptive: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of a unit's gradient, as a share of the norm of its weights (e.g. 0.01); 0: not clipped."""

    @property
    def rate(self) -> float:
        """`lr` as a number: of a training that is prepared it always is one."""
        if self.lr == "auto":
            raise ValueError("optim.lr is 'auto' until the training is prepared")
        return self.lr


class Schedule(Section):
    """How the learning rate moves, step by step."""

    name: Technique = "cosine"
    """Shape of the curve after the warm-up."""
    warmup: Annotated[float, Field(ge=0)] = 0.05
    """Linear rise from 0 at the start: a share of all steps below 1, a number of steps from 1 on."""


class Train(Section):
    """How long, in what batches, on what."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Passes over the training part at most."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Samples a step."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Pieces that a step's batch is cut into to save memory; the step's loss stays the same."""
    monitor: Literal["loss", "metric"] = "loss"
    """What the best snapshot is chosen by, on the validation part: its loss, or its accuracy or R²."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Epochs without a better validation value before training stops; 0: never. The best snapshot is kept either way."""
    refit: bool = False
    """Whether the network is then trained anew on training and validation rows together, as long as the first training showed."""
    snapshots: Annotated[int, Field(ge=0, le=1000)] = 0
    """Snapshots of the weights that are kept, at the ends of as many equal stretches of the epochs: an ensemble of one training."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Number format of the heavy products; auto: what is measured to be faster on this machine."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Layout of images in memory; auto: what is measured to be faster on this machine."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")] = "auto"
    """Where the network runs."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Processor threads; 0: what is measured to be faster here. Part of the run's record, since sums differ in their last bits."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Longest time between two checkpoints."""


class Watch(Section):
    """What is looked at while training."""

    nonfinite: Literal["stop", "ignore"] = "stop"
    """Whether a loss that is not finite stops the training before the update that would spoil the weights."""
    diagnose: bool = True
    """Whether the data is checked before the first step and the training judged as it runs; what is found stops nothing."""
    seconds: Annotated[float, Field(ge=0)] = 20.0
    """What examinations may take; 5 % of the training, where that is more."""


class Evaluate(Section):
    """What the trained network is held against."""

    target_error: Annotated[float, Field(ge=0)] = 0.0
    """Error that can be reached, by a person for example: share of rows wrong, or an RMSE; 0: not known."""
    views: Technique = "none"
    """Views of each sample whose answers are averaged in the final judgement and in predict; validation stays plain."""


class Transfer(Section):
    """What is taken over from a network that was trained before."""

    source: str = ""
    """Folder of a run, or a .safetensors file of weights, that the first weights come from; empty: none are taken over."""
    layers: Technique = "head"
    """Which layers are trained, and from when on; the others stay frozen."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of `optim.lr` at which layers are trained that were taken over."""
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What that share is multiplied by from each of these layers to the one below it."""


class Recipe(Section):
    """Everything that determines a run, but for the data and the machine."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Key of every random draw."""
    augment: Techniques = []
    """Changes made to training batches, in order; each sample has its own draw."""
    average: Technique = "none"
    """Average of the weights over the steps, used in place of the last weights."""
    data: Data = Data()
    model: Model = Model()
    loss: Loss = Loss()
    regularize: Regularize = Regularize()
    optim: Optim = Optim()
    schedule: Schedule = Schedule()
    train: Train = Train()
    watch: Watch = Watch()
    evaluate: Evaluate = Evaluate()
    transfer: Transfer = Transfer()


SECTIONS = ("data", "model", "loss", "regularize", "optim", "schedule", "train", "watch", "evaluate", "transfer")

CHOSEN = frozenset(
    {
        "augment",
        "average",
        "data.preprocess",
        "loss.name",
        "model.name",
        "model.width",
        "model.depth",
        "model.norm",
        "regularize.dropout",
        "regularize.weight_decay",
        "optim.lr",
        "train.epochs",
        "train.batch_size",
        "train.monitor",
        "train.patience",
        "train.refit",
        "transfer.layers",
        "watch.diagnose",
    }
)
"""Paths that `dressage.presets` may choose for the data: what is written above is not what a run then has."""
