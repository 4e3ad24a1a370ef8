"""A finding in words, for a terminal."""

from __future__ import annotations

from dressage.findings import Finding


def line_of(finding: Finding) -> str:
    """`warning optim.lr_too_high (where): evidence. Cause. Remedy.`"""
    at = f" at step {finding.step}" if finding.step else ""
    mend = f" ({finding.code})" if finding.code else ""
    return (
        f"{finding.severity} {finding.id} [{finding.where}]{at}: {finding.evidence}\n"
        f"    cause: {finding.cause}\n    remedy: {finding.remedy}{mend}"
    )
