"""Wrong labels of one side: rows of a class called by another name, told from a class that is only hard to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dressage.preflight.wrong_labels import noise_share, noisier_share, one_sided_share, side_told


def judged(
    overlooked: float, overlap: float, seed: int, rows: int = 1200
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What is rightly said of two classes on a line, and labels of which a share of class 1 was called 0."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 2, rows)
    z = np.where(truth == 1, 1.0, -1.0) + overlap * draw.standard_normal(rows)
    labels = np.where((truth == 1) & (draw.random(rows) < overlooked), 0, truth)
    one = (1 - overlooked) / (1 + np.exp(-2 * z / overlap**2))
    return np.stack([1 - one, one], 1), labels


@pytest.mark.parametrize("seed", range(5))
def test_a_class_that_was_overlooked_is_told(seed: int) -> None:
    said, labels = judged(0.35, 0.5, seed)
    assert noise_share(said, labels) == 0.0
    assert 0.1 < one_sided_share(said, labels) < 0.25
    assert "class 7" in side_told(said, labels, np.array([3, 7]))


@pytest.mark.parametrize("overlap", [0.3, 0.8, 1.2, 2.0])
def test_classes_that_overlap_are_no_wrong_labels(overlap: float) -> None:
    assert [noise_share(*judged(0.0, overlap, seed)) for seed in range(5)] == [0.0] * 5
    assert [one_sided_share(*judged(0.0, overlap, seed)) for seed in range(5)] == [0.0] * 5


def test_a_rare_class_that_is_hard_is_no_wrong_label() -> None:
    draw = np.random.default_rng(0)
    truth = (draw.random(3000) < 0.1).astype(np.int64)
    z = np.where(truth == 1, 1.0, -1.0) + draw.standard_normal(3000)
    one = 1 / (1 + np.exp(-2 * z))  # as if both were as frequent: most of what it names is wrong
    said = np.stack([1 - one, one], 1)
    assert noise_share(said, truth) == one_sided_share(said, truth) == 0.0


def test_a_class_that_is_said_three_times_is_not_the_one_that_is_told() -> None:
    said, labels = judged(0.35, 0.5, 0)
    said = np.concatenate([said, np.zeros((len(said), 1))], 1)
    said[np.flatnonzero(labels == 0)[:3]] = 0, 0, 1  # wrong each time
    assert "class 7, 3" in side_told(said, labels, np.array([3, 7, 9]))


def drawn(count: int, error: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int) -> tuple[Any, Any]:
    """Probabilities of ten classes of rising sureness, and labels that contradict them as often as `error` of the sureness says."""
    draw = np.random.default_rng(seed)
    sure, labels = draw.uniform(0.2, 1, count), draw.integers(0, 10, count)
    said = np.tile((1 - sure[:, None]) / 9, (1, 10))
    other = (labels + draw.integers(1, 10, count)) % 10
    shown = np.where(draw.random(count) < error(sure), other, labels)
    said[np.arange(count), shown] = sure
    return said, labels


@pytest.mark.parametrize(
    ("own", "others", "wanted"),
    [
        (lambda sure: 0.45 + 0 * sure, lambda sure: 0.3 * (1 - sure), 0.45),  # noise beside clean rows
        (
            lambda sure: 0.6 * (1 - sure) + 0.05,
            lambda sure: 0.1 * (1 - sure),
            0,
        ),  # rows that are merely harder: augmented ones
        (lambda sure: 0.45 + 0 * sure, lambda sure: 0.45 + 0 * sure, 0),  # the others are no cleaner
        (lambda sure: 0.45 + 0 * sure, lambda sure: 0.25 + 0 * sure, 0),  # they are cleaner, and no clean rows to go by
    ],
)
def test_rows_whose_labels_are_wrong_more_often_than_those_of_others(own: Any, others: Any, wanted: float) -> None:
    found = noisier_share(*drawn(2000, own, 0), *drawn(800, others, 1))
    assert found == pytest.approx(wanted, abs=0.06)
