"""How the answers of the members become one: each rule a function of all answers and of what each member counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.catalogue import Catalogue, Entry
from dressage.data.source import Head, spans
from dressage.errors import RecipeError
from dressage.evaluate.per_row import losses

Weigh = Callable[[Tensor, Tensor, Sequence[Head]], Tensor]
"""From answers `(K, N, Σ C)` to validation rows and their targets `(N, T)` to what each member counts, `(K,)` of sum 1."""
TIES = 1e-6
SMALLEST = 1e-300  # float64 knows nothing below 5e-324, and a logarithm has to stay finite


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to combine members."""

    classes: Callable[[Tensor, Tensor], Tensor] | None
    """Probabilities `(K, N, C)` and weights `(K,)` of sum 1 to `(N, C)`; None: the weights of the networks are averaged."""
    weigh: Weigh | None = None
    """How members are chosen on validation rows; None: all count the same."""
    numbers: bool = True
    """Whether it has a meaning for numbers, which are averaged."""
    barrier: float = 0.0
    """Of an average of weights: how much higher the error may be on the line between two members."""

    def combine(self, answers: Tensor, weights: Tensor, heads: Sequence[Head]) -> Tensor:
        """`(N, Σ C)` from the members' answers `(K, N, Σ C)`; each of several targets by itself."""
        if self.classes is None or len(answers) == 1:
            return _mean(answers, weights)
        each = [
            (self.classes if head.classes else _mean)(answers[:, :, own], weights)
            for head, own in zip(heads, spans(heads), strict=True)
        ]
        return torch.cat(each, 1)


def _mean(answers: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("k,knc->nc", weights.to(answers), answers)


def _geometric(answers: Tensor, weights: Tensor) -> Tensor:
    return torch.softmax(_mean(answers.clamp_min(SMALLEST).log(), weights), 1)


def _votes(answers: Tensor, weights: Tensor) -> Tensor:
    ballots = torch.nn.functional.one_hot(answers.argmax(2), answers.shape[2]).to(answers)
    return (1 - TIES) * _mean(ballots, weights) + TIES * _mean(answers, weights)


def mean() -> Rule:
    """The mean of the members' probabilities, or of their values in a regression."""
    return Rule(_mean)


def logits() -> Rule:
    """The mean of the members' logits: their probabilities' geometric mean, brought to sum 1."""
    return Rule(_geometric, numbers=False)


def vote() -> Rule:
    """Each member has one vote for a class; between equal numbers of votes the mean probability decides."""
    return Rule(_votes, numbers=False)


def greedy(*, rounds: int = 50) -> Rule:
    """Members are added one by one, each as often as it helps, so that the mean has the lowest loss on the validation rows."""
    if rounds < 1:
        raise RecipeError.of("greedy.rounds", f"{rounds} given", "expected 1 or more", "e.g. greedy(rounds=50)")

    def weigh(answers: Tensor, y: Tensor, heads: Sequence[Head]) -> Tensor:
        return greedy_counts(answers, y, heads, rounds)

    return Rule(_mean, weigh)


def greedy_counts(answers: Tensor, y: Tensor, heads: Sequence[Head], rounds: int) -> Tensor:
    """`(K,)`: shares of the members in the best mean of up to `rounds` that were added greedily, each time from all of them.

    Of equal ones the first is taken; the shortest of the best is kept.
    """
    counts = torch.zeros(len(answers), dtype=answers.dtype)
    total, best, kept = torch.zeros_like(answers[0]), float("inf"), counts
    for taken in range(1, rounds + 1):
        tried = [float(losses((total + one) / taken, y, heads).mean()) for one in answers]
        chosen = min(range(len(tried)), key=tried.__getitem__)
        counts[chosen] += 1
        total = total + answers[chosen]
        if tried[chosen] < best:
            best, kept = tried[chosen], counts / taken
    return kept


def soup(*, barrier: float = 0.02) -> Rule:
    """One network with the mean of the members' weights, where no barrier lies between them.

    The error is looked at on the straight line between each two: where it rises more than `barrier` above the line
    between its ends, the mean is refused. Batch-norm statistics are measured anew.
    """
    if not 0 <= barrier < 1:
        raise RecipeError.of("soup.barrier", f"{barrier} given", "expected 0 ≤ barrier < 1", "e.g. soup(barrier=0.02)")
    return Rule(None, barrier=barrier)


catalogue: Catalogue[Rule] = Catalogue(
    "combine",
    Entry(
        "mean",
        mean,
        "Mean of the probabilities, or of the values in a regression.",
        "p = Σ_k w_k p_k, w_k = 1/K",
        "L6, R5, DR10; Hansen & Salamon 1990, Lakshminarayanan et al. 2017",
    ),
    Entry(
        "logits",
        logits,
        "Mean of the logits: a member that is sure of its no counts more than in the mean of probabilities.",
        "p = softmax(Σ_k w_k log p_k)",
        "DR10; Hinton 2002 (product of experts)",
    ),
    Entry(
        "vote",
        vote,
        "One vote a member; ties go to the class of the higher mean probability.",
        "p_c = (1 − ε) Σ_k w_k 1[argmax p_k = c] + ε Σ_k w_k p_kc, ε = 1e-6",
        "R5; Breiman 1996",
    ),
    Entry(
        "greedy",
        greedy,
        "Members chosen one by one, with return, for the lowest loss of their mean on the validation rows.",
        "k_t = argmin_k L((Σ_{s<t} p_{k_s} + p_k)/t), t ≤ rounds; w_k = share of k in the best prefix",
        "Caruana et al. 2004",
    ),
    Entry(
        "soup",
        soup,
        "One network with the mean of the weights, refused where a barrier lies between two members.",
        "θ = 1/K Σ_k θ_k; barrier = max_α [E((1 − α)θ_a + αθ_b) − (1 − α)E(θ_a) − αE(θ_b)]",
        "Wortsman et al. 2022; Frankle et al. 2020 (barrier)",
    ),
)
