"""Dates written in words and digits."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

DAY_FIRST = ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y")
MONTH_FIRST = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}
OTHERS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M")
SHAPE = r"^[0-9A-Za-z ,./-]{6,18}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"


@dataclass(frozen=True, slots=True)
class Dates:
    """Dates `(U,)` as timestamp[us], null where missing, and how they were written."""

    data: pa.Array
    form: str
    """How they were written, as strptime spells it; `iso`."""
    warning: str = ""


def read_dates(words: pa.Array, form: str = "") -> Dates | None:
    """The dates that `words (U,)` say if ALL of them are dates in one form; None otherwise. `form` is tried first."""
    if words.null_count == len(words) or not pc.all(pc.match_substring_regex(words, SHAPE), min_count=0).as_py():
        return None
    known = _all_of(words, form) if form not in ("", "iso") else None
    if known is not None:
        return Dates(known, form)
    iso = _iso(words)
    if iso is not None:
        return Dates(iso, "iso")
    for time in TIMES:
        for form in DAY_FIRST:
            found = _all_of(words, form + time)
            other = _all_of(words, MONTH_FIRST[form] + time) if form in MONTH_FIRST else None
            if found is not None or other is not None:
                return _day_or_month(found, other, form + time)
        for form in OTHERS:
            found = _all_of(words, form + time)
            if found is not None:
                return Dates(found, form + time)
    return None


def _day_or_month(day_first: pa.Array | None, month_first: pa.Array | None, form: str) -> Dates:
    """Where all dates fit both readings, `/` is month first (United States), `.` and `-` day first; warned of."""
    american = "%m" + form[2] + "%d" + form[5:]
    if day_first is None:
        return Dates(month_first, american)
    if month_first is None:
        return Dates(day_first, form)
    warning = "its dates fit both month/day and day/month: {} first is taken; write them as 2026-01-31 to be sure"
    return (
        Dates(month_first, american, warning.format("month"))
        if "/" in form
        else Dates(day_first, form, warning.format("day"))
    )


def _iso(words: pa.Array) -> pa.Array | None:
    if not pc.all(pc.match_substring_regex(words, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?$"), min_count=0).as_py():
        return None
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return pc.cast(words.cast(kind), pa.timestamp("us"), safe=False)
        except pa.ArrowInvalid:
            continue
    return None


def _all_of(words: pa.Array, form: str) -> pa.Array | None:
    """The dates if every word has this form and names a day that exists (strptime lets 31 February pass)."""
    found = pc.strptime(words, format=form, unit="us", error_is_null=True)
    if found.null_count > words.null_count:
        return None
    day = form.find("%d") == 0
    if day or form.startswith("%m"):
        numbers = pc.extract_regex(words, r"^(?P<a>[0-9]{1,2})[^0-9](?P<b>[0-9]{1,2}|[A-Za-z]+)")
        said = pc.struct_field(numbers, "a" if day else "b").cast(pa.int64())
        if not pc.all(pc.equal(said, pc.day(found)), min_count=0).as_py():
            return None
    return found if pc.min(pc.year(found)).as_py() >= 1000 else None
