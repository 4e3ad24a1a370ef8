"""Targets that a loss of probabilities was seen to be given, and that are none."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dressage.findings import Finding

MOST = 100
"""Kinds of whole numbers, up to which they are classes and no counts."""


def classes_for_probabilities(pair: tuple[Tensor, Tensor] | None, kind: object, step: int) -> list[Finding]:
    """Binary cross-entropy with a target of 2, −2 log p + log(1 − p), falls without end. `pair`: outputs and targets."""
    if pair is None or not isinstance(kind, nn.BCELoss | nn.BCEWithLogitsLoss):
        return []
    kinds = torch.unique(pair[1])
    if not 3 <= len(kinds) <= MOST or bool((kinds != kinds.round()).any()) or float(kinds[0]) < 0:
        return []
    shown = ", ".join(f"{k:g}" for k in kinds[:5].tolist()) + (" …" if len(kinds) > 5 else "")
    return [
        Finding(
            "model.wrong_output_size",
            "warning",
            "head",
            f"binary cross-entropy is given the targets {shown}; it takes each for a probability, and above 1 it falls without end",
            "one output cannot tell more than two classes, and numbers of classes are no probabilities",
            "an output for each class, and cross-entropy",
            step=step,
            code=f"nn.Linear(..., {int(kinds[-1]) + 1}); nn.CrossEntropyLoss()(outputs, y.long())",
            confidence=0.95,
            numbers={"highest": float(kinds[-1])},
        )
    ]
