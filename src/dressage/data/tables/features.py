"""Which columns are features, and which are left out: ids, constants, free text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from dressage.data.source import Column
from dressage.data.tables.raw import Raw
from dressage.data.tables.values import Values

COUNTER_ROWS = 20  # from so many rows on, the numbers 0, 1, 2, … in order are a row counter and no measurement
FEW_WORDS = 20  # at most so many different words are a category, whatever the number of rows


def judge(name: str, values: Values, rows: int) -> Column:
    """What a column that has no role of its own is: number, category, date, or one of the kinds that are left out."""
    data, missing = values.data, values.data.null_count
    say = describer(name, values)
    if missing == rows:
        return say("constant", "no value at all: left out")
    ends = pc.min_max(data).as_py()
    if ends["min"] == ends["max"] and missing == 0:
        return say("constant", "one value in all rows: left out")
    if values.kind == "number" and missing == 0 and values.whole:
        if named_id(name, generous=True) and _distinct(data) == rows:
            return say("id", "whole numbers that never repeat, by its name: left out")
        if rows >= COUNTER_ROWS and _counts(data):
            return say("id", "counts the rows: left out")
    if values.kind == "category":
        known, distinct = rows - missing, _distinct(data)
        if distinct == known and (distinct > FEW_WORDS or named_id(name, generous=True)):
            return say("id" if _short(data) else "text", "words that never repeat: left out")
        if distinct > max(FEW_WORDS, known // 2):
            return say("text", f"{distinct} different words in {known} rows: left out")
    return say(values.kind, values.note)


def describer(name: str, values: Values) -> Callable[[str, str], Column]:
    """Makes the Column of these values, given its kind and a note."""
    missing, summary = values.data.null_count, summarize(values)
    return lambda kind, note: Column(name, kind, missing, summary, note, values.form)  # type: ignore[arg-type]


def summarize(values: Values) -> str:
    """Range of numbers and dates; the commonest words of a category."""
    known = len(values.data) - values.data.null_count
    if known == 0:
        return "empty"
    if values.kind == "category":
        counts = sorted(
            ((c["counts"], c["values"]) for c in pc.value_counts(values.data.drop_null()).to_pylist()),
            key=lambda c: (-c[0], c[1]),
        )
        if len(counts) > 3 and counts[0][0] == 1:  # shares of one row each say nothing
            return f"{len(counts)} different, e.g. {_clip(counts[0][1])}"
        shown = ", ".join(f"{_clip(word)} {100 * count / known:.0f} %" for count, word in counts[:3])
        return shown + (f", and {len(counts) - 3} more" if len(counts) > 3 else "")
    ends = pc.min_max(values.data).as_py()
    if values.kind == "date":
        days = pc.strftime(pa.array([ends["min"], ends["max"]]), "%Y-%m-%d").to_pylist()
        return f"{days[0]} … {days[1]}"
    return f"{ends['min']:.6g} … {ends['max']:.6g}"


def named_id(name: str, generous: bool = False) -> bool:
    """Whether a name is an identifier's: `id`, `patient_id`, `PassengerId`; generous: also `no`, `index`, `key`."""
    low = name.strip().lower()
    strict = re.search(r"(^|[_\-\s.])(id|uuid|guid)$", low) or re.search(r"[a-z](Id|ID)$", name.strip())
    loose = re.fullmatch(r"index|idx|key|row|row[_ ]?(number|no|nr)|no|nr|number|unnamed.*|rownames?", low)
    return bool(strict or (generous and loose))


def repeated_id(column: Column, values: Values, raw: Raw) -> str:
    """A warning when a column named like an identifier repeats: rows of one value may then sit in two parts."""
    if not named_id(column.name) or column.kind not in ("number", "category", "text"):
        return ""
    distinct = _distinct(values.data)
    found = f"column '{column.name[:80]}' is named like an id and has {distinct} values in {raw.table.num_rows} rows"
    return f"{found}: if rows of one value belong together, name it by --group"


def _distinct(data: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(data).as_py())


def _counts(data: pa.ChunkedArray) -> bool:
    numbers = data.to_numpy()
    return bool(numbers[0] in (0, 1) and (numbers[1:] - numbers[:-1] == 1).all())


def _short(data: pa.ChunkedArray) -> bool:
    return bool((pc.max(pc.utf8_length(data)).as_py() or 0) <= 40 and not pc.any(pc.match_substring(data, " ")).as_py())


def _clip(word: str, limit: int = 30) -> str:
    return word if len(word) <= limit else word[: limit - 1] + "…"
