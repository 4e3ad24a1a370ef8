"""How a loss behaves, found by trying it: what it takes its outputs for, and which way it points."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dressage.subject.rows import Rows
from dressage.subject.subject import Loss, Subject

BOUNDED = 5.0
"""Cost of the surest mistake, by outputs 60 apart: at most 2 for squared error of probabilities, 60 for a cross-entropy."""


KINDS = 8  # of targets, up to which a loss is looked at for each apart
PROBABLE = (0.5, 0.8, 0.3)
"""Probabilities of what is right, by whose costs a loss of probabilities is known."""


def value(loss_fn: Loss, outputs: Tensor, y: Tensor) -> float:
    """The loss, or NaN where it refuses these outputs."""
    try:
        with torch.no_grad():
            return float(loss_fn(outputs, y).float().mean())
    except Exception:  # the user's loss; that it refuses is the answer
        return math.nan


def raised(loss_fn: Loss, outputs: Tensor, y: Tensor) -> str:
    """What the loss raises, in one line; empty: nothing."""
    try:
        with torch.no_grad():
            loss_fn(outputs, y)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return ""


def softmax_axis(loss_fn: Loss, y: Tensor, shape: torch.Size) -> int | None:
    """Axis along which it applies softmax itself: a number added to all classes of a place changes nothing. None without one.

    Outputs `(N, C, ...)` as torch has them, or `(N, ..., C)` of a loss that flattens its places.
    """
    z = _noise(shape, y)
    first = value(loss_fn, z, y)
    if close(first, value(loss_fn, 2 * z, y)):
        return None
    for axis in sorted({1, len(shape) - 1} & {i for i, n in enumerate(shape) if i > 0 and n > 1}):
        a_place = torch.Size(1 if i == axis else n for i, n in enumerate(shape))
        if close(first, value(loss_fn, z + 3.0 + _noise(a_place, y), y)):
            return axis
    return None


def takes_logits(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether it applies softmax itself, along one axis of the outputs."""
    return softmax_axis(loss_fn, y, shape) is not None


def takes_probabilities(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether it is −k log p of what is right, for outputs that are probabilities: of classes 0 and 1, or rows `(N, C)`.

    So are a binary cross-entropy and a log-likelihood that somebody wrote, whatever they clamp or add beyond (0, 1).
    """
    if y.numel() == math.prod(shape) and bool(((y == 0) | (y == 1)).all()):
        t = y.reshape(shape)
        costs = [value(loss_fn, torch.where(t > 0.5, p, 1 - p), y) for p in PROBABLE]
    elif len(shape) == 2 and shape[1] > 1 and y.shape == shape[:1] and not y.is_floating_point():
        hot = torch.nn.functional.one_hot(y.long(), shape[1]).float()
        costs = [value(loss_fn, hot * p + (1 - hot) * (1 - p) / (shape[1] - 1), y) for p in PROBABLE]
    else:
        return False
    scale = costs[0] / -math.log(PROBABLE[0])
    return scale > 0 and all(close(c, -scale * math.log(p), 1e-2) for c, p in zip(costs, PROBABLE, strict=True))


def cuts_to_probabilities(loss_fn: Loss, y: Tensor, outputs: Tensor) -> bool:
    """Whether it clamps what it is given to [0, 1], whatever it makes of it: a value beyond costs what the bound does.

    A focal or Dice loss, or a likelihood of hazards, that somebody wrote clamps so. Inside the bounds it tells values apart.
    """
    far = (outputs.float() - 0.5) * 3 / outputs.float().std().clamp_min(1e-12) + 0.5
    cost, cut = value(loss_fn, far, y), value(loss_fn, far.clamp(0, 1), y)
    inside = [value(loss_fn, far.clamp(low, 1 - low), y) for low in (0.1, 0.2)]
    return close(cost, cut, 1e-6) and all(abs(c - cut) > 1e-4 * max(1.0, abs(cut)) for c in inside)


def takes_binary_logits(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether it is −[t log σ(z) + (1 − t) log σ(−z)] in the mean or sum, up to weights: log 2 at 0, and finite far out."""
    zero = value(loss_fn, torch.zeros(shape, device=y.device), y)
    far = [value(loss_fn, torch.full(shape, s * 50.0, device=y.device), y) for s in (-1, 1)]
    half = value(loss_fn, torch.full(shape, 0.5, device=y.device), y)
    grows = all(map(math.isfinite, far)) and abs(sum(far) / max(zero, 1e-12) / (50 / math.log(2)) - 1) < 0.05
    return math.isfinite(zero) and zero > 0 and grows and not close(zero, half)


def has_no_least(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether outputs far out on the side of their targets cost less than nothing: a cross-entropy of targets beyond 0 and 1.

    One that leaves such targets out (places not to be judged), or asks only for their side, costs nothing there.
    """
    return value(loss_fn, torch.where(y.reshape(shape) > 0.5, 50.0, -50.0), y) < 0


def is_squared(loss_fn: Loss, y: Tensor, outputs: Tensor) -> bool:
    """Whether it is a distance between outputs and targets of one shape: 0 at the targets, the same on both sides."""
    if y.numel() != outputs.numel():
        return False
    t = y.reshape(outputs.shape).to(outputs.dtype)
    at, above, below = (value(loss_fn, t + d, t) for d in (0.0, 0.3, -0.3))
    return abs(at) < 1e-6 and above > 1e-4 and close(above, below, 1e-3)


def asks_for_positive_values(loss_fn: Loss, y: Tensor, outputs: Tensor) -> bool:
    """Whether it is least at targets that are not negative, and costs more at a part or a multiple of them: a rate's likelihood."""
    if y.numel() != outputs.numel() or not bool((y >= 0).all()) or not bool((y > 0).any()):
        return False
    t = y.reshape(outputs.shape).to(outputs.dtype)
    below, at, above = (value(loss_fn, (t * part).clamp_min(1e-4), t) for part in (0.6, 1.0, 1.6))
    return below > at + 1e-4 and above > at + 1e-4


def asks_for_means(subject: Subject) -> bool:
    """Whether the loss of a regression is least at the target and the same on both sides of it, so that R² judges what it asks.

    A quantile, a count under its own likelihood and the like ask for something else. True where it cannot be tried.
    """
    if subject.task != "regression" or subject.train is None or subject.loss_fn is None:
        return True
    if gives_back(subject.train):
        return False  # what simple models do with the answer in hand is no yardstick
    y = subject.train.y[:64].float()
    z = y if y.ndim > 1 else y[:, None]
    step = 0.3 * max(float(y.std()), 1e-6)
    forms = [form for form in (z, z.flatten()) if math.isfinite(value(subject.loss_fn, form, y))]
    if any(close(value(subject.loss_fn, form + step, y), value(subject.loss_fn, form, y)) for form in forms):
        return False  # a correlation is the same wherever the outputs lie
    kinds, high = torch.unique(y), y > y.mean()
    # Apart: of labels −1 and 1 a hinge falls on one side of either, and marks of what is left out cost nothing.
    sides = [y == kind for kind in kinds] if len(kinds) <= KINDS else [high, ~high]
    leaning = [
        any(_leans(subject.loss_fn, form, y, step * side.reshape(form.shape)) for side in sides) for form in forms
    ]
    return not forms or not all(leaning)


def gives_back(rows: Rows) -> bool:
    """Whether the targets are the inputs, as those of an autoencoder."""
    x, y = rows.x[:64], rows.y[:64]
    return x.is_floating_point() and x.numel() == y.numel() and torch.equal(x.flatten(), y.flatten().to(x))


def _leans(loss_fn: Loss, outputs: Tensor, y: Tensor, step: Tensor) -> bool:
    at, above, below = (value(loss_fn, z, y) for z in (outputs, outputs + step, outputs - step))
    return all(map(math.isfinite, (at, above, below))) and abs(above - below) > 0.2 * max(
        abs(above - at), abs(below - at)
    )


def is_distance_of_shares(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether it is a distance of the outputs' softmax from the classes: the surest mistake is bounded, a cross-entropy's is not.

    `y` holds class numbers or rows with one 1.
    """
    if len(shape) != 2 or shape[1] < 2 or not takes_logits(loss_fn, y, shape):
        return False
    rows = y if y.ndim == 2 else torch.nn.functional.one_hot(y.reshape(-1).long(), shape[1])
    if rows.shape != shape:
        return False
    right = 60.0 * rows.float()
    return abs(value(loss_fn, right, y)) < 1e-3 and 0 < value(loss_fn, right.roll(1, 1), y) < BOUNDED


def is_bounded_distance(loss_fn: Loss, y: Tensor, shape: torch.Size) -> bool:
    """Whether the surest right answer costs nothing and no mistake more than a sure one: a distance behind softmax or sigmoids.

    `y` holds class numbers. A cross-entropy, of classes or of each output, grows with the logits of a mistake.
    """
    if len(shape) != 2 or shape[1] < 2 or y.shape != shape[:1]:
        return False
    right = 120.0 * torch.nn.functional.one_hot(y.long(), shape[1]).float() - 60.0
    mistake, surer = (value(loss_fn, size * right.roll(1, 1), y) for size in (1.0, 2.0))
    return abs(value(loss_fn, right, y)) < 1e-3 < mistake and close(mistake, surer)


def close(a: float, b: float, tolerance: float = 1e-4) -> bool:
    """Whether two losses are equal up to rounding."""
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-6)


def means_of(loss_fn: Loss, y: Tensor) -> list[Callable[[Tensor, Tensor], Tensor]]:
    """The loss a row, of a loss that sums over rows; and the loss a value, where targets `y` have several a row."""

    def a_row(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss_fn(outputs, targets) / len(outputs)

    def a_value(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss_fn(outputs, targets) / targets.numel()

    return [a_row] if y.numel() == len(y) else [a_row, a_value]


def _noise(shape: torch.Size, y: Tensor) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(y.device)
