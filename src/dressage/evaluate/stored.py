"""evaluation.json as it is read again: what the rest of dressage relies on is checked here, once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from dressage.errors import RunError
from dressage.files import read_json

FILE = "evaluation.json"
CONFUSED = {"true", "predicted", "count"}


def read_evaluation(folder: Path) -> dict[str, Any]:
    """What evaluation.json in a folder says of each part, and of the `gaps` between them (form: `dressage.evaluate`).

    Raises RunError for anything that is not as dressage writes it.
    """
    found = read_json(folder / FILE)
    for name, value in found.items():
        if not (_are_gaps(value) if name == "gaps" else _is_part(value)):
            repair = "restore the file from a copy, or repeat the training"
            raise RunError.of(folder / FILE, f"its '{name[:60]}' is damaged", "expected what dressage wrote", repair)
    return found


def _is_part(judged: object) -> bool:
    """Whether it has scores; a baseline, confusions and several targets are of their form where they are there."""
    if not isinstance(judged, Mapping) or not _has_scores(judged):
        return False
    confused, each, baseline = (
        judged.get("confused", []),
        judged.get("each", {}),
        judged.get("baseline", {"metrics": {}}),
    )
    if not isinstance(confused, list) or not all(isinstance(c, Mapping) and c.keys() >= CONFUSED for c in confused):
        return False
    if not isinstance(baseline, Mapping) or not _are_estimates(baseline.get("metrics")):
        return False
    return isinstance(each, Mapping) and all(_is_part(one) for one in each.values())


def _has_scores(judged: Mapping[str, Any]) -> bool:
    metrics, headline = judged.get("metrics"), judged.get("headline")
    return _are_estimates(metrics) and isinstance(headline, str) and headline in metrics


def _are_estimates(metrics: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(metrics, Mapping) and all(_is_estimate(value) for value in metrics.values())


def _is_estimate(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_number(value.get(end, "none")) for end in ("value", "low", "high"))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _are_gaps(gaps: object) -> bool:
    """Whether its words are there; nothing but they is read again."""
    if not isinstance(gaps, Mapping) or not isinstance(gaps.get("said"), str):
        return False
    return all(isinstance(gaps.get(name), list) for name in ("next", "notes"))
