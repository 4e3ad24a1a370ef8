"""The scale of inputs and targets: suspected from the numbers, proven by training on with them standardised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight.known import baselines_of, quietly
from dressage.subject import Comparison, Lab, Subject, advance, compare, lab_of, outputs_of
from dressage.subject.features import centre_and_scale, flat_of, shares_a_scale
from dressage.subject.inputs import keeps_numbers
from dressage.subject.task import default_metric

LARGE, SMALL = (
    4.0,
    0.05,
)  # sd of a typical column beyond which inputs are tried standardised; [0, 1] pixels have 0.2 to 0.35
RAGGED = 20.0  # times by which the largest column exceeds the typical one
OFFSET = 3.0  # |mean| / sd of a typical column; [0, 1] pixels have 0.8 (MNIST) to 1.9 (CIFAR-10)
FAR_TARGET = 10.0  # sd or |mean| of the target in sds of the first outputs
SOUND_TARGET = 3.0  # sd and |mean| of targets that are about of unit size, whatever the first outputs are
GAIN = 0.05  # points of accuracy, or twice that of R², that standardising must win in every continuation
SHORT = 0.04  # by how much the training as it stands must end below the best simple model
STEPS = 300
SECONDS = 3.0  # for both continuations of both seeds


@dataclass(frozen=True, slots=True)
class Scale:
    """How the columns of the inputs lie; columns that are constant are left out."""

    sd: float
    """Of a typical column, or of all values where columns share a scale."""
    offset: float
    """|mean| / sd of a typical column."""
    ragged: float
    """Largest root mean square of a column over the typical one; 1 where columns share a scale."""
    largest: float

    @property
    def is_off(self) -> bool:
        """Whether sizes are far from 1 or from each other."""
        return self.sd > LARGE or self.sd < SMALL or self.ragged > RAGGED


def scale_of(x: Tensor) -> Scale | None:
    """None for inputs that are not real numbers with a fraction, or that do not vary."""
    if not x.is_floating_point() or x.ndim < 2 or len(x) < 2:
        return None
    values, shared = flat_of(x).astype(np.float64), shares_a_scale(x)
    means, sds = values.mean(0), values.std(0)
    varies = sds > 1e-7 * np.maximum(np.abs(means), 1e-20)
    if not varies.any():
        return None
    means, sds = means[varies], sds[varies]
    sizes = np.hypot(means, sds)
    ragged = 1.0 if shared else float(sizes.max() / np.median(sizes))
    sd = float(values.std() if shared else np.median(sds))
    offset = abs(float(values.mean())) / sd if shared else float(np.median(np.abs(means) / sds))
    return Scale(sd, offset, ragged, float(np.abs(values).max()))


def unscaled_inputs(subject: Subject, deadline: float) -> list[Finding]:
    """Inputs far from size 1 or columns of very unequal size, with which the network learns worse than standardised."""
    scale = None if subject.train is None or keeps_numbers(subject.model) else scale_of(subject.train.x)
    if scale is None or not scale.is_off:
        return []
    seen = f"largest |x| {scale.largest:.3g}, sd of a typical column {scale.sd:.3g}"
    seen += f", the largest column {scale.ragged:.3g} times the typical one" if scale.ragged > RAGGED else ""
    return _inputs_found(
        subject,
        deadline,
        "data.unscaled_inputs",
        seen,
        "the inputs are not of size 1, so that one rate is too high for some weights and too low for others",
        "standardise the inputs with mean and sd of the training rows, or begin the network with BatchNorm",
    )


def all_positive_inputs(subject: Subject, deadline: float) -> list[Finding]:
    """Columns that lie far to one side of 0, with which the network learns worse than when they are centred."""
    scale = None if subject.train is None or keeps_numbers(subject.model) else scale_of(subject.train.x)
    if scale is None or scale.is_off or scale.offset < OFFSET:
        return []
    return _inputs_found(
        subject,
        deadline,
        "data.all_positive_inputs",
        f"|mean| / sd of a typical column is {scale.offset:.3g}",
        "inputs of one sign give the gradients of a unit's weights one sign, and descent zigzags",
        "subtract the mean of the training rows from each column",
    )


def target_unscaled(subject: Subject, deadline: float) -> list[Finding]:
    """Targets far from what the outputs can reach soon, where standardised ones are learned."""
    lab = _lab(subject)
    if lab is None or not _is_far(subject, lab.y):
        return []
    best = _best(subject, deadline)
    if best is None:
        return []
    standard = replace(lab, y=standardised(lab.y, shared=False))
    got = _tried(lab, standard, deadline)
    if got is None or not _harmed(got, best, 2 * GAIN):
        return []
    base, other = _means(got)
    flat = lab.y.double()
    return [
        Finding(
            "data.target_unscaled",
            "warning",
            "training targets",
            f"targets have mean {float(flat.mean()):.4g} and sd {float(flat.std()):.4g}; after {got.base[0].steps} steps R²"
            f" is {base:.3g}, with standardised targets {other:.3g}; the best simple model has {best:.3g}",
            "the outputs start near 0 and need many steps only to reach the size of the targets",
            "standardise the targets with mean and sd of the training rows, and undo it when predicting",
            confidence=0.85,
            code="mean, sd = y_train.mean(0), y_train.std(0); y = (y - mean) / sd  # predict: model(x) * sd + mean",
            numbers={"metric": base, "standardised": other, "baseline": best},
        )
    ]


def _inputs_found(subject: Subject, deadline: float, name: str, seen: str, cause: str, remedy: str) -> list[Finding]:
    lab, best = _lab(subject), _best(subject, deadline)
    if lab is None or best is None:
        return []
    if subject.task == "regression" and _is_far(subject, lab.y):  # or the target would hide what the inputs do
        lab = replace(lab, y=standardised(lab.y, shared=False))
    got = _tried(lab, replace(lab, x=standardised(lab.x, shared=shares_a_scale(lab.x))), deadline)
    if got is None or not _harmed(got, best, GAIN if subject.task != "regression" else 2 * GAIN):
        return []
    base, other = _means(got)
    unit = "R²" if subject.task == "regression" else "accuracy"
    seen += f"; after {got.base[0].steps} steps {unit} is {base:.3g}, with standardised inputs {other:.3g};"
    seen += f" the best simple model has {best:.3g}"
    return [
        Finding(
            name,
            "warning",
            "training inputs",
            seen,
            cause,
            remedy,
            confidence=0.85,
            code="mean, sd = x_train.mean(0), x_train.std(0).clamp_min(1e-6); x = (x - mean) / sd",
            numbers={"metric": base, "standardised": other, "baseline": best},
        )
    ]


def _lab(subject: Subject) -> Lab | None:
    """The training on its rows in a random order (the first are judged), judged by accuracy or R²."""
    lab = lab_of(subject)
    if lab is None or subject.task is None or not bool(torch.isfinite(lab.x).all()):
        return None
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(lab.x)))
    return replace(lab, x=lab.x[order], y=lab.y[order], metric=default_metric(subject.task))


def _best(subject: Subject, deadline: float) -> float | None:
    """The lower end of what the best simple model reaches; None where none beats the constant."""
    found = baselines_of(subject, deadline)
    if found is None or found.best.score - found.best.error <= found.constant.score:
        return None
    return found.best.score - found.best.error


def _is_far(subject: Subject, y: Tensor) -> bool:
    if subject.task != "regression" or not y.is_floating_point() or subject.train is None:
        return False
    flat = y.double().reshape(len(y), -1)
    try:
        outputs = outputs_of(subject.fresh()[0], subject.train.x[:256]).double()
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False
    if max(float(flat.std(0).max()), float(flat.mean(0).abs().max())) < SOUND_TARGET:
        return False  # outputs that are small beside such targets are the network's or the rate's doing
    size = max(float(outputs.std()), 1e-12)
    return bool(torch.isfinite(outputs).all()) and max(float(flat.std(0).max()), float(flat.mean(0).abs().max())) > (
        FAR_TARGET * size
    )


def standardised(values: Tensor, *, shared: bool, like: Tensor | None = None) -> Tensor:
    """Values at mean 0 and sd 1, column by column or all alike; by mean and sd of other ones where these are given."""
    centre, scale = centre_and_scale(flat_of(values if like is None else like), shared=shared)
    flat = np.clip((flat_of(values) - centre) / scale, -30, 30)  # a nearly constant column is not blown up without end
    return torch.from_numpy(flat).reshape(values.shape).to(values.dtype).to(values.device)


def _tried(lab: Lab, other: Lab, deadline: float) -> Comparison | None:
    """Both continued over as many steps as the time allows; None where the training cannot be run, or not long enough."""
    try:
        return quietly(_compared, lab, other, deadline)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None  # what the user's model or loss raises is another check's subject


def _compared(lab: Lab, other: Lab, deadline: float) -> Comparison | None:
    began = work_seconds()
    pace = min(_pace(lab, deadline) for _ in range(2))  # the first may be slow for what every first time takes
    steps = int(min(STEPS, min(SECONDS, (deadline - began) / 2) / (4 * max(pace, 1e-5))))
    return compare(lab, other, steps, seeds=(0, 1), deadline=deadline) if steps >= 30 else None


def _pace(lab: Lab, deadline: float) -> float:
    """Seconds of a step, copying included."""
    began = work_seconds()
    advance(lab, 5, deadline=deadline)
    return (work_seconds() - began) / 5


def _harmed(got: Comparison, best: float, gain: float) -> bool:
    """Whether standardising wins, what is stays below a simple model, and what is standardised comes near it."""
    if not got.base or any(o.diverged for o in got.other):
        return False
    base, other = _means(got)
    won = all(
        not math.isfinite(a.metric) or b.metric - a.metric >= gain for a, b in zip(got.base, got.other, strict=True)
    )
    return won and not base >= best - SHORT and other >= 0.5 * best


def _means(got: Comparison) -> tuple[float, float]:
    return float(np.mean([o.metric for o in got.base])), float(np.mean([o.metric for o in got.other]))


CHECKS = (
    ("data.unscaled_inputs", "inputs far from size 1, proven by training on standardised ones", unscaled_inputs),
    (
        "data.all_positive_inputs",
        "inputs far to one side of 0, proven by training on centred ones",
        all_positive_inputs,
    ),
    ("data.target_unscaled", "targets far from the outputs, proven by training on standardised ones", target_unscaled),
)
