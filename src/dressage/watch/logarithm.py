"""A loss that takes the logarithm of outputs below 0: what it takes for probabilities or densities are none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import copy_of, generators_kept
from dressage.subject.subject import first_output
from dressage.watch.case import Case

ROWS = 256
FIRST = 3
"""Steps within which a loss is not finite because of what it is, and not of where the training went."""
LONGEST = 2000
"""Operations that are looked at, from the loss back."""


def log_of_negatives(case: Case) -> list[Finding]:
    """The loss was not a number at once, its outputs were, and it takes the logarithm of something below 0."""
    spoilt, rows, loss_fn = case.telemetry.nonfinite, case.subject.train, case.subject.loss_fn
    if spoilt is None or spoilt[0] > FIRST or rows is None or loss_fn is None or case.start is None:
        return []
    rows = rows.head(ROWS)
    with torch.enable_grad(), generators_kept():
        outputs = first_output(copy_of(case.start[0])(rows.x))
        if not bool(outputs.isfinite().all()):
            return []
        below = _below_zero(loss_fn(outputs, rows.y).mean())
    if not below:
        return []
    return [
        Finding(
            "loss.logits_as_probs",
            "critical",
            "loss",
            f"the outputs are finite and the loss of step {spoilt[0]} is not: it takes the logarithm of numbers of which "
            f"{below:.0%} are below 0",
            "the loss takes plain outputs for probabilities, shares or densities, which are never below 0",
            "bring the outputs to probabilities first (softmax, sigmoid, softplus), or take a loss of logits",
            step=spoilt[0],
            code="p = logits.softmax(1)",
            confidence=0.9,
            numbers={"below": below},
        )
    ]


def _below_zero(loss: Tensor) -> float:
    """The largest share of numbers below 0 that a logarithm on the way to the loss was given."""
    waiting: list[Any] = [loss.grad_fn]
    seen, worst = set[Any](), 0.0
    while waiting and len(seen) < LONGEST:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() in ("LogBackward0", "Log2Backward0", "Log10Backward0"):
            worst = max(worst, float((node._saved_self < 0).float().mean()))
        waiting += [before for before, _ in node.next_functions]
    return worst
