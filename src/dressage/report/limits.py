"""What limits the network: the gaps between the errors of the parts, as rows of a table and in words."""

from __future__ import annotations

from dressage.evaluate.bias_variance import Diagnosis, diagnose
from dressage.evaluate.bias_words import NAMES, PARTS, advice, notes, of_target, said
from dressage.evaluate.words import digits, number, targets_of
from dressage.report.gather import Files
from dressage.report.story import MOST_TARGETS
from dressage.report.text import mapping, shown


def gaps(files: Files) -> Diagnosis | None:
    """The diagnosis of the parts that the run folder has; None where nothing can be compared."""
    target = number(mapping(files.recipe.get("evaluate")).get("target_error"))
    return diagnose(files.evaluation, max(0.0, target or 0.0))


def limits(files: Files) -> list[dict[str, object]]:
    """What the section of the page shows: one table, or one a target where there are several; none without a diagnosis."""
    targets = next((list(targets_of(e)) for e in files.evaluation.values() if targets_of(e)), [])
    if not targets:
        found = gaps(files)
        return [_table(found)] if found and found.gaps else []
    each = {name: diagnose(of_target(files.evaluation, name)) for name in targets[:MOST_TARGETS]}
    return [_table(found, shown(name, 60)) for name, found in each.items() if found and found.gaps]


def _table(found: Diagnosis, name: str = "") -> dict[str, object]:
    rows = [
        {
            "name": _start(NAMES[gap.name]),
            "between": f"{PARTS[gap.start]} {digits(found.errors[gap.start].value)} → "
            f"{PARTS[gap.end]} {digits(found.errors[gap.end].value)}",
            "value": digits(gap.value),
            "interval": f"{digits(gap.low)} to {digits(gap.high)}",
            "verdict": "beyond its noise" if gap.is_beyond_noise else "within its noise",
        }
        for gap in found.gaps
    ]
    told = [_start(line) + "." for line in (*advice(found), *notes(found))]
    return {"target": name, "rows": rows, "said": _start(said(found)) + ".", "told": told, "unit": found.unit}


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
