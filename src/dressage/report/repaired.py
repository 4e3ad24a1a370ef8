"""What a repair changed, why, and what came of it, from repair.json: the same words on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dressage.evaluate.words import digits, metric_name, number
from dressage.report.text import count, listing, mapping, records, setting, shown

MOST = 20


@dataclass(frozen=True, slots=True)
class Told:
    """A repair in words."""

    head: str
    lines: list[tuple[str, str]]
    """A word and what stands for it, each: why, result; no word where the line before goes on."""
    tried: list[str]
    """Short trainings that chose between changes, a sentence each."""

    @property
    def text(self) -> list[str]:
        """For a terminal; of what was tried only where nothing was changed."""
        lines = self.lines or [("tried", text) for text in self.tried]
        return [self.head, *(f"    {f'{name}: ' if name else '     '}{text}" for name, text in lines)]


def repair_told(record: Mapping[str, Any], run: str) -> Told | None:
    """The repair.json in the folder of that name; None where there was no repair."""
    if not record:
        return None
    first, second, kept = (record.get(name) for name in ("first", "second", "kept"))
    tried = [_tried(trial) for trial in records(record.get("trials"))[:MOST]]
    if not second:
        return Told(
            f"not repaired: of {max(0, len(tried) - 1)} changes that were tried in short none was better", [], tried
        )
    changed = "; ".join(_changed(path, pair) for path, pair in list(mapping(record.get("changes")).items())[:MOST])
    since = count(record.get("from_step"))
    went_on = f"; it went on from step {since} of {shown(first, 80)}" if since not in ("0", "–") else ""
    is_better = _is_kept(record)
    other = first if run == second else second
    head = f"{'repaired' if is_better else 'not repaired, since it did no better with'}: {changed}"
    there = "this run is kept" if kept == run else f"{shown(kept, 80)} is kept"
    beside = (
        f"the {'first' if other == first else 'second'} is {shown(other, 80)}" if kept == run else "this one is not"
    )
    result = f"{_scores(record)}{went_on}; {there}, {beside}"
    first_reason, *more = _why(mapping(record.get("finding")))
    return Told(head, [("why", first_reason), *(("", text) for text in more), ("result", result)], tried)


def _changed(path: str, pair: object) -> str:
    before, after = (*listing(pair), None, None)[:2]
    return f"{shown(path, 80)} {setting(before)} → {setting(after)}"


def _why(finding: Mapping[str, Any]) -> list[str]:
    """The cause, then what speaks for it, a line each."""
    cause, name = finding.get("cause"), shown(finding.get("id"), 60)
    seen = str(finding.get("evidence") or "").split("; ")
    return [f"{shown(cause, 200)} ({name})" if cause else name, *(shown(part) for part in seen[:MOST] if part)]


def _scores(record: Mapping[str, Any]) -> str:
    """`validation accuracy 0.981, it was 0.070`; between equals what decided."""
    before, after = _pair(record.get("scores"))
    name = metric_name(str(record.get("metric", "score")))
    if number(before) is None and number(after) is not None:
        return f"validation {name} {digits(after)}, where the first training diverged"
    told = f"validation {name} {digits(after)}, it was {digits(before)}"
    if before != after:
        return told
    before, after = _pair(record.get("log_loss"))
    if (was := number(before)) is None or (now := number(after)) is None:
        return told
    found = ", which these rows do not tell apart: what was found decides" if now > was and _is_kept(record) else ""
    return f"{told}; log loss {digits(now)}, it was {digits(was)}{found}"


def _is_kept(record: Mapping[str, Any]) -> bool:
    return bool(record.get("second")) and record.get("kept") == record.get("second")


def _pair(value: object) -> tuple[object, object]:
    first, second = (*listing(value), None, None)[:2]
    return first, second


def _tried(trial: Mapping[str, Any]) -> str:
    edit = mapping(trial.get("edit"))
    what = ", ".join(
        f"{shown(path, 80)} {'as is usual' if v is None else setting(v)}" for path, v in list(edit.items())[:MOST]
    )
    worth = number(trial.get("worth"))
    came = "diverged" if worth is None else f"validation rows are worth {digits(worth)} of 1"
    return f"{what or 'as it was'}: {came} after {count(trial.get('steps'))} steps"
