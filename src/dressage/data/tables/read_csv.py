"""Reads a CSV whole: bytes to an Arrow table whose column types come from ALL rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from dressage.data.tables.lines import Records, find_records
from dressage.data.tables.raw import Raw
from dressage.data.tables.sniff import MISSING, SAMPLE, Dialect, sniff, to_utf8
from dressage.errors import DataError

FIELD_LIMIT = 131_072  # bytes of one cell: more is a quote left open, or not a table


def read_csv(path: Path, expected: Collection[str] = ()) -> Raw:
    """The table in a CSV file; rows are called `line N`. Raises DataError on anything that is not a clean table."""
    data, encoding = to_utf8(_read(path), path.name)
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    _refuse_nul(data, path.name)
    records = find_records(data, '"') if data.strip() else None
    if records is None or not len(records):
        raise DataError.of(
            path.name, "the file is empty", "expected a table with a header and rows", "give another file"
        )
    dialect = sniff(_sample(data, records), path.name, expected)
    if dialect.quote != '"':
        records = find_records(data, dialect.quote)
    _refuse_wide_fields(data, records, dialect, path.name)
    first = _first_row(data, records, dialect)
    if first >= len(records):
        raise DataError.of(
            path.name, "the file has a header and no rows", "expected at least one row under it", "give another file"
        )
    if len(dialect.names) == 1:  # an empty line is a row then, whose only cell is missing
        records = find_records(data, dialect.quote, blank_after=first)
    table = _parse(data, records, first, dialect, path.name)
    lines = records.line[first:]
    ids = (
        [f"line {n}" for n in lines.tolist()]
        if len(lines) == table.num_rows
        else [f"row {n}" for n in range(1, table.num_rows + 1)]
    )
    return Raw(
        path.name, table, ids, {"encoding": encoding, **dialect.assumed}, decimal_commas=dialect.delimiter != ","
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError.of(
            path,
            error.strerror or "it cannot be read",
            "expected a readable CSV file",
            "check the path and its permissions",
        ) from None


def _sample(data: bytes, records: Records) -> str:
    """The first whole records, up to about SAMPLE bytes."""
    last = max(int((records.stop <= SAMPLE).sum()), min(2, len(records))) - 1
    return data[: records.stop[last]][: 8 * SAMPLE].decode(errors="replace")


def _first_row(data: bytes, records: Records, dialect: Dialect) -> int:
    hint = data[records.start[0] : records.stop[0]].startswith(b"sep=") and records.stop[0] - records.start[0] == 5
    return int(hint) + int(dialect.header)


def _refuse_nul(data: bytes, name: str) -> None:
    at = data.find(b"\0")
    if at >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise DataError.of(
            name,
            f"a NUL byte in line {line}",
            "expected text (CSV) or a Parquet file",
            "save the table again as UTF-8 CSV",
        )


def _refuse_wide_fields(data: bytes, records: Records, dialect: Dialect, name: str) -> None:
    for i in (records.stop - records.start > FIELD_LIMIT).nonzero()[0].tolist():
        record = data[records.start[i] : records.stop[i]].decode()
        try:
            cells = next(csv.reader([record], delimiter=dialect.delimiter, quotechar=dialect.quote), [])
            wide = any(len(cell.encode()) > FIELD_LIMIT for cell in cells)
        except csv.Error:
            wide = True
        if wide:
            cause = " (a quote is opened and never closed)" if records.open_quote else ""
            raise DataError.of(
                name,
                f"line {records.line[i]} has a cell of more than 128 kB{cause}",
                "expected cells of at most 131072 bytes",
                "correct or remove that line",
            )


def _parse(data: bytes, records: Records, first: int, dialect: Dialect, name: str) -> pa.Table:
    start = int(records.start[first])
    body = _arrows_own(data).slice(start, int(records.stop[-1]) - start)
    try:
        return _arrow(body, records, dialect)
    except pa.ArrowException as error:
        _refuse_ragged(body, records, first, dialect, name)
        raise DataError.of(
            name,
            str(error).split("\n")[0][:200],
            "expected a CSV with the same number of cells in every line",
            "correct the file",
        ) from None


def _refuse_ragged(body: pa.Buffer, records: Records, first: int, dialect: Dialect, name: str) -> None:
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    with suppress(pa.ArrowException):
        _arrow(body, records, dialect, note)
    if ragged:
        at = ragged[0]
        line = (
            f"line {records.line[first + at.number - 1]}" if first + at.number <= len(records) else f"row {at.number}"
        )
        more = f", and {len(ragged) - 1} more lines" if len(ragged) > 1 else ""
        cause = (
            "close the quote" if records.open_quote else "correct that line, or quote the cells that hold the separator"
        )
        raise DataError.of(
            name,
            f"{line} has {at.actual_columns} cells{more}",
            f"expected {at.expected_columns} as in the first line",
            cause,
        )


def _arrows_own(data: bytes) -> pa.Buffer:
    """A copy in Arrow's memory: its threads may hold the buffer longer than Python lives, and a Python buffer aborts then."""
    buffer = pa.allocate_buffer(len(data))
    pa.FixedSizeBufferWriter(buffer).write(data)
    return buffer


def _arrow(
    body: pa.Buffer, records: Records, dialect: Dialect, handler: Callable[[Any], str] | None = None
) -> pa.Table:
    """With a handler in one thread: only that knows the numbers of rows.

    Without one where there are several, since a thread that lets go of a handler when Python is ending aborts the process.
    """
    longest = int((records.stop - records.start).max()) + 4
    return pyarrow.csv.read_csv(
        pa.BufferReader(body),
        read_options=pyarrow.csv.ReadOptions(
            column_names=_plain(dialect.names), use_threads=handler is None, block_size=max(1 << 20, 2 * longest)
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            newlines_in_values=True,
            ignore_empty_lines=len(dialect.names) > 1,
            invalid_row_handler=handler,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=list(MISSING), strings_can_be_null=True, decimal_point=dialect.decimal
        ),
    ).rename_columns(list(dialect.names))


def _plain(names: Sequence[str]) -> list[str]:
    """Stand-ins, so that no name from a file reaches the parser."""
    return [f"c{i}" for i in range(len(names))]
