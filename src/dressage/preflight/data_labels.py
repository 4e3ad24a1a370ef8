"""The labels: their shares, whether anything in the inputs speaks of them, and which are contradicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight.data_places import torn_places
from dressage.preflight.known import baselines_of, quietly
from dressage.preflight.loss_form import asks_for_means
from dressage.preflight.wrong_labels import (
    contradicted,
    noise_share,
    noisier_share,
    one_sided_share,
    side_told,
    surest_told,
)
from dressage.subject import Subject, Task, advance, decided, lab_of, labels_of, outputs_of
from dressage.subject.baselines import Baselines, baselines, row_targets
from dressage.subject.features import is_tokens
from dressage.subject.task import default_metric

UNEQUAL = 10.0  # times as many rows of the largest class as of the smallest
NOT_LEARNED = 0.1  # recall of the smallest class below which it is as good as never named
ENOUGH = 150  # rows below which "at chance" cannot be told from "weak"
SIGNAL = 2.6  # standard deviations above permuted targets (p = 0.005) that are a signal, for any of three models
CLEAR = 0.1  # of the score, by which validation rows by themselves have to be told better than training rows


def class_imbalance(subject: Subject, deadline: float) -> list[Finding]:
    """Classes of very unequal shares: a note, because only a trained network shows whether the small ones are learned."""
    if subject.train is None or subject.task not in ("classification", "binary"):
        return []
    labels = row_targets(subject.train, subject.task)
    if labels is None:
        return []
    counts = np.unique(labels, return_counts=True)[1]
    found = imbalance_finding((counts / counts.sum()).tolist(), math.nan, 0)
    return [] if found is None else [found]


def minority_recall(outputs: Tensor, y: Tensor, task: Task) -> float:
    """Share of the smallest class's rows that are named as such; NaN without classes, or a class a place."""
    if task not in ("classification", "binary"):
        return math.nan
    labels, said = labels_of(y, task), decided(outputs, task)
    if labels.shape != said.shape or not len(labels):
        return math.nan
    names, counts = torch.unique(labels, return_counts=True)
    rare = labels == names[counts.argmin()]
    return float((said[rare] == labels[rare]).float().mean())


def imbalance_finding(shares: Sequence[float], recall: float, step: int) -> Finding | None:
    """None for classes of like shares; a warning where the recall of the smallest is near 0, a note elsewhere."""
    if len(shares) < 2 or max(shares) < UNEQUAL * min(shares):
        return None
    harm = math.isfinite(recall) and recall <= NOT_LEARNED
    ratio = max(shares) / max(min(shares), 1e-12)
    seen = f"the largest class has {max(shares):.1%} of the rows, the smallest {min(shares):.2%}"
    seen += "" if math.isnan(recall) else f"; {recall:.0%} of the smallest class's rows are recognised at step {step}"
    return Finding(
        "data.class_imbalance",
        "warning" if harm else "info",
        "training targets",
        seen,
        "the loss is ruled by the large classes" + (", and the small ones are not learned" if harm else ""),
        "weight the classes or sample them evenly, and judge by a balanced metric",
        step=step,
        confidence=0.8 if harm else 0.5,
        code="loss_fn = nn.CrossEntropyLoss(weight=len(y) / (classes * torch.bincount(y)))",
        numbers={"ratio": ratio, "recall": recall},
    )


def shuffled_labels(subject: Subject, deadline: float) -> list[Finding]:
    """Nothing in the inputs speaks of the targets: neighbours, a linear model and trees are all at chance.

    Where targets are pictures, as masks are: they fit the inputs of other rows.
    """
    if torn := torn_places(subject):
        return torn
    has_labels = subject.task == "multilabel"
    if has_labels:  # of rare ones accuracy says little
        subject = replace(subject, task="regression", metric=None)
    found = baselines_of(subject, deadline)
    if found is None or len(found.targets) < ENOUGH or len(found.scores) < 4:
        return []
    if found.groups and found.groups < ENOUGH:
        return []  # as few as the groups are rows that say anything of their own
    assert subject.train is not None
    best, chance = max(found.scores[1:], key=lambda s: s.score), max(0.0, found.constant.score)
    if not bool(torch.isfinite(subject.train.x).all()):
        return []  # what is broken already is named elsewhere
    if not _at_chance(found):
        return _held_alone(subject, found)
    if _network_learns(subject, deadline):
        return []
    seen = (
        f"{best.name}, the best of three simple models, reach {best.score:.3f} ± {best.error:.3f} by cross-validation"
    )
    seen += f" on {len(found.targets)} training rows; knowing nothing reaches {chance:.3f}"
    if told := _told_by_validation(subject, best.score, deadline):
        return [_unpaired("training targets", f"{seen}; {told}", best.score - chance, 0.9)]
    if subject.task == "regression" and not has_labels and not asks_for_means(subject):
        seen += "; the loss asks for something else than R² judges"
        return [replace(_unpaired("training targets", seen, best.score - chance, 0.3), severity="info")]
    if _beyond_simple_models(subject.train.x):
        seen += "; for such inputs this may be a law that only a network finds"
        return [replace(_unpaired("training targets", seen, best.score - chance, 0.3), severity="info")]
    return [_unpaired("training targets", seen, best.score - chance, 0.8)]


def label_noise(subject: Subject, deadline: float) -> list[Finding]:
    """Labels that models fitted without them contradict, where the models are surest.

    The error among the surest rows is the share of wrong labels when it no longer falls with sureness; that of
    rows that are merely hard does. Errors of one side alone are a note: a real risk looks the same. Based on confident
    learning, Northcutt et al. 2021, doi:10.1613/jair.1.12125.
    """
    found = baselines_of(subject, deadline)
    if found is None or not len(found.classes) or len(found.scores) < 4 or len(found.targets) < 100:
        return []
    assert subject.train is not None
    said = np.mean([found.folds[s.name] for s in found.scores[1:]], axis=0)
    even = noise_share(said, found.targets) or _noisier(found, said)
    share = even or one_sided_share(said, found.targets)
    if share == 0:
        return []
    suspects = contradicted(found)
    if len(suspects) < 5:
        return []
    rows = subject.train.index.numpy()[found.rows[suspects]]
    size, error = len(found.targets), float((said.argmax(1) != found.targets).mean())
    told = surest_told(said, found.targets) if even else side_told(said, found.targets, found.classes)
    seen = f"labels against cross-validated models: {told};"
    seen += f" the error of all {size} rows is {error:.0%}; contradicted by all models: {len(suspects)} rows,"
    seen += f" the surest first {', '.join(map(str, rows[:10].tolist()))}"
    cause = (
        "and no model can score above what they allow" if even else "or these rows are of that class only that often"
    )
    return [
        Finding(
            "data.label_noise",
            "warning" if even else "info",
            "training targets",
            seen,
            f"about {share:.0%} of the labels are wrong, {cause}",
            "look at the listed rows and relabel them; until then smooth the labels and stop early",
            confidence=0.85 if even else 0.4,
            code="loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)",
            numbers={"share": share, "suspects": float(len(suspects)), "error": error},
        )
    ]


def _noisier(found: Baselines, said: NDArray[np.float64]) -> float:
    """Share of wrong labels of training rows beside validation rows, where models are given these too."""
    others = [found.validation_outputs[s.name] for s in found.scores[1:] if s.name in found.validation_outputs]
    if not others or any(each.shape[1:] != said.shape[1:] for each in others):
        return 0.0
    return noisier_share(said, found.targets, np.mean(others, axis=0), found.validation_targets)


def _at_chance(found: Baselines) -> bool:
    """Whether no model beats permuted targets, and the rows are enough to have seen a weak signal."""
    chance, room = (max(0.0, found.constant.score), 0.1) if len(found.classes) else (0.0, 0.05)
    upper = max(s.score + 2 * s.error for s in found.scores[1:])
    if upper > chance + room * (1 - chance):
        return False
    return all(_agreement(found.folds[s.name], found.targets, len(found.classes)) < SIGNAL for s in found.scores[1:])


def _agreement(said: NDArray[np.float64], targets: NDArray[np.generic], classes: int) -> float:
    """Σ said · target, both centred, in standard deviations above what permuted targets give."""
    table = np.eye(classes)[targets] if classes else targets.astype(np.float64)
    said, table = said - said.mean(0), table - table.mean(0)
    random = np.random.default_rng(0)
    drawn = [float((said * table[random.permutation(len(table))]).sum()) for _ in range(200)]
    return float(((said * table).sum() - np.mean(drawn)) / max(float(np.std(drawn)), 1e-12))


def _beyond_simple_models(x: Tensor) -> bool:
    """Tokens, series, and inputs of two or three values: laws such as an order, a frequency, a parity defeat simple models."""
    sides = sorted(x.shape[1:])
    is_series = len(sides) == 2 and sides[0] * 4 < sides[1]
    return is_tokens(x) or is_series or len(torch.unique(x.flatten()[:50_000])) <= 3


def _network_learns(subject: Subject, deadline: float) -> bool:
    """Whether the network itself, trained shortly on half of the rows, is above chance on the other half."""
    lab = lab_of(subject)
    if lab is None or subject.task is None:
        return False
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(lab.x)))
    own, other = order[: len(order) // 2], order[len(order) // 2 :]
    try:
        limit = min(deadline, work_seconds() + 3.0)
        tried = quietly(advance, replace(lab, x=lab.x[own], y=lab.y[own], metric=None), 400, deadline=limit)
        if tried.model is None or tried.diverged:
            return False
        outputs, y = outputs_of(tried.model, lab.x[other]).cpu(), lab.y[other].cpu()
        metric = default_metric(subject.task).of
        draws = [torch.from_numpy(np.random.default_rng(k).permutation(len(y))) for k in range(40)]
        chance = [metric(outputs, y[draw]) for draw in draws]
        return metric(outputs, y) > float(np.mean(chance) + 4 * np.std(chance))
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False


def _told_by_validation(subject: Subject, reached: float, deadline: float) -> str:
    """Whether validation rows by themselves speak of their targets as training rows do not, in words, whatever the loss asks."""
    rows = subject.validation
    if rows is None or subject.task is None or len(rows) < ENOUGH:
        return ""
    found = quietly(baselines, rows, subject.task, deadline)
    if found is None or not found.tells or found.best.score < reached + max(CLEAR, 3 * found.best.error):
        return ""
    return f"of {len(found.targets)} validation rows by themselves {found.best.name} reach {found.best.score:.3f}"


def _held_alone(subject: Subject, found: Baselines) -> list[Finding]:
    """The validation rows alone are unpaired: what is clearly learned on the training rows is at chance there."""
    best, chance = found.best, found.constant
    if not len(found.classes) or len(found.validation_targets) < 100 or best.score - chance.score < 0.2:
        return []
    upper = max(s.validation + 2.5 * s.validation_error for s in found.scores[1:])
    said = [found.validation_outputs[s.name] for s in found.scores[1:]]
    targets = found.validation_targets
    if (
        upper > chance.validation + 0.3 * (best.score - chance.score)
        or (targets < 0).any()
        or len(np.unique(targets)) < 2
    ):
        return []
    if max(_agreement(s, targets, len(found.classes)) for s in said) >= SIGNAL:
        return []
    seen = f"{best.name} reach {best.score:.3f} by cross-validation on training rows and {best.validation:.3f} on"
    seen += f" {len(targets)} validation rows, where knowing nothing reaches {chance.validation:.3f}"
    return [_unpaired("validation targets", seen, best.validation - chance.validation, 0.7)]


def _unpaired(where: str, seen: str, gain: float, confidence: float) -> Finding:
    return Finding(
        "data.shuffled_labels",
        "warning",
        where,
        seen,
        "inputs and targets do not belong together: nothing in a row speaks of its target",
        "check that rows and targets are read, sorted, split and shuffled together",
        confidence=confidence,
        code="order = torch.randperm(len(x)); x, y = x[order], y[order]  # one order for both",
        numbers={"gain": gain},
    )


CHECKS = (
    ("data.class_imbalance", "classes of very unequal shares", class_imbalance),
    ("data.shuffled_labels", "targets that nothing in the inputs speaks of", shuffled_labels),
    ("data.label_noise", "labels that cross-validated models contradict", label_noise),
)
