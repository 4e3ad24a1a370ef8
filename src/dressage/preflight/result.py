"""What preflight says: a line for each check, and the findings by what they explain."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from dressage.findings import Finding

Verdict = Literal["passed", "found", "skipped"]


class NotChecked(Exception):
    """Why a check does not apply, or what it lacks."""


class Seen(list[Finding]):
    """The findings of one check, with the numbers that it looked at in one line."""

    def __init__(self, findings: Iterable[Finding] = (), said: str = "") -> None:
        super().__init__(findings)
        self.said = said


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one check."""

    name: str
    verdict: Verdict
    said: str
    """One line of numbers, or why it was skipped."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the checks before the first step found."""

    findings: Sequence[Finding]
    """Ranked: harm before notes, causes before symptoms."""
    checks: Sequence[Checked]
    notes: Sequence[str] = ()
    """What was not given or could not be read."""

    @property
    def is_clear(self) -> bool:
        """Whether no harm was found."""
        return not any(f.is_harmful for f in self.findings)

    def __str__(self) -> str:
        wide = max((len(c.name) for c in self.checks), default=0)
        lines = [f"{c.name:<{wide}}  {c.verdict:<7}  {c.said}".rstrip() for c in self.checks]
        return "\n".join([*lines, "", *finding_lines(self.findings)])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            "clear": self.is_clear,
            "findings": [f.to_json() for f in self.findings],
            "checks": [asdict(c) for c in self.checks],
            "notes": list(self.notes),
        }


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Each finding as cause, evidence and remedy; one line that says so where there is none."""
    if not findings:
        return ["nothing found"]
    lines: list[str] = []
    for found in findings:
        place = f" at {found.where}" if found.where else ""
        lines += [f"{found.severity}: {found.id}{place}: {found.cause}", f"    seen: {found.evidence}"]
        lines += [f"    do: {found.remedy}"] + ([f"    code: {found.code}"] if found.code else []) + [""]
    return lines[:-1]
