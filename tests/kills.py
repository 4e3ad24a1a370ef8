"""A parent that has imported everything and forks a process a trial: importing torch each time would cost three seconds.

Run as a script it takes jobs as lines of JSON on stdin and answers each with a line: `{"words": [...]}` is a command
line of dressage, `{"dataset": {...}}` a training on a torch Dataset; `after` seconds later, counted from when a file
`once` is there, the child gets `signal`, and `again` seconds after that a second one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

WARM = (
    *("torch", "torch._dynamo", "torch._inductor", "sklearn.datasets", "sklearn.model_selection", "rich.progress"),
    *("dressage.train", "dressage.cli.train", "dressage.cli.resume", "dressage.cli.load", "dressage.cli.app"),
    *("dressage.search", "dressage.cli.search", "dressage.cli.search_progress", "sklearn.ensemble", "scipy.special"),
    *("dressage.cli.progress", "dressage.cli.result", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"),
)
PATIENCE = 300.0  # seconds after which a child counts as hanging


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (negative: by that signal), what it said, seconds since its start and the signal.

    Since the signal, seconds in which the child was ready and other processes had the cores are not counted: they say
    how busy the machine is.
    """

    code: int
    said: str
    seconds: float
    since_signal: float


def starved(process: int) -> float:
    """Seconds that a process, even one that ended and was not waited for, was ready to run and had no core."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # not told by this kernel
        return 0.0


class Parent:
    """The other end of the script."""

    def __init__(self, place: Path, process: subprocess.Popen[str]) -> None:
        self.place, self.process = place, process

    def __call__(
        self,
        *words: object,
        after: float | None = None,
        signal: int = 9,
        again: float | None = None,
        once: str | None = None,
        dataset: Mapping[str, Any] | None = None,
    ) -> Ended:
        job = {"words": [str(w) for w in words], "after": after, "signal": signal, "again": again, "once": once}
        job["dataset"] = dict(dataset) if dataset else None
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({**job, "out": str(self.place / "said")}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        said = (self.place / "said").read_text(errors="replace")
        assert "Traceback" not in said and "bug in dressage" not in said, said
        return Ended(answer["code"], said, answer["seconds"], answer["since_signal"])


@contextmanager
def parent(place: Path) -> Iterator[Parent]:
    """Starts the script, which works in `place`, and ends it."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield Parent(place, process)
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def serve() -> None:
    """Takes jobs until stdin ends."""
    for name in WARM:
        import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_trial(job)), flush=True)


def _trial(job: dict[str, Any]) -> dict[str, float]:
    began = time.monotonic()
    Path(job["out"]).write_text("")
    child = os.fork()
    if child == 0:
        _child(job)
    sent, before, ended = 0.0, 0.0, has_ended(child, PATIENCE, Path(job["once"])) if job["once"] else False
    for delay, number in ((job["after"], job["signal"]), (job["again"], job["signal"]), (PATIENCE, 9)):
        if delay is None or ended:
            continue
        ended = has_ended(child, delay)
        if not ended:
            os.kill(child, number)
            if not sent:
                sent, before = time.monotonic(), starved(child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    now, waited = time.monotonic(), starved(child) - before
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"code": code, "seconds": now - began, "since_signal": max(0.0, now - sent - waited) if sent else 0.0}


def has_ended(child: int, seconds: float, file: Path | None = None) -> bool:
    """Waits until the child has ended, the time is over or the file is there; whether it was the first."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not (file and file.exists()):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.002)
    return False


def _child(job: dict[str, Any]) -> None:
    out = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(out, number)
    code = 99
    try:
        from dressage.cli.main import main

        code = _on_dataset(**job["dataset"]) if job["dataset"] else main(job["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _on_dataset(out: str, workers: int, slow: float) -> int:
    """Trains on random samples, or goes on with that; exit codes as the command's."""
    import numpy as np
    import torch
    from torch.utils.data import Dataset

    import dressage

    class Noisy(Dataset[Any]):
        def __len__(self) -> int:
            return 60

        def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
            time.sleep(slow)
            return torch.linspace(0, row, 9) + torch.randn(9) + float(np.random.normal()), row % 3

    recipe = {
        "data": {"workers": workers},
        "train": {"epochs": 4, "batch_size": 12, "checkpoint_seconds": 0.05},
        "model": {"width": 16, "depth": 1},
        "regularize": {"dropout": 0.3},
    }
    try:
        if (Path(out) / "status.json").exists() and not (Path(out) / "checkpoints").exists():
            shutil.rmtree(out)  # killed before its first step: to be deleted, as the refusal says
        if Path(out).exists():
            dressage.resume(out, Noisy())
        else:
            dressage.train(Noisy(), recipe=recipe, out=out)
    except dressage.DressageError as error:
        print(f"error: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    serve()
