"""Writes checkpoints while training goes on: a copy is taken at once, the disk is written by a thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from dressage.files import to_json
from dressage.store.checkpoint import Groups, write_checkpoint, write_packed
from dressage.store.tensors import copied


class CheckpointWriter:
    """Writes the checkpoints of one run, at most one at a time; an error of the disk is raised by the next call.

    `cost` is what the last finished checkpoint took in seconds, in the caller and in the thread together, so that a
    loop can keep checkpoints under a share of its time; `waited` is what the callers spent in all.
    """

    def __init__(self, folder: Path, *, keep: int = 2, background: bool = True) -> None:
        self.folder = folder
        self.keep = keep
        self.cost = 0.0
        self.waited = 0.0
        self._pool = ThreadPoolExecutor(1, "checkpoint") if background else None
        self._pending: Future[float] | None = None
        self._copying = 0.0

    def write(self, step: int, tensors: Groups, state: Mapping[str, object], *, best: int | None = None) -> None:
        """Writes checkpoint `step`; the tensors may change as soon as this returns. Raises UsageError (disk)."""
        self.wait()
        start = time.perf_counter()
        if self._pool is None:
            write_checkpoint(self.folder, step, tensors, state, keep=self.keep, best=best)
            self.cost = time.perf_counter() - start
        else:
            copies = {stem: {name: copied(t) for name, t in group.items()} for stem, group in tensors.items()}
            packed = to_json(state)  # a copy too, and what cannot be written is told here
            self._copying = time.perf_counter() - start
            self._pending = self._pool.submit(self._write, step, copies, packed, best)
        self.waited += time.perf_counter() - start

    def wait(self) -> None:
        """Returns when nothing is being written any more. Raises UsageError (disk) of what was."""
        if self._pending is not None:
            start = time.perf_counter()
            pending, self._pending = self._pending, None
            try:
                self.cost = self._copying + pending.result()
            finally:
                self.waited += time.perf_counter() - start

    def close(self) -> None:
        """Waits and ends the thread. Raises as `wait`."""
        try:
            self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, step: int, tensors: Groups, state: str, best: int | None) -> float:
        start = time.perf_counter()
        write_packed(self.folder, step, tensors, state, keep=self.keep, best=best)
        return time.perf_counter() - start
