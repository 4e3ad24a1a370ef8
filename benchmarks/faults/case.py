"""A case: a program as people write them, with a switch for its fault. The table of all cases, and which half each belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Half = Literal["tune", "report", "fresh", "blind"]
Program = Callable[..., float]
"""`program(watch, fault, **params) -> score`: on clean test rows, higher is better; `watch` makes a watch, or a blind one."""

HEALTHY = "healthy"


@dataclass(frozen=True)
class Case:
    """One program, its planted cause, and what else is true of it."""

    id: str
    cause: str
    """An id of a cause, or "healthy"."""
    program: Program
    params: dict[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """Other ids that are true of the faulty run: they count neither as right nor as wrong."""
    source: str = ""
    """Public thread that the nature of the program was taken from."""
    expects: Literal["harm", "info"] = "harm"
    number: int = 0
    """Its place among the cases of its cause, in the order of the files."""
    cause_number: int = 0

    @property
    def half(self) -> Half:
        """Those of the packages `fresh` and `blind` are their own. The others alternate in a cause; every other cause begins
        with the other half. Appended cases change nothing before them."""
        package = self.program.__module__.split(".")[-2]
        if package in ("fresh", "blind"):
            return package  # type: ignore[return-value]
        return "tune" if (self.number + self.cause_number) % 2 == 0 else "report"

    def run(self, watch: Callable[..., Any], fault: bool) -> float:
        """The score of one run of the program."""
        if self.cause == HEALTHY:
            return self.program(watch, **self.params)
        return self.program(watch, fault, **self.params)


CAUSES = """
data.unscaled_inputs data.all_positive_inputs data.target_unscaled data.nonfinite data.shuffled_labels
data.label_noise data.class_imbalance data.leakage data.split_shift data.no_shuffle data.duplicates
model.symmetric_init model.init_too_small model.init_too_large model.saturated_activation model.dead_relu
model.missing_nonlinearity model.wrong_output_activation model.wrong_output_size model.bottleneck
loss.double_softmax loss.logits_as_probs loss.mse_for_classes loss.wrong_sign loss.sum_reduction
loss.shape_broadcast optim.lr_too_high optim.lr_too_low optim.exploding_gradients optim.vanishing_gradients
optim.no_zero_grad optim.frozen_params optim.momentum_too_high optim.bn_small_batch optim.over_regularised
optim.too_few_epochs optim.schedule_collapsed eval.train_mode_at_eval eval.eval_mode_in_training
eval.preprocess_mismatch eval.overfit eval.underfit pipe.data_stall
""".split()  # noqa: SIM905
"""In their own order, which the halves are drawn by."""
CASES: dict[str, Case] = {}


def case(
    cause: str, name: str, *, also: str = "", source: str = "", expects: Literal["harm", "info"] = "harm", **params: Any
) -> Callable[[Program], Program]:
    """Adds a program to the table as `cause/name`; once for each set of `params`. `also` holds ids, separated by blanks."""

    def add(program: Program) -> Program:
        number = sum(known.cause == cause for known in CASES.values())
        key = f"{cause}/{name}"
        if key in CASES:
            raise ValueError(f"{key}: there twice")
        CASES[key] = Case(
            key, cause, program, params, tuple(also.split()), source, expects, number, ([*CAUSES, HEALTHY]).index(cause)
        )
        return program

    return add


def healthy(name: str, **params: Any) -> Callable[[Program], Program]:
    """Adds a program without a fault: `program(watch, **params) -> score`."""
    return case(HEALTHY, name, **params)
