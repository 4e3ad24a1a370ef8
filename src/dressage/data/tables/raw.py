"""A table as it was read, before its columns are understood; Parquet files and frames become one here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from dressage.errors import DataError, nearest


@dataclass(frozen=True, slots=True)
class Raw:
    """A table as it was read: Arrow columns of whatever type, and what rows are called."""

    name: str
    table: pa.Table
    ids: Sequence[str] | None
    assumed: dict[str, str]
    decimal_commas: bool = False
    """Whether `1,5` may be a number here."""

    def call(self, row: int) -> str:
        """What a person calls a row."""
        return self.ids[row] if self.ids is not None else f"row {row}"

    def calls(self, rows: Sequence[int]) -> str:
        """What a person calls some rows: the first five by name."""
        return ", ".join(self.call(row) for row in rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def read_parquet(path: Path, least: int = 2) -> Raw:
    """The table in a Parquet file; rows are called by their number from 0. Raises DataError when it is damaged."""
    try:
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        found = "it is not a whole Parquet file (" + str(error).split("\n")[0][:120] + ")"
        raise DataError.of(path.name, found, "expected a Parquet file", "write or copy it again") from None
    return from_arrow(table, path.name, least)


def from_arrow(table: pa.Table, name: str, least: int = 2) -> Raw:
    """A frame as an Arrow table of `least` columns; the index columns that pandas adds are left out. Raises DataError."""
    keep = [i for i, column in enumerate(table.column_names) if not re.fullmatch(r"__index_level_\d+__", column)]
    table = table.select(keep)
    twins = (
        sorted({column for column in table.column_names if table.column_names.count(column) > 1})
        if len(set(table.column_names)) < table.num_columns
        else []
    )
    if twins:
        raise DataError.of(
            name,
            f"the column name '{twins[0][:80]}' is there more than once",
            "expected every column to have its own name",
            "rename the columns",
        )
    if table.num_rows == 0:
        raise DataError.of(name, "the table has no rows", "expected at least one row", "give another table")
    if table.num_columns < least:
        raise DataError.of(
            name,
            f"it has {table.num_columns} column",
            "expected a target and at least one feature",
            "give another table",
        )
    return Raw(name, table, None, {})


def nearest_column(name: str, columns: Sequence[str]) -> str:
    """The nearest spelling and the columns there are, each clipped, since a name in a file can be of any length."""
    return nearest(name[:80], [column if len(column) <= 80 else column[:79] + "…" for column in columns])
