"""A finding: a named fault with evidence, cause and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """A named fault. `edit` maps paths of the recipe to new values, or is empty."""

    id: str
    severity: Literal["info", "warning", "critical"]
    where: str
    evidence: str
    cause: str
    remedy: str
    edit: Mapping[str, object] = field(default_factory=dict)
    step: int = 0
    source: str = ""

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)
