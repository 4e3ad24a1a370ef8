"""A sum over rows whose steps are too large for what comes later: the loss rises, and by the mean a copy brings it down."""

from __future__ import annotations

from dataclasses import replace

from dressage.findings import Finding
from dressage.preflight.loss_form import means_of
from dressage.subject import advance
from dressage.watch.case import Case
from dressage.watch.rules.symptoms import symptoms
from dressage.watch.struggle import is_sound

SUMS, RISES = "loss.sum_reduction", "sym.loss_increasing"
STEPS, LEFT = 100, 0.5
"""Steps that are gone on for by the mean, and the share of the loss that may be left."""


def summed(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, with a sum over rows that was seen at the start as the cause where the loss has risen and only underfits.

    Nor does it count that inputs of a sound size do better standardised: smaller inputs make smaller steps. From a copy of
    the network as it is, 100 steps by the mean have to halve the loss.
    """
    harm = [f for f in found if f.is_harmful and not f.is_symptom]
    noted = next((f for f in found if f.id == SUMS and not f.is_harmful), None)
    rising = next((f for f in symptoms(case.telemetry) if f.id == RISES), None)
    lab = case.lab(start=False)
    if noted is None or rising is None or lab is None:
        return found
    less = ("eval.underfit", "data.unscaled_inputs") if is_sound(case) else ("eval.underfit",)
    if any(f.id not in less for f in harm):
        return found
    for mean in means_of(lab.loss_fn, lab.y):
        mended = advance(replace(lab, loss_fn=mean), STEPS, deadline=case.deadline(4))
        if mended.diverged or not mended.after < LEFT * mended.before:
            continue
        told = replace(
            noted,
            severity="warning",
            evidence=f"{noted.evidence}; {rising.evidence}; from there {mended.steps} steps by the mean leave "
            f"{mended.after / mended.before:.0%} of the loss",
            remedy="take the mean over rows",
            step=case.telemetry.step,
        )
        return [told, *(replace(f, severity="info") if f in harm else f for f in found if f is not noted)]
    return found
