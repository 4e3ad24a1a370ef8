"""By how much some answers are better than others, row by row, and how much members differ."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from dressage.data.several import columns_of
from dressage.data.source import Head, spans
from dressage.evaluate.intervals import bootstrap, estimate
from dressage.evaluate.per_row import scores


def gained(better: Tensor, other: Tensor, y: Tensor, heads: Sequence[Head], seed: int) -> dict[str, Any]:
    """By how much some answers score above others on the same rows, with the interval of a paired bootstrap over the rows."""
    difference = (scores(better, y, heads) - scores(other, y, heads)).numpy()
    low, high = bootstrap(difference[:, None], lambda means: means[:, 0], seed)
    return {**estimate(float(difference.mean()), low, high), "n": len(difference)}


def diversity(answers: Tensor, y: Tensor, heads: Sequence[Head]) -> dict[str, float]:
    """How much the members differ, `answers (K, N, Σ C)`.

    disagreement: share of the rows (and targets with classes) to which two members give different classes, the mean over all
    pairs. ambiguity: the squared error that the mean of the members has less than its members on average,
    1/K Σ_k ‖p_k − p̄‖², exactly (Krogh & Vedelsby 1995); of numbers in shares of the target's variance.
    """
    told = {"ambiguity": float(_ambiguity(answers, y, heads))}
    named = [own for head, own in zip(heads, spans(heads), strict=True) if head.classes]
    if named and len(answers) > 1:
        chosen = torch.stack([answers[:, :, own].argmax(2) for own in named], 2)
        pairs = [float((chosen[a] != chosen[b]).double().mean()) for a, b in combinations(range(len(chosen)), 2)]
        told["disagreement"] = sum(pairs) / len(pairs)
    return told


def _ambiguity(answers: Tensor, y: Tensor, heads: Sequence[Head]) -> Tensor:
    apart = (answers - answers.mean(0)).square().mean((0, 1))
    each = []
    for head, own, column in zip(heads, spans(heads), columns_of(y, heads), strict=True):
        spread = torch.ones(()) if head.classes else column.double().var(correction=0)
        each.append(apart[own].sum() / (spread if spread > 0 else 1.0))
    return torch.stack(each).mean()
