"""A loss of outputs beside one another, as of pairs and triplets: whether it puts near what is alike, or pushes it apart."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject.inputs import Inputs
from dressage.watch.program import Program

TURNED = 1e-3
"""Relative difference of a loss before and after all outputs were turned together, for it to look at distances or angles alone."""
SKETCHES = 4
"""Random projections of the inputs a pass, and orders in which their rows are torn."""
LOOKS, LEAST = 16, 5
"""Passes that are looked at, and those from which it is told."""
SURE, APART = 5.0, 0.02
"""Standard errors, and share of the loss, by which rows in their places have to cost more than torn ones."""
LEARNED = 0.9
"""Share of what the outputs cost with their rows torn apart, up to which the network has learned what it is asked for."""
HARDLY, LONG = 0.15, 100
"""Share of the loss by which rows in their places are cheaper than torn ones where they are hardly more alike, and steps."""
WIDEST = 512
"""Numbers of an output up to which all are turned together."""
ROWS, WIDE = 1024, 1 << 24
"""Rows of a pass, and numbers of its inputs, up to which it is looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    """Of one pass: what its inputs cost in place of the outputs, and what they cost with their rows torn apart."""

    placed: float
    torn: float


@dataclass
class Likeness:
    """What was seen of a loss of distances or angles between outputs."""

    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=LOOKS))
    answers: deque[Look] = field(default_factory=lambda: deque(maxlen=LEAST))
    """The same of what the network gave in the last passes."""
    is_of_places: bool = True
    """Whether every loss so far was one of distances or angles alone."""

    @property
    def is_wanted(self) -> bool:
        """Whether more passes would tell more."""
        return self.is_of_places and 0 < len(self.looks) < LOOKS

    @property
    def missing(self) -> int:
        """Passes that should be looked at soon: some more, where those that were speak of a fault."""
        torn = fmean(look.torn for look in self.looks) if self.is_wanted else 0.0
        return LOOKS - len(self.looks) if self.is_wanted and _gap(self.looks) > -HARDLY * abs(torn) else 0

    def take(
        self,
        program: Program,
        outputs: Sequence[Tensor],
        leaves: Sequence[Tensor],
        inputs: Sequence[Inputs],
        told: float,
    ) -> None:
        """Looks at one pass: `outputs`, each `(N, d)`, of the passes that were given `inputs`."""
        if not self.is_of_places:
            return
        draw = torch.Generator().manual_seed(0)
        with torch.no_grad():
            if len(self.looks) < LOOKS:
                look = _look(program, outputs, leaves, inputs, told, draw)
                self.is_of_places = look is not None
                self.looks.extend([] if look is None else [look])
            if self.looks:
                self.answers.append(Look(told, fmean(_torn(program, outputs, leaves, draw) for _ in range(SKETCHES))))


def _gap(looks: Iterable[Look]) -> float:
    return fmean(look.placed - look.torn for look in looks)


def _look(
    program: Program,
    outputs: Sequence[Tensor],
    leaves: Sequence[Tensor],
    inputs: Sequence[Inputs],
    told: float,
    draw: torch.Generator,
) -> Look | None:
    """None where it is another loss, or the inputs are no rows of numbers."""
    given = [_numbers_of(i, len(z)) for i, z in zip(inputs, outputs, strict=True) if z.ndim == 2]
    width = outputs[0].shape[-1] if outputs[0].ndim else 0
    if (
        len(given) < len(outputs)
        or not 2 <= width <= WIDEST
        or any(z.shape[1] != width for z in outputs)
        or any(g is None for g in given)
    ):
        return None
    rows = [g for g in given if g is not None]
    if len({x.shape[1] for x in rows}) > 1:
        return None  # views of unlike sizes are not near or far from one another
    turn = torch.linalg.qr(torch.randn(width, width, generator=draw))[0].to(outputs[0])
    if not math.isclose(_cost(program, [z @ turn for z in outputs], leaves), told, rel_tol=TURNED):
        return None
    placed, torn = [], []
    for _ in range(SKETCHES):
        sketch = _as_outputs(_projected(rows, width, draw), outputs)
        placed.append(_cost(program, sketch, leaves))
        torn.append(_torn(program, sketch, leaves, draw))
    return Look(fmean(placed), fmean(torn)) if all(map(math.isfinite, (*placed, *torn))) else None


def _torn(program: Program, outputs: Sequence[Tensor], leaves: Sequence[Tensor], draw: torch.Generator) -> float:
    """What outputs cost whose rows are put in another order, those of each pass in their own."""
    return _cost(program, [z[torch.randperm(len(z), generator=draw)] for z in outputs], leaves)


def _cost(program: Program, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> float:
    try:
        return float(program.run(outputs, leaves))
    except Exception:  # of torch's functions, given what they were not given before
        return math.nan


def _numbers_of(inputs: Inputs, size: int) -> Tensor | None:
    """`(N, D)` of all that is rows of numbers."""
    dense = [t for t in inputs.tensors if t.layout == torch.strided and t.ndim and t.is_floating_point()]
    found = [t.reshape(size, -1).float() for t in dense if len(t) == size]
    if not found or not 2 < size <= ROWS or sum(t.numel() for t in found) > WIDE:
        return None
    return torch.cat(found, 1)


def _projected(rows: Sequence[Tensor], width: int, draw: torch.Generator) -> list[Tensor]:
    """Inputs in as many numbers a row as outputs have: far and near stay so, by and large."""
    mean = torch.cat(list(rows)).mean(0)
    plane = torch.randn(rows[0].shape[1], width, generator=draw).to(mean)
    return [(x - mean) @ plane for x in rows]


def _as_outputs(sketch: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
    """Of the outputs' lengths: all of one, where theirs are; otherwise so far from one another as they are, or as 1."""
    lengths = torch.cat([z.norm(dim=1) for z in outputs])
    if float(lengths.std()) <= 1e-3 * float(lengths.mean()):
        return [lengths.mean() * torch.nn.functional.normalize(z, dim=1) for z in sketch]
    every = torch.cat(list(outputs))
    wide = max(1.0, float((every - every.mean(0)).norm(dim=1).square().mean().sqrt()))
    size = torch.cat(list(sketch)).norm(dim=1).square().mean().sqrt().clamp_min(1e-12)
    return [z * (wide / size) for z in sketch]


@dataclass(frozen=True, slots=True)
class Summed:
    """Of all passes that were looked at: means of what rows cost torn apart, of how much more in their places, and its error."""

    torn: float
    gap: float
    error: float
    reached: float
    chance: float
    count: int

    @property
    def has_learned(self) -> bool:
        """Whether what the network gives costs less than the same torn apart."""
        return not self.reached > LEARNED * self.chance

    def told(self, what: str) -> str:
        """In words; `what` that says."""
        return (
            "the loss compares outputs with one another. With the inputs themselves in their place it is "
            f"{self.torn + self.gap:.4g}, with the same rows torn apart {self.torn:.4g} ({self.count} batches, difference "
            f"{self.gap:.2g} ± {self.error:.1g}): {what}. The network has not learned it either: its outputs cost "
            f"{self.reached:.4g}, torn apart {self.chance:.4g}"
        )


def _summed(likeness: Likeness, least: int) -> Summed | None:
    """None of another loss, or of few passes."""
    looks, answers = list(likeness.looks), list(likeness.answers)
    if not likeness.is_of_places or len(looks) < least:
        return None
    error = stdev(look.placed - look.torn for look in looks) / math.sqrt(len(looks))
    reached, chance = fmean(look.placed for look in answers), fmean(look.torn for look in answers)
    return Summed(fmean(look.torn for look in looks), _gap(looks), error, reached, chance, len(looks))


def nothing_alike(likeness: Likeness, step: int) -> list[Finding]:
    """Inputs in their places are hardly nearer one another than torn ones, and the network has not learned what else they share."""
    seen = _summed(likeness, LOOKS)
    if seen is None or seen.has_learned or step < LONG:
        return []
    if not seen.gap - SURE / 2 * seen.error > -HARDLY * abs(seen.torn):
        return []
    return [
        Finding(
            "data.shuffled_labels",
            "warning",
            "pairs",
            seen.told("what is to be alike is no more alike than anything else"),
            "rows and what says which of them belong together are not of one another",
            "check that rows and labels are read, chosen and put in order together",
            step=step,
            code="keep = order[:n]; x, y = x[keep], y[keep]  # one index for both",
            confidence=0.6,
            numbers={"placed": seen.torn + seen.gap, "torn": seen.torn, "error": seen.error},
        )
    ]


def pushed_apart(likeness: Likeness, step: int) -> list[Finding]:
    """Inputs that lie near one another cost more than the same ones torn apart: what is alike is pushed apart.

    Not where the network has learned to do so: pairs may be of two kinds that do not look alike.
    """
    seen = _summed(likeness, LEAST)
    if seen is None or seen.has_learned or not seen.gap > max(SURE * seen.error, APART * abs(seen.torn)):
        return []
    return [
        Finding(
            "loss.wrong_sign",
            "critical",
            "loss",
            seen.told("it is lower where what belongs together is not alike"),
            "what belongs together is pushed apart, and what does not is drawn near: near and far have changed places in the loss",
            "exchange positive and negative in the loss, or the sign of their difference",
            step=step,
            code="loss = relu(d(anchor, positive) - d(anchor, negative) + margin).mean()",
            confidence=0.85,
            numbers={"placed": seen.torn + seen.gap, "torn": seen.torn, "error": seen.error},
        )
    ]
