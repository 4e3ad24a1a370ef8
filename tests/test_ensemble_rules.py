"""How answers are combined and judged, each against a NumPy statement."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from dressage.data.source import Head
from dressage.data.split import resampled
from dressage.ensemble.rules import TIES, catalogue, greedy_counts
from dressage.ensemble.soup import Line, mixed
from dressage.ensemble.worth import diversity, gained
from dressage.errors import RecipeError
from dressage.evaluate.per_row import losses, scores
from dressage.record import snapshot_epochs

HEADS = [Head("kind", ("a", "b", "c")), Head("size")]
EQUAL = torch.full((4,), 0.25, dtype=torch.float64)


def drawn(members: int = 4, rows: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities `(K, N, 3)`, values `(K, N)`, and targets `(N, 2)` of both."""
    rng = np.random.default_rng(seed)
    y = np.stack([rng.integers(0, 3, rows), rng.normal(3, 2, rows)], 1).astype(np.float32)
    z = rng.normal(0, 1, (members, rows, 3)) + 1.5 * (np.arange(3) == y[:, :1])
    p = np.exp(z) / np.exp(z).sum(2, keepdims=True)
    return p, y[None, :, 1] + rng.normal(0, 1, (members, rows)), y


def combined(
    rule: str, p: np.ndarray, values: np.ndarray, weights: torch.Tensor = EQUAL
) -> tuple[np.ndarray, np.ndarray]:
    answers = torch.from_numpy(np.concatenate([p, values[:, :, None]], 2))
    out = catalogue.build(rule).combine(answers, weights, HEADS).numpy()
    return out[:, :3], out[:, 3]


def mean(p, w):
    return (w[:, None, None] * p).sum(0)


def logits(p, w):
    product = np.prod(p ** w[:, None, None], 0)
    return product / product.sum(1, keepdims=True)


def vote(p, w):
    votes = np.zeros(p.shape[1:])
    for k, one in enumerate(p):
        votes[np.arange(len(one)), one.argmax(1)] += w[k]
    return (1 - TIES) * votes + TIES * mean(p, w)


@pytest.mark.parametrize("rule", [mean, logits, vote])
@pytest.mark.parametrize("weights", [(0.25,) * 4, (0.5, 0.3, 0.2, 0.0)])
def test_a_rule_is_its_formula(rule, weights) -> None:
    p, values, _ = drawn()
    found, numbers = combined(rule.__name__, p, values, torch.tensor(weights, dtype=torch.float64))
    assert np.allclose(found, rule(p, np.array(weights)), rtol=1e-10, atol=0)
    assert np.allclose(found.sum(1), 1, rtol=1e-12)
    assert np.allclose(numbers, np.array(weights) @ values, rtol=1e-10)


def test_a_class_held_impossible_leaves_logits_finite() -> None:
    answers = torch.tensor([[[1.0, 0.0]], [[0.5, 0.5]]], dtype=torch.float64)
    out = catalogue.build("logits").combine(answers, EQUAL[:2] * 2, [Head("y", ("a", "b"))])
    assert torch.allclose(out, torch.tensor([[1.0, 0.0]], dtype=torch.float64)) and bool(out.isfinite().all())


def test_votes_that_are_equal_go_to_the_likelier_class() -> None:
    answers = torch.tensor([[[0.9, 0.1, 0.0]], [[0.4, 0.6, 0.0]]], dtype=torch.float64)
    out = catalogue.build("vote").combine(answers, EQUAL[:2] * 2, HEADS[:1])
    assert int(out.argmax()) == 0 and float(out[0, 0]) == pytest.approx(0.5, abs=1e-5)


def by_hand(p: np.ndarray, y: np.ndarray, rounds: int) -> np.ndarray:
    """Caruana's selection, each round written out."""
    bag: list[int] = []
    best, kept = np.inf, bag
    for _ in range(rounds):
        tried = [-np.log(p[[*bag, k]].mean(0)[np.arange(len(y)), y]).mean() for k in range(len(p))]
        bag = [*bag, int(np.argmin(tried))]
        if min(tried) < best:
            best, kept = min(tried), bag
    return np.bincount(kept, minlength=len(p)) / len(kept)


@pytest.mark.parametrize("seed", range(3))
def test_greedy_selection_is_caruanas(seed: int) -> None:
    p, _, y = drawn(seed=seed)
    p[1] = np.roll(p[1], 1, axis=1)  # a member that is worse than none
    found = greedy_counts(torch.from_numpy(p), torch.from_numpy(y[:, :1]), HEADS[:1], 20)
    assert np.allclose(found, by_hand(p, y[:, 0].astype(int), 20))
    assert found[1] == 0 and float(found.sum()) == pytest.approx(1)


@pytest.mark.parametrize("written", ["greedy(rounds=0)", "soup(barrier=-1)", "means"])
def test_a_rule_that_cannot_be(written: str) -> None:
    with pytest.raises(RecipeError):
        catalogue.build(written)


def test_scores_and_losses_of_rows() -> None:
    p, values, y = drawn()
    answers, targets = torch.from_numpy(np.concatenate([p, values[:, :, None]], 2))[0], torch.from_numpy(y)
    right = p[0].argmax(1) == y[:, 0]
    squares = (values[0] - y[:, 1]) ** 2 / y[:, 1].astype(float).var()
    assert np.allclose(scores(answers, targets, HEADS), (right + 1 - squares) / 2, rtol=1e-10)
    nats = -np.log(p[0][np.arange(len(y)), y[:, 0].astype(int)])
    assert np.allclose(losses(answers, targets, HEADS), (nats + squares) / 2, rtol=1e-10)
    r2 = 1 - ((values[0] - y[:, 1]) ** 2).sum() / ((y[:, 1] - y[:, 1].astype(float).mean()) ** 2).sum()
    assert float(scores(answers[:, 3:], targets[:, 1:], HEADS[1:]).mean()) == pytest.approx(r2, rel=1e-10)


def test_the_gain_is_paired_row_by_row() -> None:
    p, _, y = drawn(rows=400)
    better, other, targets = torch.from_numpy(p.mean(0)), torch.from_numpy(p[0]), torch.from_numpy(y[:, :1])
    found = gained(better, other, targets, HEADS[:1], seed=0)
    d = (p.mean(0).argmax(1) == y[:, 0]).astype(float) - (p[0].argmax(1) == y[:, 0])
    half = 1.96 * d.std() / np.sqrt(len(d))  # the normal interval, which the bootstrap comes to
    assert found["value"] == pytest.approx(d.mean()) and found["n"] == 400
    assert found["low"] == pytest.approx(d.mean() - half, abs=0.2 * half)
    assert found["high"] == pytest.approx(d.mean() + half, abs=0.2 * half)
    same = gained(other, other, targets, HEADS[:1], seed=0)
    assert same["value"] == same["low"] == same["high"] == 0


def test_diversity_is_what_the_mean_has_less_of_squared_error() -> None:
    p, values, y = drawn()
    answers, targets = torch.from_numpy(np.concatenate([p, values[:, :, None]], 2)), torch.from_numpy(y)
    found = diversity(answers, targets, HEADS)
    truth = np.eye(3)[y[:, 0].astype(int)]
    brier = [((one - truth) ** 2).sum(1).mean() for one in (*p, p.mean(0))]
    square = [((one - y[:, 1]) ** 2).mean() / y[:, 1].astype(float).var() for one in (*values, values.mean(0))]
    apart = (np.mean(brier[:-1]) - brier[-1] + np.mean(square[:-1]) - square[-1]) / 2
    assert found["ambiguity"] == pytest.approx(apart, rel=1e-10)  # Krogh and Vedelsby's identity
    pairs = [(p[a].argmax(1) != p[b].argmax(1)).mean() for a, b in combinations(range(4), 2)]
    assert found["disagreement"] == pytest.approx(np.mean(pairs), rel=1e-10)


def test_a_bootstrap_sample() -> None:
    rows = torch.arange(100, 10_100)
    drawn_rows = resampled(rows, 3)
    assert len(drawn_rows) == 10_000 and bool((drawn_rows.diff() >= 0).all())
    assert len(drawn_rows.unique()) / 10_000 == pytest.approx(1 - np.exp(-1), abs=0.015)
    assert drawn_rows.equal(resampled(rows, 3)) and not drawn_rows.equal(resampled(rows, 4))


def test_snapshots_end_equal_stretches() -> None:
    assert snapshot_epochs(10, 5) == [2, 4, 6, 8, 10]
    assert snapshot_epochs(10, 3) == [4, 7, 10]
    assert snapshot_epochs(10, 0) == []


def test_a_mean_of_weights_and_a_barrier() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    one, other = ({"w": torch.from_numpy(w).float(), "seen": torch.tensor(7)} for w in (a, b))
    found = mixed([one, other], [0.3, 0.7])
    assert np.allclose(found["w"], 0.3 * one["w"].numpy().astype(float) + 0.7 * other["w"].numpy(), rtol=1e-6)
    assert found["w"].dtype == torch.float32 and found["seen"] == 7
    line = Line(("a", "b"), (0.0, 0.5, 1.0), (1.0, 1.5, 3.0), (0.1, 0.5, 0.3))
    assert (
        line.barrier == pytest.approx(0.3) and line.loss_barrier == 0.0
    )  # 0.5 above (0.1 + 0.3)/2; the loss never rises
