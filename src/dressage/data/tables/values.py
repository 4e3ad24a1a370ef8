"""The values of one column in a clean type, whatever they came as: numbers float64, words string, dates timestamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from dressage.data.tables.dates import read_dates
from dressage.data.tables.raw import Raw
from dressage.data.tables.sniff import MISSING
from dressage.errors import DataError

Kind = Literal["number", "category", "date"]
MOSTLY = 0.95  # share of numbers from which the words in a column are slips of the pen and not a category
PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$"
COMMA = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$|^[+-]?[0-9]+$"
TYPES = {"number": pa.float64(), "category": pa.large_string(), "date": pa.timestamp("us")}


@dataclass(frozen=True, slots=True)
class Values:
    """The values `(N,)` of one column: `data` has the type TYPES[kind], null where missing."""

    data: pa.ChunkedArray
    kind: Kind
    note: str = ""
    whole: bool = False
    """Whether numbers arrived as whole numbers or true/false."""
    warning: str = ""
    form: str = ""
    """How dates were written."""


def read_values(column: pa.ChunkedArray, name: str, raw: Raw, wanted: Kind | None = None, form: str = "") -> Values:
    """The values of a column; `wanted` and the `form` of dates are what a training found.

    Raises DataError, naming rows, where they do not fit.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return read_values(column.cast(kind.value_type), name, raw, wanted, form)
    if _is_text(kind):
        values = _from_text(column.cast(pa.large_string()), name, raw, wanted, form)
    elif pa.types.is_null(kind):
        values = Values(column.cast(TYPES[wanted or "number"]), wanted or "number")
    elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        values = Values(pc.cast(column, TYPES["date"], safe=False), "date")
    else:
        values = _from_numbers(column, name, raw)
    if wanted not in (None, values.kind):
        values = _as_wanted(column, values, name, raw, wanted)
    if values.kind == "number":
        _refuse_infinite(values.data, name, raw)
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _from_numbers(column: pa.ChunkedArray, name: str, raw: Raw) -> Values:
    kind, note = column.type, ""
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        column = pc.divide(
            pc.cast(column.cast(pa.int32() if kind.bit_width == 32 else pa.int64()), pa.float64(), safe=False), unit
        )
        note = "time in seconds"
    elif pa.types.is_boolean(kind):
        column, note = column.cast(pa.int8()), "true is 1, false is 0"
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        repair = "take its parts out into columns of their own, or leave it out with data.ignore"
        raise DataError.of(
            raw.name,
            f"column '{name[:80]}' holds {str(kind)[:60]}",
            "expected numbers, words, dates or true/false",
            repair,
        )
    numbers = pc.cast(column, pa.float64(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return Values(numbers, "number", note, pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _from_text(column: pa.ChunkedArray, name: str, raw: Raw, wanted: Kind | None, form: str) -> Values:
    """Looks at each different word once, and says what they all are."""
    coded = column.combine_chunks().dictionary_encode()
    words = pc.utf8_trim_whitespace(coded.dictionary)
    words = pc.if_else(pc.is_in(words, pa.array(MISSING, pa.large_string())), pa.scalar(None, pa.large_string()), words)
    if wanted == "category":
        return _spread(words, coded, "category")
    return (
        _as_numbers(words, coded, name, raw)
        or _as_truths(words, coded)
        or _as_dates(words, coded, name, form)
        or _spread(words, coded, "category")
    )


def _spread(
    words: pa.Array, coded: pa.DictionaryArray, kind: Kind, note: str = "", whole: bool = False, warning: str = ""
) -> Values:
    data = pc.take(words, coded.indices)
    return Values(pa.chunked_array([data]), kind, note, whole, warning)


def _as_numbers(words: pa.Array, coded: pa.DictionaryArray, name: str, raw: Raw) -> Values | None:
    """Numbers, where all words are; where all but a few are, those count as missing, with a warning."""
    plain, note = pc.match_substring_regex(words, PLAIN), "numbers written as text"
    if raw.decimal_commas and not pc.all(plain, min_count=0).as_py():
        comma = pc.or_(plain, pc.match_substring_regex(words, COMMA))
        if pc.all(comma, min_count=0).as_py():
            plain, words, note = comma, pc.replace_substring(words, ",", "."), "decimal commas"
    filled = pc.take(plain, coded.indices)
    known = len(filled) - filled.null_count
    good = pc.sum(filled).as_py() or 0
    if known == 0 or good < known / 2:
        return None
    if good == known:
        return _spread(_to_float(words, plain), coded, "number", note)
    rows = pc.indices_nonzero(pc.invert(filled)).to_pylist()
    strange = dict.fromkeys(pc.take(words, coded.indices.take(pa.array(rows[:5]))).to_pylist())
    said = ", ".join(repr(str(word)[:40]) for word in strange) + f" ({raw.calls(rows)})"
    found = f"column '{name[:80]}': {known - good} of {known} cells are not numbers"
    if good < MOSTLY * known:
        return _spread(
            words, coded, "category", "words and numbers", warning=f"{found}, so all are taken as words: {said}"
        )
    note = f"{known - good} cells that are not numbers count as missing"
    warning = f"{found} and count as missing: {said}"
    return _spread(_to_float(words, plain), coded, "number", note, warning=warning)


def _to_float(words: pa.Array, fits: pa.Array) -> pa.Array:
    bare = pc.replace_substring_regex(words, r"^\+", "")
    return pc.if_else(fits, bare, pa.scalar(None, pa.large_string())).cast(pa.float64())


def _as_truths(words: pa.Array, coded: pa.DictionaryArray) -> Values | None:
    low = pc.utf8_lower(words)
    true, false = pc.equal(low, "true"), pc.equal(low, "false")
    if words.null_count == len(words) or not pc.all(pc.or_(true, false), min_count=0).as_py():
        return None
    return _spread(true.cast(pa.float64()), coded, "number", "true is 1, false is 0", whole=True)


def _as_dates(words: pa.Array, coded: pa.DictionaryArray, name: str, form: str) -> Values | None:
    found = read_dates(words, form)
    if found is None:
        return None
    warning = f"column '{name[:80]}': {found.warning}" if found.warning else ""
    return Values(
        pa.chunked_array([pc.take(found.data, coded.indices)]),
        "date",
        f"dates as {found.form}",
        False,
        warning,
        found.form,
    )


def _as_wanted(column: pa.ChunkedArray, values: Values, name: str, raw: Raw, wanted: Kind) -> Values:
    """Brings values to the kind that the training found, or says which rows do not fit."""
    if values.data.null_count == len(values.data):
        return Values(pa.chunked_array([pa.nulls(len(values.data), TYPES[wanted])]), wanted)
    if wanted == "category":
        return Values(column.cast(pa.large_string()), "category")
    strange = pc.indices_nonzero(pc.is_valid(values.data)).to_pylist()
    if values.kind == "category":
        fits = (
            pc.match_substring_regex(values.data, PLAIN)
            if wanted == "number"
            else pa.chunked_array([pa.array([False] * len(column))])
        )
        strange = pc.indices_nonzero(pc.invert(fits)).to_pylist()
    said = repr(str(values.data[strange[0]].as_py())[:60])
    raise DataError.of(
        raw.name,
        f"column '{name[:80]}' has {said} in {raw.calls(strange)}",
        f"expected a {wanted} as in training",
        "correct these rows",
    )


def _refuse_infinite(data: pa.ChunkedArray, name: str, raw: Raw) -> None:
    infinite = pc.is_inf(data)
    if pc.any(infinite).as_py():
        rows = pc.indices_nonzero(infinite).to_pylist()
        repair = "correct these cells, leave them empty (missing), or leave the column out with data.ignore"
        raise DataError.of(
            raw.name,
            f"column '{name[:80]}' has an infinite number (inf, or beyond 1.8e308) in {raw.calls(rows)}",
            "expected finite numbers",
            repair,
        )
