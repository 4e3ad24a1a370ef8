"""The form of run.db: what its tables hold, and how a stretch of steps becomes one row.

A row of `blocks` holds the scalars of `n` consecutive steps from step `first` on: `data` is an `(n, C)` matrix of
little-endian float32, row by row, with the names of its C columns in row `columns` of the table `columns`. `low` and
`high` are the `(C,)` extremes of the block: with 1024 steps a block they are the upper level of the plots' min/max
pyramid. A `crc` is the CRC-32 of the row's other values, `data_crc` goes on from it over `data`.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dressage.errors import DressageError, RunError
from dressage.files import cannot_write, free_bytes
from dressage.version import __version__

Matrix = npt.NDArray[np.float32]
FORMAT = 1
"""`PRAGMA user_version` of run.db; a reader refuses a newer one."""
APPLICATION = 0x64726573
"""`PRAGMA application_id`: "dres"."""
ROOM = 256 * 1024
"""Bytes that a database wants at once, about, with its log and the log's index."""
ROWS = 1024
"""Most steps of a block: with it a column fills a page of SQLite, and a scalar takes 4.5 bytes, all included."""
TABLES = {
    "columns": "id INTEGER PRIMARY KEY, crc INTEGER, names TEXT",
    "blocks": "first INTEGER PRIMARY KEY, n INTEGER, columns INTEGER, crc INTEGER, data_crc INTEGER, "
    "low BLOB, high BLOB, data BLOB",
    "epochs": "epoch INTEGER PRIMARY KEY, step INTEGER, crc INTEGER, facts TEXT",
    "findings": "id INTEGER PRIMARY KEY, step INTEGER, crc INTEGER, facts TEXT",
    "events": "id INTEGER PRIMARY KEY, step INTEGER, crc INTEGER, kind TEXT, time REAL, facts TEXT",
}
INSERT_BLOCK = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def to_row(first: int, columns: int, values: Matrix) -> tuple[int | bytes, ...]:
    """The row of `blocks` for `values` `(n, C)` of the steps from `first` on."""
    low, high = extremes(values)
    data = np.ascontiguousarray(values, "<f4").tobytes()
    crc = head_crc(first, len(values), columns, low, high)
    return first, len(values), columns, crc, zlib.crc32(data, crc), low, high, data


def head_crc(first: int, n: int, columns: int, low: bytes, high: bytes) -> int:
    """CRC-32 of everything in a block but its data."""
    return zlib.crc32(struct.pack("<qqq", first, n, columns) + low + high)


def text_crc(*values: int | float | str) -> int:
    """CRC-32 of the values of a row that holds text."""
    return zlib.crc32(json.dumps(values).encode())


def extremes(values: Matrix) -> tuple[bytes, bytes]:
    """The smallest and the largest of each column of `(n, C)`, as float32 bytes; NaN only where all are."""
    return np.fmin.reduce(values).astype("<f4").tobytes(), np.fmax.reduce(values).astype("<f4").tobytes()


def decode(row: tuple[int, int, int, int, int, bytes, bytes, bytes], width: int) -> Matrix:
    """The `(n, width)` values of a row of `blocks`. Raises ValueError where it is damaged."""
    first, n, columns, crc, data_crc, low, high, data = row
    check_head((first, n, columns, crc, low, high), width)
    if not isinstance(data, bytes) or len(data) != 4 * n * width or zlib.crc32(data, crc) != data_crc:
        raise ValueError("its values do not fit their CRC")
    return np.frombuffer(data, "<f4").reshape(n, width)


def check_head(row: tuple[int, int, int, int, bytes, bytes], width: int) -> None:
    """Raises ValueError where anything but the values of a block is damaged."""
    first, n, columns, crc, low, high = row
    if not all(isinstance(value, int) for value in row[:4]) or not (isinstance(low, bytes) and isinstance(high, bytes)):
        raise ValueError("it holds values of a wrong kind")
    if not (0 <= first < 2**62 and 1 <= n <= ROWS and len(low) == len(high) == 4 * width):
        raise ValueError("its sizes do not fit")
    if head_crc(first, n, columns, low, high) != crc:
        raise ValueError("its head does not fit its CRC")


def check_format(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the database holds our tables (False: it is new). Raises RunError: another, or a newer format."""
    connection.text_factory = lambda text: text.decode(errors="replace")  # a flipped bit can leave text that is none
    try:
        found = {name: kind for kind, name in connection.execute("SELECT type, name FROM sqlite_schema")}
    except UnicodeDecodeError:  # SQLite's message quotes the damaged schema
        raise sqlite3.DatabaseError("its list of tables is unreadable") from None
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if not found and not version:
        return False
    if application == APPLICATION and version > FORMAT:
        expected = f"this is dressage {__version__}, which reads up to format {FORMAT}"
        raise RunError.of(path, f"is of format {version}", expected, "update dressage: pip install -U dressage")
    # A view in the place of a table could compute without end; what is not a plain table of ours is not read.
    if application != APPLICATION or found != dict.fromkeys(TABLES, "table"):
        raise RunError.of(path, "is no database of a run", "expected the tables of run.db", "restore it from a copy")
    return True


def database_error(path: Path, error: sqlite3.Error) -> DressageError:
    """What SQLite said: a full or read-only disk (UsageError), a second writer or a damaged file (RunError)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    system = {sqlite3.SQLITE_FULL: 28, sqlite3.SQLITE_READONLY: 30, sqlite3.SQLITE_CANTOPEN: 2, sqlite3.SQLITE_IOERR: 5}
    if code == sqlite3.SQLITE_IOERR and free_bytes(path) < ROOM:
        code = sqlite3.SQLITE_FULL  # SQLite calls it so where only the log's index has no room
    if code in system:
        return cannot_write(path, ROOM, OSError(system[code], str(error)))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RunError.of(path, "another process is writing to it", "expected one writer", "wait for it, or stop it")
    return RunError.of(path, f"is damaged ({error})", "expected a database of SQLite", "restore it from a copy")
