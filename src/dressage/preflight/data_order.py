"""Runs of one label in the order in which batches are served: each batch then teaches one class and forgets the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import Subject
from dressage.subject.baselines import row_targets

BINS = 8  # into which a number to be predicted is cut, so that sorted targets are seen as runs
MIXED = 0.6  # share of the mean entropy of batches drawn at random, below which batches are runs
DRAWS = 20


@dataclass(frozen=True, slots=True)
class Runs:
    """How mixed the labels of batches are."""

    entropy: float
    """Mean over batches, in nats."""
    usual: float
    """The same of batches drawn at random."""
    spread: float
    """Standard deviation of that over draws."""

    @property
    def are_runs(self) -> bool:
        """Whether batches hold far fewer kinds of labels than chance gives."""
        return self.usual > 0 and self.entropy < MIXED * self.usual and self.entropy < self.usual - 6 * self.spread


def label_run_evidence(y: NDArray[np.generic], index: Tensor | NDArray[np.int64], batch_size: int) -> Runs | None:
    """Mean entropy of labels, Σ −p log p, in batches of rows in the order served, against batches drawn at random.

    `y` `(N,)` classes or numbers in the order served; `index` `(N,)` their rows in the split, of which a batch's worth
    of consecutive ones is a batch, so that a spread sample has few rows of each. None where nothing can be told.
    """
    labels = _kinds(np.asarray(y).reshape(len(y), -1)[:, 0])
    kinds = int(labels.max()) + 1 if len(labels) else 0
    at = np.asarray(index, dtype=np.int64) // max(1, batch_size)
    batch = np.unique(at, return_inverse=True)[1].reshape(-1)
    batches = int(batch.max()) + 1 if len(batch) else 0
    if kinds < 2 or batches < 2 or batch_size < 2 or len(labels) / batches < 2:
        return None
    random = np.random.default_rng(0)
    drawn = [_entropy(labels[random.permutation(len(labels))], batch, kinds, batches) for _ in range(DRAWS)]
    return Runs(_entropy(labels, batch, kinds, batches), float(np.mean(drawn)), float(np.std(drawn)))


def no_shuffle(subject: Subject, deadline: float) -> list[Finding]:
    """Labels in runs, in rows that are served in a fixed order; a note where the order in which they are served is not known."""
    rows = subject.train
    if rows is None or subject.task is None or rows.order == "shuffled" or subject.task == "multilabel":
        return []
    target = row_targets(rows, subject.task)
    if target is None or target[0].size != 1 or len(rows) < 20:
        return []
    if subject.task == "regression" and rows.order == "unknown":
        return []  # a series in time is served so on purpose
    size = max(rows.batch_size or 32, int(4 * rows.total / len(rows)))  # at least four sampled rows a window
    runs = label_run_evidence(target, rows.index, size)
    if runs is None or not runs.are_runs:
        return []
    known = rows.order == "fixed"
    return [
        Finding(
            "data.no_shuffle",
            "warning" if known and subject.task != "regression" else "info",
            "order of training batches",
            f"{size} consecutive rows have a label entropy of {runs.entropy:.2f}, drawn at random {runs.usual:.2f}",
            "rows are served in the order of their labels, so that each batch pulls the network to one answer"
            if known
            else "the rows are sorted by their labels: harmless if each epoch serves them in a new order",
            "serve the training rows in a new random order each epoch",
            confidence=0.9 if known else 0.4,
            code="loader = DataLoader(train, batch_size=64, shuffle=True)",
            numbers={"entropy": runs.entropy, "usual": runs.usual},
        )
    ]


def _kinds(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Numbers of classes; many-valued targets are cut into bins of equal count."""
    found, inverse = np.unique(values, return_inverse=True)
    if len(found) <= max(BINS, len(values) // 10):
        return np.asarray(inverse.reshape(-1), dtype=np.int64)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(ranks * BINS // len(values), dtype=np.int64)


def _entropy(labels: NDArray[np.int64], batch: NDArray[np.int64], kinds: int, batches: int) -> float:
    table = np.bincount(batch * kinds + labels, minlength=batches * kinds).reshape(batches, kinds).astype(np.float64)
    shares = table / table.sum(1, keepdims=True)
    return float(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(1).mean())


CHECKS = (("data.no_shuffle", "batches that are runs of one label", no_shuffle),)
