"""A search as it is told afterwards: what was asked, what each stage tried and decided, and the verdict.

`page.render` makes report.html of it. Everything is a value, so a page can be made of half a search, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dressage.search.judge import Verdict
from dressage.search.space import Space
from dressage.search.trial import Result, best_of


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what it searched, how, and what was decided after it."""

    number: int
    """As its trials have it."""
    space: Space
    sampler: str
    trials: int
    epochs: int
    rows: int = 0
    """Training rows that its trials learned from; 0: not told."""
    rungs: str = ""
    """How trials were halved, in words; empty: all ran to their end."""
    told: tuple[str, ...] = ()
    """A line for each setting that was narrowed or widened, and why."""


@dataclass(frozen=True, slots=True)
class Account:
    """A whole search. `metric`: what the score is, `accuracy` or `r2`; `results` of all stages, repeats left out."""

    name: str
    data: str
    metric: str
    stages: Sequence[Stage]
    results: Sequence[Result]
    verdict: Verdict | None = None
    seconds: float = 0.0
    ended: str = ""
    """finished, interrupted or running."""
    best: str = ""
    """Path of the best recipe, or the command that trains it."""
    notes: Sequence[str] = ()
    """What else a reader should know."""

    @property
    def winner(self) -> Result | None:
        """The trial that won, or the best so far."""
        if self.verdict is None:
            return best_of(self.results)
        return next((r for r in self.results if r.trial.number == self.verdict.best.number), None)
