"""Wrong labels told from hard rows: by how often labels contradict models that were fitted without them, where these are surest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dressage.subject.baselines import Baselines

CORE = 0.3  # the most confidently predicted rows: there, models that are right are almost never contradicted
FLOOR = 0.03  # share of the core that is contradicted; clean MNIST, digits, wine: 0, Fashion-MNIST 0.012
FLAT = 0.75  # least ratio of errors, surest fifth to surest half: wrong labels lie evenly, hard rows do not
SIDE = 60  # rows said to be of a class, from which its own share of wrong labels is told
ONE_SIDED = 0.2  # that share: a class may be hard to tell, but then less so where it is surest
HARD, EASY = 0.25, 0.12  # largest error left without the wrong labels, as a share of chance's; Fashion-MNIST has 0.2


def noise_share(said: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Share of wrong labels, of out-of-fold probabilities `(N, C)` and labels `(N,)`; 0 where the errors look natural.

    ρ = error of the surest 30 %. It counts when (1) its lower bound is material, (2) the error is as high among
    the surest fifth as among the surest half, (3) without wrong labels, e = (error − ρ) / (1 − ρ C / (C − 1)),
    the models would be good, and (4) they beat the largest class clearly: under 9:1 classes that nothing
    predicts, "always the large one" is flat as well.
    """
    wrong = (said.argmax(1) != labels)[np.argsort(-said.max(1), kind="stable")]
    count, classes = len(wrong), said.shape[1]
    fifth, core, half = (float(wrong[: int(count * f)].mean()) for f in (0.2, CORE, 0.5))
    error, chance = float(wrong.mean()), 1 - float(np.bincount(labels).max()) / count
    even = (classes - 1) / classes
    left = (error - core) / max(1 - core / even, 0.05)
    slack = math.sqrt(fifth * (1 - fifth) / max(1, int(count * 0.2)))
    slack *= left <= EASY * even  # few rows are noisy, and where the rest is easy nothing else is flat
    natural = _lower_bound(core, int(count * CORE)) < FLOOR or fifth + slack < FLAT * half
    if natural or left > HARD * even or error > 0.8 * chance:
        return 0.0
    return core


def noisier_share(
    said: NDArray[np.float64],
    labels: NDArray[np.int64],
    said_of_others: NDArray[np.float64],
    labels_of_others: NDArray[np.int64],
) -> float:
    """Share of wrong labels of rows whose labels contradict the models where these are surest, as often as elsewhere, while those
    of other rows hardly do: then the models are right there, however hard the rest is. Rows that are merely harder, as those of
    an augmentation are, are answered better where the models are sure.
    """
    if min(len(labels), len(labels_of_others)) < SIDE:
        return 0.0
    fifth, core, half = (_surest_wrong(said, labels, share) for share in (0.2, CORE, 0.5))
    slack = math.sqrt(fifth * (1 - fifth) / (0.2 * len(labels)))
    apart = float((said.argmax(1) != labels).mean() - (said_of_others.argmax(1) != labels_of_others).mean())
    is_even = fifth + slack >= FLAT * half and _lower_bound(core, int(len(labels) * CORE)) >= ONE_SIDED
    is_sound = _surest_wrong(said_of_others, labels_of_others) < core / 3
    return core if is_even and is_sound and apart > 2 / math.sqrt(len(labels_of_others)) else 0.0


def one_sided_share(said: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The same where rows of some classes may have been called by another name: what is said to be of these is wrong as
    often where it is surest, and of the other classes hardly anything is wrong there.

    A real risk looks the same: rows that are of a class with one and the same probability, all rightly labelled.
    """
    decided, sure = said.argmax(1), said.max(1)
    thirds: list[list[NDArray[np.bool_]]] = []
    sound = 0
    for label in range(said.shape[1]):
        rows = np.flatnonzero(decided == label)
        if len(rows) < SIDE:
            continue
        errors = (labels != label)[rows[np.argsort(-sure[rows], kind="stable")]]
        if errors[: len(errors) // 2].mean() <= FLOOR:
            sound += len(rows)
        else:
            thirds.append(np.array_split(errors, 3))
    if not thirds or sound < len(labels) / 4:
        return 0.0
    first, second = (np.concatenate([parts[k] for parts in thirds]) for k in (0, 1))
    both = np.concatenate([first, second])
    wrong, surest = float(both.mean()), float(first.mean())
    slack = math.sqrt(surest * (1 - surest) / len(first))
    if _lower_bound(wrong, len(both)) < ONE_SIDED or surest + slack < FLAT * float(second.mean()) or surest == 0:
        return 0.0
    return wrong * sum(len(part) for parts in thirds for part in parts) / len(labels)


def surest_told(said: NDArray[np.float64], labels: NDArray[np.int64]) -> str:
    """How often the labels contradict what is said where that is surest, in words."""
    return f"of the {CORE:.0%} of rows on which they are surest, {_surest_wrong(said, labels):.0%} carry another label"


def side_told(said: NDArray[np.float64], labels: NDArray[np.int64], names: NDArray[np.int64]) -> str:
    """The class of `one_sided_share` that the labels contradict most, by its name `names (C,)`, in words."""
    decided = said.argmax(1)
    often = np.flatnonzero(np.bincount(decided, minlength=said.shape[1]) >= SIDE)
    wrong = [float((labels != label)[decided == label].mean()) for label in often]
    return (
        f"where they say class {names[often[int(np.argmax(wrong))]]}, {max(wrong):.0%} carry another label, as many where"
        f" they are surest, and of the {CORE:.0%} of all rows on which they are surest, {_surest_wrong(said, labels):.0%} do"
    )


def _surest_wrong(said: NDArray[np.float64], labels: NDArray[np.int64], share: float = CORE) -> float:
    core = np.argsort(-said.max(1), kind="stable")[: int(len(labels) * share)]
    return float((said.argmax(1) != labels)[core].mean())


def contradicted(found: Baselines) -> NDArray[np.int64]:
    """Rows whose label every model contradicts with the same other class, the surest first.

    Sure is: the other class has at least the mean probability that rows of that class give it.
    """
    parts = [found.folds[s.name] for s in found.scores[1:]]
    mean, labels = np.mean(parts, axis=0), found.targets
    other = mean.argmax(1)
    agreed = np.all([p.argmax(1) == other for p in parts], axis=0) & (other != labels)
    typical = np.array([mean[labels == c, c].mean() if (labels == c).any() else 1.0 for c in range(mean.shape[1])])
    margin = mean.max(1) - mean[np.arange(len(labels)), labels]
    rows = np.flatnonzero(agreed & (mean.max(1) >= typical[other]))
    return rows[np.argsort(-margin[rows], kind="stable")]


def _lower_bound(share: float, count: int, z: float = 1.64) -> float:
    """Wilson's lower 95 % bound of a share."""
    middle = share + z * z / (2 * count)
    return (middle - z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))) / (1 + z * z / count)
