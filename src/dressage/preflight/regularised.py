"""Whether the penalty that the loop adds makes the loss rise."""

from __future__ import annotations

import torch

from dressage.findings import Finding
from dressage.preflight.given import given, outputs_given
from dressage.preflight.result import NotChecked, Seen
from dressage.subject import Subject


def regularised(subject: Subject, deadline: float) -> list[Finding]:
    """First loss without and with the penalty; the penalty must be above 0 and grow with the weights. C784."""
    if subject.penalty is None:
        raise NotChecked("no penalty given")
    found = given(subject)
    loss = float(found.loss_fn(outputs_given(found), found.y).mean())
    with torch.no_grad():
        penalty = float(subject.penalty(found.model))
        for parameter in found.model.parameters():
            parameter.mul_(2)
        doubled = float(subject.penalty(found.model))
    said = f"{loss:.4f} without, {loss + penalty:.4f} with the penalty; {doubled:.4g} for weights twice as large"
    if penalty > 0 and doubled > penalty:
        return Seen(said=said)
    if penalty == doubled == 0:
        cause, severity = "the penalty is 0: nothing is regularised", "info"
    elif penalty < 0 and doubled < penalty:
        cause, severity = "the penalty falls as the weights grow: it drives them to infinity", "warning"
    else:
        cause, severity = "the penalty does not grow with the weights", "info"
    finding = Finding(
        "loss.wrong_sign",
        severity,  # type: ignore[arg-type]
        "penalty",
        f"penalty {penalty:.4g}; {doubled:.4g} for weights twice as large",
        cause,
        "add ½·λ·Σw² over the weights to the loss",
        code="loss = loss + 0.5 * lam * sum(w.square().sum() for w in weights)",
        confidence=0.9,
        numbers={"penalty": penalty, "doubled": doubled},
    )
    return Seen([finding], said)
