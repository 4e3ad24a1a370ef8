"""The checks of preflight on a training that has begun: its first weights, and its data as the loop gives it to the network."""

from __future__ import annotations

from dataclasses import replace

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight import examine
from dressage.preflight.catalogue import CHECKS
from dressage.subject.inputs import keeps_numbers
from dressage.watch.case import Case

LEFT_OUT = ("tiny_set", "gradient_check")
"""What the training itself shows soon, at no cost."""
CHECKS_OF_A_LOOP = tuple(name for name, _, _ in CHECKS if name not in LEFT_OUT)
OTHER_NUMBERS = ("row_leak", "nonlinearity")
"""What gives the network numbers that are not in the data."""
WITHOUT_TARGETS = ("wiring",)
"""What can be asked of a network that gives its loss itself."""


def examination(case: Case) -> list[Finding]:
    """What the checks find; at most half of what may be spent on the whole training."""
    if case.start is None:
        return []
    model, optimizer = case.start
    began = work_seconds()
    subject = replace(case.subject, model=model, optimizer=optimizer)
    names: tuple[str, ...] = CHECKS_OF_A_LOOP if subject.task is not None or subject.train is None else WITHOUT_TARGETS
    if keeps_numbers(model):
        names = tuple(name for name in names if name not in OTHER_NUMBERS)
        case.notes.append(f"{' and '.join(OTHER_NUMBERS)}: some of the inputs name or count things")
    seen = examine(subject, names, case.deadline(case.seconds / 2))
    case.spent += work_seconds() - began
    case.notes += [f"{c.name}: {c.said}" for c in seen.checks if c.verdict == "skipped" and "could not" in c.said]
    # A loop that told of a loss has one that takes its outputs: what is refused is what stands for its rows here.
    taken = [f for f in seen.findings if not f.numbers.get("refused")]
    found = [replace(f, step=case.telemetry.step) for f in taken]
    return (
        found if case.is_faithful else [replace(f, severity="info") if f.id.startswith("loss.") else f for f in found]
    )
