"""Reads run.db: while it is written, from a read-only folder, after a copy; what is damaged is told and skipped."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from dressage.errors import DressageError, RunError
from dressage.files import from_json
from dressage.store.blocks import Matrix, check_format, check_head, database_error, decode, text_crc

Steps = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class History:
    """What a run recorded: a number a step in each column (NaN where a step has none), and what happened beside."""

    steps: Steps
    columns: dict[str, npt.NDArray[np.float32]]
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """`epoch`, `step` and the metrics."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    """`kind`, `step`, `time` (seconds since 1970) and the facts."""
    damaged: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""


def read_history(folder: Path) -> History:
    """Everything in run.db of a run folder. Raises RunError: missing, no database of ours, a newer format."""
    return _reading(folder, _history)


def curve(folder: Path, column: str, points: int = 2000) -> tuple[Steps, Matrix, Matrix]:
    """`(steps, low, high)` of a column in about `points` stretches, each with its first step and its extremes.

    Long runs are read from the extremes of the blocks alone: 10 million steps take 0.1 s. Damaged blocks are left out.
    Raises RunError as `read_history`, and for a column that does not exist.
    """
    return _reading(folder, lambda database: _curve(database, folder, column, points))


def _history(database: sqlite3.Connection) -> History:
    damaged: list[str] = []
    sets = _column_sets(database, damaged)
    parts: list[tuple[int, int, Matrix]] = []
    end = -1
    for row in _rows(database, "SELECT * FROM blocks ORDER BY first", damaged):
        try:
            values = decode(row, len(sets[row[2]]))
            if row[0] <= end:
                raise ValueError("it overlaps with the one before")
        except (ValueError, KeyError, TypeError) as error:
            damaged.append(f"the block from step {row[0]!r} on was left out: {_why(error)}")
            continue
        end = row[0] + row[1] - 1
        parts.append((row[0], row[2], values))
    names = list(dict.fromkeys(name for number in sorted(sets) for name in sets[number]))
    total = sum(len(values) for _, _, values in parts)
    steps = np.empty(total, np.int64)
    columns = {name: np.full(total, np.nan, np.float32) for name in names}
    at = 0
    for first, number, values in parts:
        place = slice(at, at + len(values))
        steps[place] = np.arange(first, first + len(values))
        for index, name in enumerate(sets[number]):
            columns[name][place] = values[:, index]
        at += len(values)
    epochs = _texts(database, "SELECT crc, epoch, step, facts FROM epochs ORDER BY epoch", ("epoch", "step"), damaged)
    findings = _texts(database, "SELECT crc, step, facts FROM findings ORDER BY id", ("step",), damaged)
    events = "SELECT crc, step, kind, time, facts FROM events ORDER BY id"
    return History(
        steps, columns, epochs, findings, _texts(database, events, ("step", "kind", "time"), damaged), damaged
    )


def _curve(database: sqlite3.Connection, folder: Path, column: str, points: int) -> tuple[Steps, Matrix, Matrix]:
    sets = {number: names.index(column) for number, names in _column_sets(database, []).items() if column in names}
    if not sets:
        known = sorted({name for names in _column_sets(database, []).values() for name in names})
        raise RunError.of(
            folder, f"has no column '{column}'", f"it has {', '.join(known) or 'none'}", "choose one of them"
        )
    widths = {number: len(names) for number, names in _column_sets(database, []).items()}
    full = "SELECT count(*) FROM blocks"  # not the sum of n, which a damaged row could make absurd
    coarse = database.execute(full).fetchone()[0] > points
    firsts, lows, highs = [], [], []
    fields = "first, n, columns, crc, low, high" if coarse else "*"
    for row in _rows(database, f"SELECT {fields} FROM blocks ORDER BY first", []):
        try:
            index = sets[row[2]]
            if coarse:
                check_head(row, widths[row[2]])
                low, high = (np.frombuffer(row[at], "<f4")[index : index + 1] for at in (4, 5))
                firsts.append(np.array([row[0]], np.int64))
            else:
                low = high = decode(row, widths[row[2]])[:, index]
                firsts.append(np.arange(row[0], row[0] + row[1]))
        except (ValueError, KeyError, TypeError):
            continue
        lows.append(low)
        highs.append(high)
    if not firsts:
        return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32)
    return _thinned(np.concatenate(firsts), np.concatenate(lows), np.concatenate(highs), points)


def _thinned(steps: Steps, low: Matrix, high: Matrix, points: int) -> tuple[Steps, Matrix, Matrix]:
    """At most `points` stretches of equal length: first step, smallest and largest value; NaN only where all are."""
    starts = np.arange(0, len(steps), -(-len(steps) // max(points, 1)))
    return steps[starts], np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)


def _column_sets(database: sqlite3.Connection, damaged: list[str]) -> dict[int, list[str]]:
    sets = {}
    for number, crc, text in _rows(database, "SELECT id, crc, names FROM columns", damaged):
        try:
            if text_crc(text) != crc:
                raise ValueError("they do not fit their CRC")
            names = from_json(text, "columns")["names"]
            if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
                raise ValueError("they are no names")
            sets[int(number)] = names
        except (ValueError, KeyError, TypeError, DressageError) as error:
            damaged.append(f"the names of columns {number!r} were left out: {_why(error)}")
    return sets


def _texts(
    database: sqlite3.Connection, query: str, fixed: tuple[str, ...], damaged: list[str]
) -> list[dict[str, Any]]:
    """Rows of a CRC, the fixed values and a JSON text, each as one dict."""
    found = []
    for crc, *values in _rows(database, query, damaged):
        try:
            if text_crc(*values) != crc:
                raise ValueError("it does not fit its CRC")
            found.append(from_json(values[-1], "facts") | dict(zip(fixed, values, strict=False)))
        except (ValueError, TypeError, DressageError) as error:
            damaged.append(f"a row of {query.split(' FROM ')[1].split()[0]} was left out: {_why(error)}")
    return found


def _rows(database: sqlite3.Connection, query: str, damaged: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query as far as the file can be read."""
    try:
        yield from database.execute(query)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        damaged.append(f"run.db cannot be read to its end ({error})")


def _why(error: Exception) -> str:
    return "its columns are unknown" if isinstance(error, KeyError) else str(error)


def _reading(folder: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    path = folder / "run.db"
    if not path.is_file():
        raise RunError.of(path, "does not exist", "expected the database of a run", "check the path of the run folder")
    try:
        try:
            with closing(_connect(path)) as database:
                return _checked(database, path, read)
        except sqlite3.OperationalError:  # a read-only place, where the log of a killed writer cannot be taken in
            with _copied(path) as copy, closing(_connect(copy)) as database:
                return _checked(database, path, read)
    except sqlite3.Error as error:
        raise database_error(path, error) from error
    except OSError as error:
        raise RunError.of(path, f"cannot be read ({error.strerror})", "expected a readable file", "copy it") from error


def _connect(path: Path) -> sqlite3.Connection:
    log = path.with_name(path.name + "-wal")
    # Without a log nobody writes (a writer keeps one), so no lock is needed and no file is made beside it.
    alone = not log.exists() or log.stat().st_size == 0
    mode = "mode=ro&immutable=1" if alone else "mode=ro"
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, timeout=10)


def _checked(database: sqlite3.Connection, path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    for setting in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN")  # one moment's view, whatever is written meanwhile
    if not check_format(database, path):
        raise RunError.of(
            path, "is empty", "expected the database of a run", "the run was stopped before its first step"
        )
    return read(database)


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """A copy of the database with its log, for a moment, in a place that can be written."""
    with tempfile.TemporaryDirectory(prefix="dressage-") as folder:
        for name in (path.name, path.name + "-wal"):
            if (path.parent / name).is_file():
                shutil.copyfile(path.parent / name, Path(folder) / name)
        yield Path(folder) / path.name
