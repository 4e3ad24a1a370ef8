"""Locks on a folder that end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dressage.errors import RunError
from dressage.files import cannot_write

PATIENCE = 0.3  # seconds that a writer waits, as long as a reader may hold the lock to see whether there is a writer

_HELD: set[int] = set()
"""Open locks. A process that is forked closes its copies: else it would hold a folder whose writer was killed."""


def _let_go() -> None:
    for handle in _HELD:
        os.close(handle)
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def held(file: Path, what: str, patience: float = PATIENCE) -> Iterator[None]:
    """Holds a lock file alone. Raises RunError, `process 7 is writing this run`, where another process has it."""
    with _opened(file) as handle:
        if not _locked(handle, fcntl.LOCK_EX, patience):
            other = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
            repair = "wait until it ends, or stop it"
            raise RunError.of(file.parent, f"process {other} is writing {what}", "expected one writer", repair)
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield


@contextmanager
def shared(file: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds a lock file beside others that share it, so that nobody holds it alone. Raises RunError where somebody does."""
    with _opened(file) as handle:
        if not _locked(handle, fcntl.LOCK_SH, patience):
            raise RunError.of(file, "is held", "expected nobody to hold it alone", "wait until that process ends")
        yield


def is_held(file: Path) -> bool:
    """Whether a process holds a lock file alone at this moment."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(handle, fcntl.LOCK_SH, 0)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(file.parent, 0, error) from error
    _HELD.add(handle)
    try:
        yield handle
    finally:
        _HELD.discard(handle)
        os.close(handle)  # lets go of the lock


def _locked(handle: int, kind: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        else:
            return True
