"""A number that is not finite: what it says depends on where the first one arose."""

from __future__ import annotations

from dressage.findings import Finding
from dressage.fit.events import Nonfinite


def nonfinite(spot: Nonfinite, lr: float, clip_norm: float) -> Finding:
    """The finding of a training that the guard stopped; `lr` is the rate at the top of its schedule."""
    evidence = f"step {spot.step}: loss {spot.loss:g}; the first number that is not finite is in the {spot.where}"
    if spot.where.startswith(("input", "target")):
        cause = "the data holds a number that is not finite"
        return Finding(
            "data.nonfinite", "critical", spot.where, evidence, cause, "impute or drop that row", step=spot.step
        )
    cause = "numbers grew from step to step until they overflowed, which a rate that is too high does first of all"
    edit: dict[str, object] = {"optim.lr": float(f"{lr / 10:.2g}")}
    remedy = f"lower the rate: --optim.lr {lr / 10:.2g}"
    if not clip_norm:
        edit["optim.clip_norm"] = 1.0
        remedy += ", and clip the gradient: --optim.clip_norm 1"
    if spot.step == 1:
        cause = "the very first step overflows: the inputs or the first weights are far too large"
        remedy = "standardise the inputs and check the initialisation of the network"
        edit = {}
    return Finding("sym.nonfinite_loss", "critical", spot.where, evidence, cause, remedy, edit, spot.step)
