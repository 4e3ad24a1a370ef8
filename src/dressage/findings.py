"""A finding: a named fault with its evidence, cause and remedy. Causes are diagnoses; symptoms (`sym.…`) are reasons to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warning", "critical"]
RANK: Mapping[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A named fault. A warning or worse says that harm was shown; info, that it was seen and does no harm so far.

    `edit` maps paths of the recipe to new values, or is empty; `code` is the line that mends a loop of one's own.
    """

    id: str
    severity: Severity
    where: str
    """The layer, column, rows or split that it is about."""
    evidence: str
    """What was seen, with the numbers."""
    cause: str
    """One sentence."""
    remedy: str
    edit: Mapping[str, object] = field(default_factory=dict)
    step: int = 0
    source: str = ""
    confidence: float = 1.0
    """From 0 to 1: how surely this is the cause, should the evidence be right."""
    code: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The numbers of the evidence by name."""

    @property
    def is_symptom(self) -> bool:
        """Whether it says what is seen, and not why."""
        return self.id.startswith("sym.")

    @property
    def is_harmful(self) -> bool:
        """Whether harm was shown."""
        return self.severity != "info"

    @staticmethod
    def from_json(facts: Mapping[str, Any]) -> Finding:
        """From plain values; what is missing or unknown is left out."""
        known = {name: facts[name] for name in Finding.__dataclass_fields__ if facts.get(name) is not None}
        blank = dict.fromkeys(("id", "severity", "where", "evidence", "cause", "remedy"), "")
        return Finding(**{**blank, **known})

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Causes before symptoms, harm before notes, the surest first; one of each id and place."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in sorted(findings, key=_rank):
        kept.setdefault((finding.id, finding.where), finding)
    return list(kept.values())


def _rank(finding: Finding) -> tuple[bool, bool, float, int]:
    return (not finding.is_harmful, finding.is_symptom, -finding.confidence, RANK[finding.severity])
