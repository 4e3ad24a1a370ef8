"""Step 6: the curves of the best trials, and what the diagnosis of them names. L6, DR10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from dressage.diagnose import diagnose
from dressage.errors import DressageError
from dressage.findings import Finding
from dressage.search.space import hyper_parameters
from dressage.search.trial import Result
from dressage.search.tune.steps import Step

LOOKED_AT = 2  # best trials
SECONDS = 15.0  # of a diagnosis at most, and so large a share of what is left
SHARE = 0.05
SHOWN = ("optim.", "model.", "eval.", "sym.")  # told in any case; others where they are harmful: wrong labels, a shift
RISEN = 1.3  # times its lowest that the validation cost has come to in the end
SINCE = 3  # epochs after it, over which the end is taken
NO_TIME = "no time left"


def look(results: Sequence[Result], given: Mapping[str, Any], left: float) -> Step:
    """What the curves of the best trials show; the remedies that a recipe takes are handed to the next round as trials."""
    saw: list[str] = []
    edits: list[dict[str, object]] = []
    for result in results[:LOOKED_AT]:
        saw.append(f"trial {result.trial.number}: {_course(result)}")
        found, notes = _findings(result, given, min(SECONDS, SHARE * left))
        lines = [f"{f.id}: {f.evidence}" for f in found]
        if all(f.id != "eval.overfit" for f in found):
            lines += _by_heart(result)
        saw += [f"  {line}" for line in lines + notes or ["the diagnosis names nothing"]]
        edits += [edit for f in found if (edit := _searchable(result, f))]
    unlike = [edit for i, edit in enumerate(edits) if edit not in edits[:i]]
    told = "; ".join(", ".join(f"{path} = {value}" for path, value in edit.items()) for edit in unlike)
    decided = f"to be tried in the next round: {told}" if unlike else "nothing to change but what is searched"
    return Step(6, tuple(saw), decided, facts={"edits": unlike})


def _course(result: Result) -> str:
    """A curve in words: both costs from the first epoch to the last, and where the validation cost was lowest."""
    first, last = result.curve[0], result.curve[-1]
    low = min(result.curve, key=lambda m: m.cost)
    told = f"training cost {first.train:.3g} → {last.train:.3g}, validation {first.cost:.3g} → {last.cost:.3g}"
    return told + (f", lowest {low.cost:.3g} at epoch {low.epoch} of {last.epoch}" if low.epoch < last.epoch else "")


def _by_heart(result: Result) -> list[str]:
    """That rows are learned by heart, by the costs alone: the diagnosis names it where the score suffers."""
    low = min(range(len(result.curve)), key=lambda i: result.curve[i].cost)
    at, last = result.curve[low], result.curve[-SINCE:]
    cost, train, score = (fmean(getattr(m, name) for m in last) for name in ("cost", "train", "score"))
    if len(result.curve) - 1 - low < SINCE or not (cost > RISEN * at.cost > 0 and train < at.train):
        return []
    told = f"from epoch {at.epoch} on it learns rows by heart: the validation cost rises to {cost / at.cost:.1f} times its lowest"
    return [f"{told}; the score was {at.score:.3g} there and is {score:.3g} in the end"]


def _findings(result: Result, given: Mapping[str, Any], seconds: float) -> tuple[list[Finding], list[str]]:
    """What the diagnosis names; and why it could not, or for what it had no time."""
    try:
        found = diagnose(result.folder, given["data"], y=given["y"], model=given["model"], seconds=seconds)
    except DressageError as error:
        return [], [f"not diagnosed: {error}"]
    late = [note.partition(":")[0] for note in found.notes if note.endswith(NO_TIME)]
    named = [f for f in found.findings if f.is_harmful or f.id.startswith(SHOWN)]
    return named, [f"no time to look for {', '.join(late)}"] if late else []


def _searchable(result: Result, finding: Finding) -> dict[str, object] | None:
    """The trial's edit with the finding's laid over it, where it changes only what may be searched."""
    known = hyper_parameters()
    if not finding.edit or not all(path in known for path in finding.edit):
        return None
    return {**result.trial.edit, **finding.edit}
