"""What a search has found, as it can be read from its folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dressage.recipe import Recipe, load_recipe
from dressage.search.asked import Asked, Stage
from dressage.search.folder import BEST
from dressage.search.judge import Verdict
from dressage.search.judge import told as sentences
from dressage.search.space import Space
from dressage.search.trial import Result


@dataclass(frozen=True, slots=True)
class StageFound:
    """One stage: what was searched, what came of its trials and of those that went on in it, and what was decided then."""

    stage: Stage
    space: Space
    results: Sequence[Result]
    """Of each trial, as far as it came."""
    told: Sequence[str]


@dataclass(frozen=True, slots=True)
class Search:
    """A search as far as it has come."""

    folder: Path
    asked: Asked
    status: str
    """running, interrupted or finished."""
    stages: Sequence[StageFound]
    repeats: Mapping[int, Sequence[Result]]
    """Runs with other seeds of the best trials of the last stage, by number."""
    verdict: Verdict | None
    """None where no trial counts."""

    @property
    def results(self) -> list[Result]:
        """Of every trial of the stages, as far as it came; one that went on in a later stage is the same trial."""
        latest = {result.trial.number: result for stage in self.stages for result in stage.results}
        return [latest[number] for number in sorted(latest)]

    @property
    def best(self) -> Result | None:
        """The trial that won."""
        if self.verdict is None:
            return None
        return next(r for r in self.results if r.trial.number == self.verdict.best.number)

    @property
    def best_recipe(self) -> Path:
        """best.toml, with which `dressage train` trains the winner."""
        return self.folder / BEST

    @property
    def recipe(self) -> Recipe:
        """The winner's recipe. Raises UsageError where there is none."""
        return load_recipe(self.best_recipe)

    @property
    def metric(self) -> str:
        """What the score is: accuracy, r2, or −loss of several targets."""
        return self.asked.metric

    @property
    def command(self) -> str:
        """What trains the winner."""
        data = "DATA" if self.asked.data is None else shlex.quote(self.asked.data)
        return f"dressage train {data} --recipe {shlex.quote(str(self.best_recipe))}"

    @property
    def told(self) -> list[str]:
        """What was decided and found, in sentences."""
        lines = [line for stage in self.stages for line in stage.told]
        return lines + (sentences(self.verdict) if self.verdict else [])

    def __str__(self) -> str:
        return "\n".join([f"{self.folder}: {self.status}, {len(self.results)} trials", *self.told])
