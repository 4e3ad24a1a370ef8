"""A repair, and repair.json beside each of its two runs: what was changed, why, what was tried, and which run was kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dressage.files import write_json
from dressage.repair.trial import Trial
from dressage.report import write_report
from dressage.report.repaired import repair_told
from dressage.run import Run

RECORD = "repair.json"


@dataclass(frozen=True, slots=True)
class Repair:
    """What was tried. `kept` is the better run; `changes` is empty where nothing was found that an edit of the recipe mends."""

    kept: Run
    first: Path
    second: Path | None
    finding: Mapping[str, Any]
    """The cause: as the training told it, or as the trials have shown it."""
    changes: Mapping[str, tuple[object, object]]
    """By path of the recipe: the value before and after."""
    scores: tuple[float, float]
    """Validation score of the first and of the second training, higher is better; NaN where there is none."""
    metric: str = "score"
    """What the scores are."""
    trials: Sequence[Trial] = ()
    """Short trainings that chose between remedies; the first is of the recipe as it was."""
    began_at: int = 0
    """Step that the state counted as from which the second went on; 0: it began anew."""
    log_loss: tuple[float, float] = (math.nan, math.nan)
    """Of the validation part, of both: what decides between equal scores."""
    between: Sequence[Path] = ()
    """Trainings with a part of the changes, that diverged."""
    reason: str = ""
    """Why nothing was tried, where nothing was."""

    @property
    def steps_tried(self) -> int:
        """Steps that all trials took together."""
        return sum(t.steps for t in self.trials)

    def __str__(self) -> str:
        told = repair_told(_record(self), self.kept.folder.name)
        return f"nothing repaired: {self.reason}" if told is None else "\n".join(told.text)


def written_down(found: Repair) -> None:
    """Writes it into the folders of all runs, and their pages anew; nothing where nothing was tried."""
    told = _record(found)
    for folder in (found.first, found.second, *found.between) if told else ():
        if isinstance(folder, Path) and folder.is_dir():
            write_json(folder / RECORD, told)
            write_report(folder)


def _record(found: Repair) -> dict[str, object]:
    """The file's content; empty where nothing was tried."""
    if found.second is None and not found.trials:
        return {}
    return {
        "first": found.first.name,
        "second": found.second.name if found.second else None,
        "kept": found.kept.folder.name,
        "finding": dict(found.finding),
        "changes": {path: list(pair) for path, pair in found.changes.items()},
        "from_step": found.began_at,
        "metric": found.metric,
        "scores": [_number(s) for s in found.scores],
        "log_loss": [_number(s) for s in found.log_loss],
        "trials": [_told(trial) for trial in found.trials],
    }


def _told(trial: Trial) -> dict[str, object]:
    edit = dict(trial.remedy.edit) if trial.remedy else {}
    why = trial.remedy.why if trial.remedy else "the recipe as it was"
    return {"edit": edit, "why": why, "steps": trial.steps, "worth": _number(trial.mean)}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
