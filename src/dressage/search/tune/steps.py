"""One of the seven steps: what it saw and what it decided, as a file of its own, so that a stopped tuning takes none twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dressage.errors import RunError

TITLES = {
    1: "the first loss",
    2: "a small sample",
    3: "a rate that lowers the loss",
    4: "coarse: rate and decay, a few epochs",
    5: "fine: narrower and longer",
    6: "the curves",
    7: "go on or stop",
}
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "number": int,
    "saw": list,
    "decided": str,
    "goes_on": bool,
    "facts": dict,
    "seconds": (int, float),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What a step saw, what it decided, and the numbers that later steps need."""

    number: int
    saw: tuple[str, ...]
    decided: str
    goes_on: bool = True
    """Whether there is a next step; `decided` has the reason."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """What the step is about."""
        return TITLES[self.number]

    def lines(self) -> list[str]:
        """As it is printed."""
        return [f"{self.number}. {self.title}", *(f"   {line}" for line in self.saw), f"   → {self.decided}"]

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return {**asdict(self), "saw": list(self.saw), "facts": dict(self.facts)}


def from_json(found: Mapping[str, Any], where: object) -> Step:
    """A step as its file has it. Raises RunError for anything that no tuning writes."""
    wrong = [name for name, kind in KINDS.items() if not isinstance(found.get(name), kind)]
    if wrong or found["number"] not in TITLES or not all(isinstance(line, str) for line in found["saw"]):
        expected = "expected what a tuning wrote"
        raise RunError.of(
            where, f"has no usable {(wrong or ['content'])[0]}", expected, "delete it: the step is taken again"
        )
    taken = {name: found[name] for name in KINDS}
    return Step(**{**taken, "saw": tuple(taken["saw"])})
