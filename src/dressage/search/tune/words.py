"""Scores and settings in the words of a tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dressage.search.stages import short

NAMES = {"r2": "R²"}
LOSS = "−loss"
"""The score of several targets, of which people are told the loss."""


def score_text(metric: str, values: Sequence[float]) -> str:
    """`accuracy 0.9778`, `R² 0.41 to 0.43`, or of several targets `loss 1.32`."""
    name, sign = ("loss", -1.0) if metric == LOSS else (NAMES.get(metric, metric), 1.0)
    low, high = sorted((f"{sign * end:.4g}" for end in (min(values), max(values))), key=float)
    return f"{name} {low}" if low == high else f"{name} {low} to {high}"


def edit_text(edit: Mapping[str, object]) -> str:
    """`optim.lr 0.0053, regularize.dropout 0.1`."""
    return ", ".join(
        f"{path} {short(value) if isinstance(value, int | float | str) else value}" for path, value in edit.items()
    )
