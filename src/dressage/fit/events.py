"""What a training yields. Everything that looks at a training consumes these; nothing is called back from inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from dressage.data.describe import Row
from dressage.findings import Finding


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """What is about to be trained, before the first step; `described` is the table of what was assumed of the data."""

    rows: int
    step: int
    """Steps that are done already, in a run that is resumed."""
    steps_per_epoch: int
    epochs: int
    described: Sequence[Row]
    more: int = 0
    """Steps of the training that follows this one, at most."""
    again: str = ""
    """Of a network that is trained anew on all rows: why for so many epochs."""

    @property
    def total_steps(self) -> int:
        """Steps of this training, if it is not stopped early."""
        return self.steps_per_epoch * self.epochs


@dataclass(frozen=True, slots=True)
class StepEvent:
    """One step was taken, in epoch 1, 2, …. `loss` is still on the device: reading it waits for the device."""

    step: int
    epoch: int
    loss: Tensor
    lr: float


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """Epoch 1, 2, … is over. `metrics` has train_loss and, with a validation part, val_loss and val_<metric>."""

    step: int
    epoch: int
    metrics: Mapping[str, float]
    improved: bool


@dataclass(frozen=True, slots=True)
class EndEvent:
    """The training is over: all epochs done, no better value for `patience` epochs, or a number that is not finite."""

    step: int
    epoch: int
    reason: Literal["epochs", "patience", "nonfinite"]
    nonfinite: Nonfinite | None = None


@dataclass(frozen=True, slots=True)
class Nonfinite:
    """Where the first number that is not finite appears: the step that would have used it, and the place in the network."""

    step: int
    where: str
    loss: float


@dataclass(frozen=True, slots=True)
class ExamineEvent:
    """The training waits for an examination: what is looked at, and how much of it is done; `total` 0: not known."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """A fault with harm was found. It stops nothing."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """What is done next, and why, in a sentence: a repair tries changes, or trains again with one."""

    text: str


Event = PlanEvent | StepEvent | EpochEvent | EndEvent | ExamineEvent | FindingEvent | NoticeEvent
"""`fit` yields steps, epochs and the end; the rest comes from what is done around it."""
