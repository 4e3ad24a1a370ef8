"""The table of what was assumed of the data, as aligned lines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby

from dressage.data.describe import Row
from dressage.errors import printable

WIDEST_NAME = 28
MOST = 12  # lines of a section: what comes after would push what matters off the screen


def described_lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line a row: what it is of, its name, what was found, and why; cut to the width of the terminal."""
    width = max(60, shutil.get_terminal_size((140, 24)).columns)
    name_width = min(WIDEST_NAME, max((len(_flat(row.name)) for row in rows), default=0))
    section = ""
    for row in _shortened(rows):
        head = row.section if row.section != section else ""
        section = row.section
        note = f"  ({_flat(row.note)})" if row.note else ""
        line = f"{head:<9}{_cut(_flat(row.name), name_width):<{name_width}}  {_flat(row.what)}{note}"
        yield line.rstrip() if row.section == "warning" else _cut(line.rstrip(), width)


def _shortened(rows: Sequence[Row]) -> Iterator[Row]:
    for section, group in groupby(rows, key=lambda row: row.section):
        lines = list(group)
        if section in ("column", "class") and len(lines) > MOST:
            lines = [*lines[: MOST - 1], Row(section, "…", "and more; data.json in the run's folder has all")]
        yield from lines


def _flat(text: str) -> str:
    return " ".join(printable(text).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
