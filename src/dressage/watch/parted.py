"""What is kept of a loss of several parts: a few numbers of each of the last probed steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from dressage.watch.asked import torchs_of
from dressage.watch.calls import Call

LOOKED_AT = 3
"""Probed steps that are kept."""
ROWS = 16
"""Rows of a batch from which shares of classes say something."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of one step."""

    classes: float
    """Mean cross-entropy of the classes."""
    guess: float
    """What a guess by the shares of the batch costs, −Σ p log p."""
    values: float
    """Mean distance of outputs from values."""
    mean: float
    """Of the values."""
    sd: float


def parts_of(calls: list[Call]) -> Parts | None:
    """What the classes and the values of one step cost, each part by one of torch's losses; None where it has not both."""
    classes, values = None, None
    for call, kind in torchs_of(calls):
        assert call.pair is not None
        z, y = call.pair
        if _is_plain(kind) and call.results and z.ndim == 2 and y.shape == z.shape[:1] and len(y) >= ROWS:
            shares = torch.bincount(y.long().clamp_min(0)).float() / len(y)
            guess = float(-(shares * shares.clamp_min(1e-30).log()).sum())
            classes = float(call.results[0].float().mean()), guess
        elif isinstance(kind, nn.MSELoss | nn.L1Loss | nn.SmoothL1Loss | nn.HuberLoss) and z.shape == y.shape:
            t = y.float()
            values = float((z.float() - t).abs().mean()), float(t.mean()), float(t.std())
    return None if classes is None or values is None else Parts(*classes, *values)


def _is_plain(kind: nn.Module) -> bool:
    """Whether it is the mean cross-entropy of all classes alike."""
    return isinstance(kind, nn.CrossEntropyLoss) and kind.weight is None and kind.reduction == "mean"
