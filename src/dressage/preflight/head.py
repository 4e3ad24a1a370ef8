"""The end of a network with the loss and the targets that it meets."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dressage.preflight.calls import Call
from dressage.preflight.given import Given, lab_given
from dressage.subject import Lab, Subject


@dataclass(frozen=True, slots=True)
class Head:
    """What rules of outputs look at."""

    subject: Subject
    found: Given
    outputs: Tensor
    ends_in: Call | None
    """The activation that the network ends in."""
    deadline: float

    @property
    def lab(self) -> Lab:
        return lab_given(self.subject)
