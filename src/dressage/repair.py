"""A training whose fault has a remedy is trained again with it, and the better of the two is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dressage.errors import Diverged
from dressage.files import write_json
from dressage.fit import Event
from dressage.models.foreign import Made
from dressage.prepare import ShowProgress
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import edited
from dressage.resolve import name_problems, value_at
from dressage.run import Run, load
from dressage.train import train

RECORD = "repair.json"
ATTEMPTS = 8
"""Repairs of a training that diverges anew each time: a rate falls by eight powers of ten at most."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was tried. `kept` is the better run; `changes` is empty where nothing was found that an edit of the recipe mends."""

    kept: Run
    first: Path
    second: Path | None
    finding: Mapping[str, Any]
    changes: Mapping[str, tuple[object, object]]
    """By path of the recipe: the value before and after."""
    scores: tuple[float, float]
    """Validation score of the first and of the second training, higher is better; NaN where there is none."""

    def __str__(self) -> str:
        if self.second is None:
            return "nothing was found that a change of the recipe mends"
        changed = ", ".join(f"{path} {before} → {after}" for path, (before, after) in self.changes.items())
        better = self.kept.folder == self.second
        verdict = "kept the repaired training" if better else "kept the first training, which was no worse"
        scores = " against ".join("none" if math.isnan(s) else f"{s:.4g}" for s in reversed(self.scores))
        return f"{self.finding['id']}: {changed}; validation score {scores}: {verdict} ({self.kept.folder})"


def repair(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    out: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    progress: ShowProgress | None = None,
) -> Repair:
    """Trains; where a cause with an edit of the recipe is found, trains again with it, and keeps what validates better.

    Takes what `train` takes, and never costs more than two trainings to the end; the second folder is the first's with
    `-repaired`. A training that diverges is over after a few steps, is worse than any, and is mended again.
    Raises what `train` raises; Diverged where nothing can be mended.
    """
    written = as_recipe(recipe, also=name_problems)

    def again(chosen: Recipe, place: Path | str | None) -> Run:
        return train(data, y=y, recipe=chosen, model=model, out=place, on_event=on_event, progress=progress)

    failure: Diverged | None = None
    try:
        first = again(written, out)
    except Diverged as error:
        failure = error
        first = load(Path(str(error.where)), model=model)
    finding: dict[str, Any] | None = mendable(first.findings)
    if finding is None:
        if failure is not None:
            raise failure
        return Repair(first, first.folder, None, {}, {}, (score(first), math.nan))
    changes: dict[str, tuple[object, object]] = {}
    second: Run | None = None
    place, known = first.folder, finding
    for attempt in range(ATTEMPTS):  # one that diverges is over after a few steps, and says what to change next
        changes |= {p: (changes.get(p, (value_at(first.recipe, p),))[0], after) for p, after in known["edit"].items()}
        place = first.folder.with_name(f"{first.folder.name}-repaired{f'-{attempt + 1}' if attempt else ''}")
        try:
            second = again(edited(written, {p: after for p, (_, after) in changes.items()}), place)
            break
        except Diverged as error:
            found_next = mendable(load(place, model=model).findings)
            if found_next is None or attempt == ATTEMPTS - 1:
                if failure is not None:
                    raise error from failure
                break
            known = found_next
    scores = (score(first), math.nan if second is None else score(second))
    better = second is not None and (failure is not None or scores[1] > scores[0])
    found = Repair(second if better and second else first, first.folder, place, finding, changes, scores)
    _record(found)
    return found


def mendable(findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The best supported harmful cause that an edit of the recipe mends."""
    causes = [f for f in findings if f.get("edit") and f.get("severity") != "info"]
    return max(causes, key=lambda f: (not str(f["id"]).startswith("sym."), f.get("confidence", 0.0)), default=None)


def score(run: Run) -> float:
    """Accuracy or R² of the validation part; NaN before it was judged."""
    judged = run.evaluation.get("validation")
    if not judged:
        return math.nan
    value = judged["metrics"][judged["headline"]]["value"]
    return math.nan if value is None else float(value)


def _record(found: Repair) -> None:
    """Beside each of the two runs: what was changed, why, and which was kept."""
    told = {
        "first": found.first.name,
        "second": found.second.name if found.second else None,
        "kept": found.kept.folder.name,
        "finding": dict(found.finding),
        "changes": {path: list(pair) for path, pair in found.changes.items()},
        "scores": [None if math.isnan(s) else s for s in found.scores],
    }
    for folder in (found.first, found.second):
        if folder is not None and folder.is_dir():
            write_json(folder / RECORD, told)
