"""The recorder's side of the database: blocks of steps that grow until they are full, and rows of text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dressage.errors import RunError
from dressage.files import to_json
from dressage.store.blocks import (
    APPLICATION,
    FORMAT,
    INSERT_BLOCK,
    ROWS,
    TABLES,
    Matrix,
    check_format,
    decode,
    text_crc,
    to_row,
)

Row = tuple[int, tuple[Tensor | float, ...]]
"""A step and its scalars."""
Record = tuple[str, tuple[int | float | str, ...]]
"""An SQL statement and its values."""


class Sink:
    """An open run.db, used by one thread at a time. Every method may raise sqlite3.Error.

    `last` is the last step that is written, -1 when there is none.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.width = len(names)
        self.last = -1
        self._first, self._values = 0, np.empty((0, self.width), np.float32)
        self._database = _open(path)
        try:
            self._columns = _columns(self._database, names)
            self._load()
        except BaseException:
            self._database.close()
            raise

    def write(self, rows: Sequence[Row], records: Sequence[Record]) -> None:
        """Writes rows of rising steps and records in one transaction, on the disk when it returns."""
        first, values = self._first, self._values
        blocks = []
        for start, new in _stretches(rows, self.width):
            grows = start == first + len(values) and len(values) < ROWS
            first, values = (first, np.concatenate([values, new])) if grows else (start, new)
            blocks += [to_row(first + at, self._columns, values[at : at + ROWS]) for at in range(0, len(values), ROWS)]
            full = (len(values) - 1) // ROWS * ROWS
            first, values = first + full, values[full:]
        with _transaction(self._database):
            self._database.executemany(INSERT_BLOCK, blocks)
            for statement, row in records:
                self._database.execute(statement, row)
        self._first, self._values = first, values
        self.last = rows[-1][0] if rows else self.last

    def cut(self, step: int) -> None:
        """Removes everything after `step`; the block that holds it is split."""
        run = self._database.execute
        with _transaction(self._database):
            split = run("SELECT * FROM blocks WHERE first <= ?1 AND first + n - 1 > ?1", (step,)).fetchall()
            run("DELETE FROM blocks WHERE first > ?1 OR first + n - 1 > ?1", (step,))
            for row in split:
                with suppress(ValueError):  # what is damaged cannot be split
                    values = decode(row, len(row[5]) // 4 if isinstance(row[5], bytes) else 0)
                    run(INSERT_BLOCK, to_row(row[0], row[2], values[: step - row[0] + 1]))
            for table in ("epochs", "findings", "events"):
                run(f"DELETE FROM {table} WHERE step > ?", (step,))
        self._load()

    def close(self) -> None:
        """Ends; leaves a single file, readable from a read-only place."""
        with suppress(sqlite3.Error):  # somebody is reading: the log beside it stays valid
            self._database.execute("PRAGMA journal_mode=DELETE")
        self._database.close()

    def _load(self) -> None:
        """Takes up the last block, if it is of these columns and whole; else a new one is begun."""
        self._first, self._values = 0, np.empty((0, self.width), np.float32)
        row = self._database.execute("SELECT * FROM blocks ORDER BY first DESC LIMIT 1").fetchone()
        if row and not all(isinstance(value, int) for value in row[:3]):
            raise RunError.of(
                self.path, "is damaged (a block of no steps)", "expected numbers", "restore it from a copy"
            )
        self.last = row[0] + min(max(row[1], 1), ROWS) - 1 if row else -1
        if row and row[2] == self._columns:
            with suppress(ValueError):  # damaged: left as it is, the reader reports it
                self._first, self._values = row[0], decode(row, self.width)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        database.execute("PRAGMA trusted_schema=OFF")
        if not check_format(database, path):
            with _transaction(database):
                for name, fields in TABLES.items():
                    database.execute(f"CREATE TABLE {name} ({fields})")
                database.execute(f"PRAGMA application_id={APPLICATION}")
                database.execute(f"PRAGMA user_version={FORMAT}")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")  # the recorder's thread waits for the disk, training does not
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has ended it already
            database.execute("ROLLBACK")
        raise


def _columns(database: sqlite3.Connection, names: Sequence[str]) -> int:
    """The number of a set of columns, given when it is first used."""
    text = to_json({"names": list(names)})
    known = database.execute("SELECT id FROM columns WHERE names = ? AND crc = ?", (text, text_crc(text))).fetchone()
    if known:
        return int(known[0])
    made = database.execute("INSERT INTO columns (crc, names) VALUES (?, ?)", (text_crc(text), text)).lastrowid
    return int(made or 0)


def _stretches(rows: Sequence[Row], width: int) -> Iterator[tuple[int, Matrix]]:
    """The rows as matrices `(n, width)` of consecutive steps, each with its first step."""
    if not rows:
        return
    steps = np.array([step for step, _ in rows], np.int64)
    matrix = np.empty((len(rows), width), np.float32)
    for at in range(width):
        matrix[:, at] = _column([values[at] for _, values in rows])
    edges = [0, *(np.flatnonzero(np.diff(steps) != 1) + 1).tolist(), len(rows)]
    for start, end in pairwise(edges):
        yield int(steps[start]), matrix[start:end]


def _column(values: list[Tensor | float]) -> npt.NDArray[np.float32]:
    """One column of scalars; the tensors among them are brought from the device in one go."""
    tensors = [value.reshape(()) for value in values if isinstance(value, Tensor)]
    taken = iter(torch.stack(tensors).to("cpu", torch.float64).tolist() if tensors else ())
    numbers = np.array([next(taken) if isinstance(value, Tensor) else value for value in values], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype(np.float32)
