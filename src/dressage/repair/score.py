"""What two trainings are compared by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from dressage.evaluate.words import targets_of
from dressage.run import Run


@dataclass(frozen=True, slots=True)
class Score:
    """Of the validation part; NaN where it was not judged."""

    metric: str
    value: float
    """Accuracy or R², higher is better; of several targets the mean of theirs."""
    log_loss: float = math.nan
    """Of what has classes: what decides between equals."""
    low: float = math.nan
    high: float = math.nan
    """95 % interval of the log loss of one target."""

    def __gt__(self, other: Score) -> bool:
        if self.value != other.value:
            return self.value > other.value
        return self.log_loss < other.log_loss

    def is_like(self, other: Score) -> bool:
        """Whether the rows do not tell it from the other."""
        return self.value == other.value and self.low <= other.log_loss <= self.high


def score(run: Run) -> Score:
    """Of a training that is over, or was broken off."""
    judged = run.evaluation.get("validation")
    if not judged:
        return Score("score", math.nan)
    each = list(targets_of(judged).values()) or [judged]
    values = [one["metrics"][one["headline"]]["value"] for one in each]
    losses = [one["metrics"]["log_loss"]["value"] for one in each if "log_loss" in one["metrics"]]
    name = str(judged["headline"]) if len(each) == 1 else f"score, the mean of {len(each)} targets,"
    only = each[0]["metrics"].get("log_loss", {}) if len(each) == 1 else {}
    low, high = (math.nan if (end := only.get(side)) is None else float(end) for side in ("low", "high"))
    return Score(name, _mean(values), _mean(losses), low, high)


def _mean(values: list[float | None]) -> float:
    return fmean(math.nan if v is None else v for v in values) if values else math.nan
