"""What ensemble.json says of an ensemble that is finished, checked when it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dressage.ensemble.rules import catalogue as rules
from dressage.errors import RunError, printable
from dressage.store.folder import ENSEMBLE

FORMAT = 1


def checked(found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The facts; raises RunError for anything that is not as dressage writes it."""
    version, members = found.get("format"), found["members"]
    if version != FORMAT:
        expected = f"this dressage reads format {FORMAT}"
        raise RunError.of(folder / ENSEMBLE, f"is of format {printable(version, 40)}", expected, "update dressage")
    listed = isinstance(members, list) and all(isinstance(m, Mapping) for m in members)
    weights: list[Any] = [m.get("weight") for m in members] if listed else []
    sound = bool(weights) and all(_is_share(w) for w in weights)
    names = [m.get("folder") for m in members] if sound else []
    if not sound or abs(sum(weights) - 1) > 1e-6 or not all(isinstance(name, str) for name in names):
        repair = "restore it from a copy, or make the ensemble anew"
        raise RunError.of(folder / ENSEMBLE, "its members or weights are damaged", "expected shares of sum 1", repair)
    if not isinstance(found.get("combine"), str):
        raise RunError.of(
            folder / ENSEMBLE, "it names no rule", "expected one of `dressage list combine`", "restore it"
        )
    rules.build(found["combine"])
    if name := next(_damaged(found), None):
        repair = "restore it from a copy, or make the ensemble anew"
        raise RunError.of(folder / ENSEMBLE, f"its '{name}' is damaged", "expected what dressage wrote", repair)
    return found


def _damaged(found: Mapping[str, Any]) -> Iterator[str]:
    """What of the facts cannot be told in words and tables."""
    of, gain, differ, lines, told = (found.get(name) for name in ("of", "gained", "diversity", "lines", "told"))
    if not isinstance(of, list) or not of or not all(_is_judged(member, of[0]) for member in of):
        yield "of"
    elif not isinstance(gain, Mapping) or not _is_gain(gain, len(of)):
        yield "gained"
    if not isinstance(differ, Mapping) or not _numbers(differ.get("ambiguity"), differ.get("disagreement", 0.0)):
        yield "diversity"
    if not isinstance(lines, list) or not all(_is_line(line) for line in lines):
        yield "lines"
    if not isinstance(told, list) or not all(isinstance(text, str) for text in told):
        yield "told"


def _is_judged(member: object, first: object) -> bool:
    """Whether a member has a name, a weight, and scores on the same parts as the first."""
    if not isinstance(member, Mapping) or not isinstance(member.get("name"), str) or not isinstance(first, Mapping):
        return False
    scores, others = member.get("scores"), first.get("scores")
    if not isinstance(scores, Mapping) or not isinstance(others, Mapping) or scores.keys() != others.keys():
        return False
    parts = list(scores.values())
    listed = all(isinstance(part, Mapping) and _numbers(part.get("score"), part.get("loss")) for part in parts)
    return listed and _numbers(member.get("weight"))


def _is_gain(gain: Mapping[str, Any], count: int) -> bool:
    best = gain.get("best")
    if not isinstance(best, int) or isinstance(best, bool) or not 0 <= best < count or "low" not in gain:
        return False
    return gain["low"] is None or _numbers(*(gain.get(name) for name in ("value", "low", "high", "n")))


def _is_line(line: object) -> bool:
    if not isinstance(line, Mapping) or not isinstance(line.get("ends"), list):
        return False
    return _numbers(line.get("barrier"), line.get("loss_barrier"))


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
