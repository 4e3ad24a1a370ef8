"""The recorder: what a training says on its way, kept in run.db by its one writer.

Scalars and records are collected and written together by a thread, at most a second later; nothing here waits for the
device, because a value that is a tensor is read only then. A killed process loses that second and nothing else.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from torch import Tensor

from dressage.errors import DressageError, RunError
from dressage.files import to_json
from dressage.store.blocks import database_error, text_crc
from dressage.store.sink import Record, Row, Sink

FLUSH_ROWS = 512  # rows: about a millisecond's work for the thread
FLUSH_SECONDS = 1.0  # what a killed process loses, and how old a live plot is
MOST_WAITING = 65_536  # rows held in memory while the disk is slow, before training waits for it


class Recorder:
    """Writes run.db of a run folder; used by one thread. What was given is on the disk after `flush` returns.

    `columns` names the scalars of a step. Raises RunError for a database that is not ours or has another writer, and
    UsageError when the disk is full or read-only, at the latest from `flush` or `close`.
    """

    def __init__(self, folder: Path, columns: Sequence[str] = ()) -> None:
        self.path = folder / "run.db"
        self.columns = tuple(columns)
        self._rows: list[Row] = []
        self._records: list[Record] = []
        self._failed: DressageError | None = None
        self._broken = False
        self._pending: Future[None] | None = None
        self._due = time.monotonic() + FLUSH_SECONDS
        try:
            self._sink = Sink(self.path, self.columns)
        except sqlite3.Error as error:
            raise database_error(self.path, error) from error
        self._last = self._sink.last
        self._pool = ThreadPoolExecutor(1, "recorder")

    def step(self, step: int, values: Sequence[Tensor | float]) -> None:
        """Takes the scalars of a step, one a column. Steps rise; a tensor must not be changed in place afterwards."""
        if step <= self._last or len(values) != len(self.columns):
            raise self._misuse(step, values)
        self._rows.append((step, tuple([v.detach() if isinstance(v, Tensor) else v for v in values])))
        self._last = step
        if len(self._rows) >= FLUSH_ROWS or time.monotonic() >= self._due:
            self._hand_over()

    def epoch(self, epoch: int, step: int, facts: Mapping[str, object]) -> None:
        """Takes the metrics of an epoch that ended with `step`; of an epoch that is repeated the last ones stay."""
        text = to_json(facts)
        row = (epoch, step, text_crc(epoch, step, text), text)
        self._records.append(("INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?)", row))
        if time.monotonic() >= self._due:
            self._hand_over()

    def finding(self, facts: Mapping[str, object]) -> None:
        """Takes a finding, at its `step` or the last one; the same finding at the same step is kept once."""
        given = facts.get("step")
        step, text = given if isinstance(given, int) else max(self._last, 0), to_json(facts)
        once = "WHERE NOT EXISTS (SELECT 1 FROM findings WHERE step = ?1 AND facts = ?3)"
        statement = f"INSERT INTO findings (step, crc, facts) SELECT ?1, ?2, ?3 {once}"
        self._records.append((statement, (step, text_crc(step, text), text)))
        self._hand_over()

    def findings(self, all_facts: Sequence[Mapping[str, object]]) -> None:
        """Takes all findings as they stand, in place of those that were taken before."""
        self._records.append(("DELETE FROM findings", ()))
        for facts in all_facts:
            self.finding(facts)
        self._hand_over()

    def event(self, kind: str, step: int, facts: Mapping[str, object]) -> None:
        """Takes something that happened at `step`, with the time of day."""
        text, now = to_json(facts), time.time()
        row = (step, text_crc(step, kind, now, text), kind, now, text)
        self._records.append(("INSERT INTO events (step, crc, kind, time, facts) VALUES (?, ?, ?, ?, ?)", row))
        self._hand_over()

    def flush(self) -> None:
        """Returns when everything taken so far is on the disk: call it before a checkpoint is written."""
        if self._pending is not None:
            self._pending.result()
        self._hand_over()
        if self._pending is not None:
            self._pending.result()
        self._check()

    def cut(self, step: int) -> None:
        """Removes everything after `step`, so that a run that goes on from there has no point twice."""
        self.flush()
        self._submit(self._sink.cut, step).result()
        self._check()
        self._last = self._sink.last

    def close(self) -> None:
        """Writes what is left and ends; leaves a single file, readable from a read-only place."""
        try:
            self.flush()
        finally:
            self._pool.shutdown()
            self._sink.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self) -> None:
        """Gives what was collected to the thread; while that is busy, more is collected, as far as there is room."""
        self._check()
        if self._pending is not None and not self._pending.done():
            if len(self._rows) < MOST_WAITING:
                return
            self._pending.result()
        self._due = time.monotonic() + FLUSH_SECONDS
        if self._rows or self._records:
            self._pending = self._submit(self._sink.write, self._rows, self._records)
            self._rows, self._records = [], []

    def _submit(self, job: Callable[..., None], *arguments: object) -> Future[None]:
        return self._pool.submit(self._carry_out, job, arguments)

    def _carry_out(self, job: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if self._broken:
            return  # what comes after a block that could not be written would leave a gap
        try:
            job(*arguments)
        except sqlite3.Error as error:
            self._broken, self._failed = True, database_error(self.path, error)
        except Exception as error:  # a tensor of many numbers, a device that failed: told to whoever calls next
            self._broken, found = True, f"what was recorded cannot be written ({error})"
            self._failed = RunError.of(self.path, found, "expected scalars", "record numbers or tensors of one number")

    def _check(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _misuse(self, step: int, values: Sequence[Tensor | float]) -> DressageError:
        if len(values) != len(self.columns):
            expected = f"expected {len(self.columns)}: {', '.join(self.columns)}"
            return RunError.of(self.path, f"{len(values)} values at step {step}", expected, "give one a column")
        return RunError.of(self.path, f"step {step} after step {self._last}", "expected rising steps", "cut first")
