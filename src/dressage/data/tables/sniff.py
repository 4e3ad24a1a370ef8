"""How a CSV is written: encoding, delimiter, quote, decimal mark, header. Found by looking, told with the reason."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dressage.errors import DataError

SAMPLE = 1 << 18  # bytes of the file's beginning that delimiter, quote, decimal mark and header are judged by
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MISSING = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "nan", "NaN", "NAN", "-nan", "-NaN", "NaT"),
    *("null", "NULL", "Null", "None", "-", "--", ".", "1.#QNAN", "-1.#IND", "1.#IND"),
)
"""Cells that stand for no value."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE | re.ASCII)
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written."""

    delimiter: str
    quote: str
    decimal: str
    header: bool
    names: Sequence[str]
    assumed: dict[str, str]


def to_utf8(data: bytes, name: str) -> tuple[bytes, str]:
    """The text as UTF-8 without a byte order mark, and the encoding with the reason. Raises DataError."""
    marks = [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ]
    try:
        for mark, encoding in marks:
            if data.startswith(mark):
                text = data[len(mark) :] if encoding == "utf-8" else data.decode(encoding).encode()
                text.decode()
                return text, f"{encoding}, by its byte order mark"
    except UnicodeError as error:
        raise DataError.of(
            name, f"the bytes do not fit its byte order mark ({encoding})", str(error)[:120], "save it again as UTF-8"
        ) from None
    if _is_utf8(data):
        return data, "utf-8"
    encoding = (
        "cp1252" if re.search(rb"[\x80-\x9f]", data) and not re.search(rb"[\x81\x8d\x8f\x90\x9d]", data) else "latin-1"
    )
    return data.decode(
        encoding
    ).encode(), f"{encoding}, since the bytes are not valid UTF-8; save the file as UTF-8 if letters look wrong"


def sniff(sample: str, name: str, expected: Collection[str] = ()) -> Dialect:
    """How `sample`, the beginning of a CSV in whole records, is written; `expected` are names known from a training.

    Raises DataError when there is one column only (and none is known), or a column name twice.
    """
    sample, told = _excel_hint(sample)
    quote = (
        "'"
        if '"' not in sample and len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample, re.MULTILINE)) > 1
        else '"'
    )
    delimiter, rows = (told, _parse(sample, told, quote)) if told else _delimiter(sample, quote)
    if not expected and len(rows[0]) < 2 and max(map(len, rows)) < 2:
        raise DataError.of(
            name,
            "it has one column only",
            "expected a target and at least one feature, separated by , ; tab or |",
            "check the separator",
        )
    decimal = "." if delimiter == "," else _decimal(rows)
    header, why = _header(rows, decimal, expected)
    names = (
        [cell.strip() or f"unnamed {i + 1}" for i, cell in enumerate(rows[0])]
        if header
        else [f"column {i + 1}" for i in range(len(rows[0]))]
    )
    _refuse_twins(names, name)
    found = sorted({cell.strip() for row in rows for cell in row if cell.strip() in MISSING})
    assumed = {
        "delimiter": DELIMITERS.get(delimiter, repr(delimiter)),
        "decimal mark": "comma" if decimal == "," else "point",
        "header": why,
    }
    if found:
        assumed["missing"] = "cells taken as missing: " + ", ".join(repr(cell) if cell else "empty" for cell in found)
    return Dialect(delimiter, quote, decimal, header, names, assumed)


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is written as a number: ASCII digits, no grouping."""
    cell = cell.strip()
    return bool(NUMBER.fullmatch(cell) or (decimal == "," and COMMA_NUMBER.fullmatch(cell)))


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for i in range(0, len(data), 1 << 20):
            decoder.decode(data[i : i + (1 << 20)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _excel_hint(sample: str) -> tuple[str, str]:
    """Excel's first line `sep=;` names the delimiter."""
    hint = re.match(r"sep=([,;\t|])\r?\n", sample)
    return (sample[hint.end() :], hint[1]) if hint else (sample, "")


def _parse(sample: str, delimiter: str, quote: str) -> Rows:
    """The first rows, as far as they can be parsed."""
    rows: Rows = []
    with contextlib.suppress(csv.Error):
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote):
            rows += [row] if row else []
            if len(rows) == 2000:
                break
    return rows or [[""]]


def _delimiter(sample: str, quote: str) -> tuple[str, Rows]:
    """The delimiter that gives most rows the same number of cells, with the fewest other delimiters inside them."""
    best, chosen = -1.0, (",", [[""]])
    for delimiter in DELIMITERS:
        rows = _parse(sample, delimiter, quote)
        width, count = Counter(map(len, rows)).most_common(1)[0]
        cells = [cell for row in rows[:200] for cell in row]
        others = sum(
            any(d in cell for d in DELIMITERS if d != delimiter) and not COMMA_NUMBER.fullmatch(cell.strip())
            for cell in cells
        )
        score = count / len(rows) * (1 - others / max(len(cells), 1)) if width > 1 else 0.0
        if score > best + 1e-9:
            best, chosen = score, (delimiter, rows)
    return chosen


def _decimal(rows: Rows) -> str:
    cells = [cell.strip() for row in rows[:500] for cell in row]
    commas = sum(bool(COMMA_NUMBER.fullmatch(cell)) for cell in cells)
    points = sum("." in cell and bool(NUMBER.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."


def _header(rows: Rows, decimal: str, expected: Collection[str]) -> tuple[bool, str]:
    """Whether the first row holds names: it says text over a column of numbers, or words that never come again."""
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if expected:
        known = set(expected)
        if any(cell in known for cell in first):
            return True, "the first line, by the names known from training"
        if all(re.fullmatch(r"column \d+", column) for column in known):
            return False, "none, as in training"
    over_numbers = over_text = 0
    for i, cell in enumerate(first):
        below = [row[i].strip() for row in rest if i < len(row) and row[i].strip() not in MISSING]
        if below and all(is_number(b, decimal) for b in below):
            over_numbers += cell != "" and cell not in MISSING and not is_number(cell, decimal)
        elif cell and cell in below:
            over_text += 1
    if over_numbers:
        return True, "the first line: words over columns of numbers"
    numbers = sum(is_number(cell, decimal) for cell in first)
    if numbers or over_text or not rest:
        reason = "its numbers look like data" if numbers else "its words come again further down"
        return (
            (True, "the first line")
            if not rest and not numbers
            else (False, f"none: the first line is taken as data, {reason}")
        )
    return True, "the first line: its words do not come again below"


def _refuse_twins(names: Sequence[str], name: str) -> None:
    twins = [column for column, count in Counter(names).items() if count > 1]
    if twins:
        listed = ", ".join(f"'{column[:80]}'" for column in twins[:5])
        raise DataError.of(
            name,
            f"the column name {listed} is there more than once",
            "expected every column to have its own name",
            "rename the columns in the first line",
        )
