"""Who carries out trials on this machine: this process, or as many as fit, each with its own threads and the data opened once.

A worker is `python -m dressage.search.worker FOLDER`. What passes between it and the search is JSON, a line each; what came of a
trial lies in the trial's folder. A worker that dies is replaced and its trials are gone on with.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from dressage import errors
from dressage.data.npz import available_memory
from dressage.errors import DressageError, Interrupted, RunError, printable
from dressage.search.events import RunningEvent
from dressage.search.folder import SearchFolder
from dressage.search.groups import Group
from dressage.search.together import carry_out
from dressage.search.trial import Result
from dressage.search.work import Bench, Task, fail
from dressage.stopping import Stop

DEATHS = 3
"""Times that the worker of a trial may die before the trial counts as failed."""
STARTING = -1
"""In the place of a trial: a worker that was not ready yet."""
ENDING = 6.0
"""Seconds that workers have to save what they train."""
TICK = 0.2
"""Seconds between two looks at whether somebody asked for the end."""
BASE = 500 << 20
"""Bytes of a process with everything imported."""


def here(bench: Bench, stop: Stop) -> Callable[[Sequence[Group], Callable[[], bool]], Iterator[Result]]:
    """Carries out trials in this process, one after the other."""

    def carry(groups: Sequence[Group], may_begin: Callable[[], bool]) -> Iterator[Result]:
        for group in groups:
            if not may_begin():
                return
            found = carry_out(bench, group, stop)
            yield from found
            if len(found) < len(group):
                raise interrupted(bench.place)

    return carry


def interrupted(place: SearchFolder) -> DressageError:
    """What is raised where somebody asked for the end."""
    found, saved = "the search was stopped", "what was trained is saved"
    return Interrupted.of(place.path, found, saved, f"go on with `dressage resume {place.path}`")


def how_many(bench: Bench, threads: int, asked: int = 0) -> int:
    """Processes that fit: by cores and by memory; `asked` where it is given; one on a device that they would share."""
    if asked:
        return asked
    if str(bench.asked.form.get("train.device", "cpu")) != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    x = bench.ground.source.x
    each = BASE + 3 * int(x.nbytes)
    return max(1, min(cores // max(1, threads), available_memory() // each))


@dataclass(slots=True)
class Worker:
    """One process, and what it is carrying out."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    group: Group | None = None
    is_ready: bool = False
    half: bytes = b""
    """Of a line that has not come whole yet."""

    def say(self, message: dict[str, Any]) -> None:
        """A line to it; one that has died is noticed when it is listened to."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def last_words(self) -> str:
        """How it ended, and the last line that it left."""
        self.log.seek(0)
        lines = [line for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        code = self.process.wait()
        how = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return printable(f"its process {how}" + (f" ({lines[-1][:200]})" if lines else ""))


@dataclass(slots=True)
class Processes:
    """Workers of one search; a context, at whose end none is left."""

    bench: Bench
    stop: Stop
    count: int
    model: str | None
    workers: list[Worker] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)
    """By the number of the first trial of a group."""

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        """Asks those that train to save it, and ends all."""
        for worker in self.workers:
            # One without a trial has nothing to save, and may be importing for seconds yet.
            worker.process.send_signal(signal.SIGKILL if worker.group is None else signal.SIGTERM)
        until = time.monotonic() + ENDING
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            _close(worker)
        self.workers = []

    def carry(self, groups: Sequence[Group], may_begin: Callable[[], bool]) -> Iterator[Result]:
        """Results as they come. Raises Interrupted, and what is wrong with the place."""
        waiting = deque(groups)
        while waiting or any(worker.group for worker in self.workers):
            self._hand_out(waiting, may_begin)
            for worker in self._heard():
                yield from self._answer(worker, waiting)
            if self.stop.asked:
                raise interrupted(self.bench.place)

    def _hand_out(self, waiting: deque[Group], may_begin: Callable[[], bool]) -> None:
        while len(self.workers) < min(self.count, len(waiting) + sum(bool(w.group) for w in self.workers)):
            self.workers.append(self._started())
        for worker in self.workers:
            if waiting and worker.is_ready and worker.group is None:
                if not may_begin():
                    waiting.clear()
                    return
                worker.group = waiting.popleft()
                worker.say({"tasks": [to_json(task) for task in worker.group]})

    def _heard(self) -> list[Worker]:
        """Workers that have something to say, or have died."""
        with selectors.DefaultSelector() as selector:
            for worker in self.workers:
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            return [key.data for key, _ in selector.select(TICK)]

    def _answer(self, worker: Worker, waiting: deque[Group]) -> Iterator[Result]:
        assert worker.process.stdout is not None
        # Not by lines: for what a buffer holds, nobody would be woken.
        heard = os.read(worker.process.stdout.fileno(), 1 << 16)
        if not heard:
            yield from self._died(worker, waiting)
            return
        *lines, worker.half = (worker.half + heard).split(b"\n")
        for line in lines:
            yield from self._said(worker, json.loads(line))

    def _said(self, worker: Worker, said: dict[str, Any]) -> Iterator[Result]:
        """What comes of one line."""
        if "error" in said:
            raise raised(said)
        if "running" in said:
            trials = [task.trial for task in worker.group or () if task.trial.number == said["running"]]
            for trial in trials:
                self.bench.tell(RunningEvent(trial, said["epoch"], said["cost"]))
            return
        if said.get("ready"):
            worker.is_ready = True
            self.deaths.pop(STARTING, None)
            return
        group, worker.group = worker.group or [], None
        for task in group:
            result = self.bench.place.result(task.trial)
            if result is None:
                raise interrupted(self.bench.place)
            yield result

    def _died(self, worker: Worker, waiting: deque[Group]) -> Iterator[Result]:
        """Its trials are gone on with by another; after some deaths they count as failed."""
        self.workers.remove(worker)
        group, words = worker.group, worker.last_words()
        _close(worker)
        number = group[0].trial.number if group else STARTING
        self.deaths[number] = self.deaths.get(number, 0) + 1
        if self.deaths[number] < DEATHS:
            if group:
                waiting.appendleft(group)
            return
        if not group:
            repair = "try --jobs 1, which needs no other process"
            raise RunError.of(
                self.bench.place.path, f"no worker can be started: {words}", "expected one to train with", repair
            )
        for task in group:
            yield fail(self.bench, task.trial, f"{DEATHS} times {words}")

    def _started(self) -> Worker:
        threads = str(self.bench.asked.form["train.threads"])
        env = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, "-P", "-m", "dressage.search.worker", str(self.bench.place.path)]
        log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C is the search's to hear, which then asks each worker to save what it trains.
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=env, start_new_session=True)
        worker = Worker(process, log)
        worker.say({"model": self.model, "data": self.bench.asked.data})
        return worker


def to_json(task: Task) -> dict[str, Any]:
    """A task as a worker takes it."""
    return {"trial": {**asdict(task.trial), "edit": dict(task.trial.edit)}, "epoch": task.epoch}


def raised(said: dict[str, Any]) -> Exception:
    """The error that a worker has met."""
    kind = getattr(errors, str(said.get("kind")), None)
    if isinstance(kind, type) and issubclass(kind, DressageError):
        return kind(str(said["error"]))
    return RuntimeError(str(said["error"]))


def _close(worker: Worker) -> None:
    for pipe in (worker.process.stdin, worker.process.stdout, worker.log):
        try:
            if pipe is not None:
                pipe.close()
        except BrokenPipeError:
            pass
