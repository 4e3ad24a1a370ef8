"""Values that no output can take: outputs end at a bound, and what they are compared with lies beyond it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dressage.findings import Finding
from dressage.watch.case import Case

LONG = 100
"""Steps after which outputs could have come to where the values lie."""
BOUNDS = ((0.0, 1), (-1.0, 1), (1.0, -1))
"""Where sigmoid, tanh and ReLU end, and the side on which their outputs lie: 1 above, -1 below."""
BEYOND, AT_LEAST = 0.1, 0.2
"""Standard deviations of the values beyond a bound, and share of them, from which it matters."""
AT_THE_BOUND, NEAR = 0.5, 0.05
"""Share of the outputs for these that stand at the bound, and how near it: they went as far as they could."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Of one step: how many of the values lie beyond the bound, and how many of the outputs for these stand at it."""

    beyond: float
    at_the_bound: float


def out_of_reach(case: Case) -> list[Finding]:
    """Outputs that stand at a bound for values that lie beyond it, in each of the last steps that were looked at."""
    seen = list(case.own.compared)
    if len(seen) < (case.own.compared.maxlen or 1) or case.telemetry.step < LONG:
        return []
    for bound, side in BOUNDS:
        found = [_reached(z, y, bound, side) for z, y in seen]
        if all(r.beyond >= AT_LEAST and r.at_the_bound >= AT_THE_BOUND for r in found):
            return [_told(case, seen[-1], found[-1], bound, side)]
    return []


def _reached(z: Tensor, y: Tensor, bound: float, side: int) -> Reached:
    z, y = side * (z.double() - bound), side * (y.double() - bound)
    if bool((z < 0).any()):
        return Reached(0.0, 0.0)
    beyond = y < -BEYOND * float(y.std())
    return Reached(float(beyond.double().mean()), float((z[beyond] < NEAR).double().mean()))


def _told(case: Case, pair: tuple[Tensor, Tensor], found: Reached, bound: float, side: int) -> Finding:
    (z, y), word = pair, "below" if side > 0 else "above"
    return Finding(
        "model.wrong_output_activation",
        "warning",
        "outputs",
        f"{found.beyond:.0%} of the values that outputs are compared with lie {word} {bound:g}, as far as "
        f"{float(y.min() if side > 0 else y.max()):.3g}; no output does, and of those for them {found.at_the_bound:.0%} stand at "
        f"{bound:g} at step {case.telemetry.step} (outputs {float(z.min()):.3g} to {float(z.max()):.3g})",
        f"the last activation ends at {bound:g}, and nothing {word} it can be given",
        "end in an activation whose range holds the values, or none; or bring the values into its range",
        step=case.telemetry.step,
        code="leave the last activation out, or nn.Tanh() for values from -1 to 1",
        confidence=0.9,
        numbers={"beyond": found.beyond, "at_the_bound": found.at_the_bound, "bound": bound},
    )
