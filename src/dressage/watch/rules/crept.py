"""What the losses and updates alone say where no copy can be run: after many steps, far too small ones, nothing is learned."""

from __future__ import annotations

import math
from statistics import fmean

from torch import Tensor, nn

from dressage.findings import Finding
from dressage.watch.rules.symptoms import last_ratio, update_ratio
from dressage.watch.telemetry import Telemetry

LONG = 200
"""Steps from which a training should have begun to learn."""
LEFT = 0.9
"""Share of the first loss, and of that of a constant answer, that is left of a training that has not."""
CREEPS = 2e-4
"""Update/weight: a tenth of the least that good trainings were measured at."""
GOOD = 5e-3
"""Update/weight in the middle of theirs."""


def crept(seen: Telemetry, pair: tuple[Tensor, Tensor] | None, kind: object) -> list[Finding]:
    """The loss is still that of a constant answer, and each update changes the weights by less than a tenth of what it should.

    `pair`: outputs and targets of a batch; `kind`: the loss. A rate that is still rising, or that has gone, is meant or told of by
    itself.
    """
    rates = [p.rate for p in seen.probes]
    if seen.step < LONG or len(rates) < 3 or not rates[-1] >= max(rates) / 2 or rates[-1] > rates[-2]:
        return []
    ratio, last, constant = update_ratio(seen), fmean(seen.recent()), _of_a_constant(pair, kind)
    slow = max(ratio, last_ratio(seen)) < CREEPS
    if not (slow and last > LEFT * seen.first() > 0 and last > LEFT * constant):
        return []
    factor = 10.0 ** max(1, round(math.log10(GOOD / ratio)))
    return [
        Finding(
            "optim.lr_too_low",
            "warning",
            "optimiser",
            f"the loss went from {seen.first():.4g} to {last:.4g} in {seen.step} steps, where a constant answer costs "
            f"{constant:.4g}; updates change the weights by {ratio:.2g} of their size, in good trainings by 2e-3 to 1e-2",
            "the steps are so small that the training hardly moves",
            f"raise the learning rate about {factor:.0f} times",
            {"optim.lr": float(f"{rates[-1] * factor:.2g}")},
            step=seen.step,
            code=f"lr={rates[-1] * factor:.2g}",
            confidence=0.7,
            numbers={"first": seen.first(), "last": last, "constant": constant, "ratio": ratio},
        )
    ]


def _of_a_constant(pair: tuple[Tensor, Tensor] | None, kind: object) -> float:
    """What the best constant answer costs, as far as one batch tells; infinite where the loss is another."""
    if pair is None:
        return math.inf
    outputs, targets = pair
    if isinstance(kind, nn.CrossEntropyLoss | nn.NLLLoss) and outputs.ndim > 1 and not targets.is_floating_point():
        return math.log(
            outputs.shape[1]
        )  # of equal shares; classes that are rare make it less, and then nothing is said
    if isinstance(kind, nn.MSELoss) and outputs.shape == targets.shape and len(targets) > 1:
        return float(targets.double().var())
    return math.inf
