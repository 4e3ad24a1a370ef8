"""Step 6: the curves of the best trials, and what the diagnosis of them names. L6, DR10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def look(results: Sequence[Result], given: Mapping[str, Any], left: float) -> Step:
    """What the curves of the best trials show; the remedies that a recipe takes are handed to the next round as trials."""
    saw: list[str] = []
    edits: list[dict[str, object]] = []
    for result in results[:LOOKED_AT]:
        saw.append(f"trial {result.trial.number}: {_course(result)}")
        found, note = _findings(result, given, min(SECONDS, SHARE * left))
        saw += [f"  {f.id}: {f.evidence}" for f in found] or [f"  {note or 'the diagnosis names nothing'}"]
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


def _findings(result: Result, given: Mapping[str, Any], seconds: float) -> tuple[list[Finding], str]:
    """Causes and symptoms of the curves that the diagnosis names; or why it could not."""
    try:
        found = diagnose(result.folder, given["data"], y=given["y"], model=given["model"], seconds=seconds).findings
    except DressageError as error:
        return [], f"not diagnosed: {error}"
    return [f for f in found if f.id.startswith(("optim.", "model.", "eval.", "sym."))], ""


def _searchable(result: Result, finding: Finding) -> dict[str, object] | None:
    """The trial's edit with the finding's laid over it, where it changes only what may be searched."""
    known = hyper_parameters()
    if not finding.edit or not all(path in known for path in finding.edit):
        return None
    return {**result.trial.edit, **finding.edit}
