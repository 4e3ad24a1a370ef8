"""A finding in words, for a terminal."""

from __future__ import annotations

import re

from dressage.findings import Finding

RAISED = re.compile(r"\w+(?:Error|Exception): .*")


def line_of(finding: Finding) -> str:
    """`warning optim.lr_too_high (where): evidence. Cause. Remedy.`"""
    at = f" at step {finding.step}" if finding.step else ""
    mend = f" ({finding.code})" if finding.code else ""
    return (
        f"{finding.severity} {finding.id} [{finding.where}]{at}: {finding.evidence}\n"
        f"    cause: {finding.cause}\n    remedy: {finding.remedy}{mend}"
    )


def said_once(notes: list[str]) -> list[str]:
    """The notes in their order; those that tell of one and the same error as a single one."""
    found: dict[str, list[str]] = {}
    for note in notes:
        raised = RAISED.search(note)
        found.setdefault(raised.group().rstrip(")") if raised else note, []).append(note)
    return [
        same[0] if len(same) == 1 or same[0] == error else f"what runs a copy of the network or its loss ({error})"
        for error, same in found.items()
    ]
