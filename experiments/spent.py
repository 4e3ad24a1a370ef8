"""Processor seconds of a process and of all that it starts, those that have ended and those that nobody waits for included.

Linux counts them in a control group (version 2) of its own. The times that the kernel keeps of a process's children miss Ray's
workers and daemons: some are children of nobody here, and of the others not all are waited for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dressage.errors import UsageError


@contextmanager
def counted() -> Iterator[Path]:
    """This process in a control group of its own, with all that it starts from here on. UsageError where none can be made."""
    home = _group()
    group = home / f"spent-{os.getpid()}"
    try:
        group.mkdir()
        _enter(group)
    except OSError as error:
        found = f"no control group can be made to count processor seconds ({error.strerror})"
        repair = "run it as root, or under: systemd-run --user --scope -p Delegate=yes"
        raise UsageError.of(home, found, "a folder of cgroup2 that can be written", repair) from error
    try:
        yield group
    finally:
        _enter(home)
        with suppress(OSError):  # a daemon may still be on its way out
            group.rmdir()


def seconds(group: Path) -> float:
    """What a control group has used so far; every process that sees the folder may ask."""
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def _group() -> Path:
    """The control group that this process is in."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    at = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), "/sys/fs/cgroup")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return Path(at) / next((line[len("0::/") :] for line in lines if line.startswith("0::/")), "")


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
