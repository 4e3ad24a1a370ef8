"""The command `dressage` for tests: inside this process where that is enough, else as a process of its own."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dressage.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str
    cpu: float = 0.0
    """Seconds of processor time."""

    @property
    def json(self) -> dict[str, Any]:
        """The object in the last line of stdout."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found

    @property
    def errors(self) -> list[str]:
        """The lines of stderr that say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def call(*words: object) -> Answer:
    """`dressage WORDS` inside this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Answer(code, out.getvalue(), err.getvalue())


def process(
    *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float = 120
) -> Answer:
    """`dressage WORDS` as a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "dressage", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), cpu)
