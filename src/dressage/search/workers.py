"""Processes that carry out the trials of a search, each with its own threads and the data opened once.

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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from dressage import errors
from dressage.errors import DressageError, Interrupted, RunError, printable
from dressage.search.beside import Beside
from dressage.search.events import RunningEvent
from dressage.search.folder import SearchFolder
from dressage.search.groups import Group
from dressage.search.trial import Result
from dressage.search.work import Bench, Task, fail
from dressage.stopping import Stop

DEATHS = 3
"""Times that the worker of a trial may die before the trial counts as failed."""
STARTING = -1
"""In the place of a trial: a worker that was not ready yet."""
TICK = 0.2
"""Seconds between two looks at whether somebody asked for the end."""


def interrupted(place: SearchFolder) -> DressageError:
    """What is raised where somebody asked for the end."""
    found, saved = "the search was stopped", "what was trained is saved"
    return Interrupted.of(place.path, found, saved, f"go on with `dressage resume {place.path}`")


@dataclass(slots=True)
class Worker:
    """One process, and what it is carrying out."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    group: Group | None = None
    is_ready: bool = False
    half: bytes = b""
    """Of a line that has not come whole yet."""

    def fileno(self) -> int:
        """Where its answers come."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

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

    def wish_end(self) -> None:
        """Asks it to save what it trains, and to end; one without a trial may be importing for seconds yet, and is killed."""
        self.process.send_signal(signal.SIGKILL if self.group is None else signal.SIGTERM)

    def wait(self) -> None:
        """Until it has ended."""
        self.process.wait()

    def end(self) -> None:
        """Kills it if it has not."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass


@dataclass(slots=True)
class Processes:
    """Workers of one search; a context, at whose end none is left."""

    bench: Bench
    stop: Stop
    count: int
    model: str | None
    pay: Callable[[], bool] = lambda: True
    """Whether they are worth their start; until then one trains beside the search."""
    workers: list[Worker | Beside] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)
    """By the number of the first trial of a group."""

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        """Asks those that train to save it and waits until they have, unless somebody asks once more; then ends all."""
        for worker in self.workers:
            worker.wish_end()
        try:
            for worker in self.workers if not self.stop.asked_again else ():
                worker.wait()
        finally:
            for worker in self.workers:
                worker.end()
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
        self._call(len(waiting) + sum(worker.group is not None for worker in self.workers))
        for worker in self.workers:
            if waiting and worker.is_ready and worker.group is None:
                if not may_begin():
                    waiting.clear()
                    return
                worker.group = waiting.popleft()
                worker.say({"tasks": [to_json(task) for task in worker.group]})

    def _call(self, wanted: int) -> None:
        """Starts as many as are wanted and fit; once the first is ready, the thread that trained meanwhile ends."""
        if not self.pay():
            if not self.workers:
                self.workers.append(Beside(self.bench).begin())
            return
        others = [worker for worker in self.workers if isinstance(worker, Worker)]
        self.workers += [self._started() for _ in range(min(self.count, wanted) - len(others))]
        if any(worker.is_ready for worker in others):
            for worker in [w for w in self.workers if isinstance(w, Beside) and w.group is None]:
                self.workers.remove(worker)
                worker.wish_end()
                worker.wait()
                worker.end()

    def _heard(self) -> list[Worker | Beside]:
        """Workers that have something to say, or have died."""
        with selectors.DefaultSelector() as selector:
            for worker in self.workers:
                selector.register(worker, selectors.EVENT_READ, worker)
            return [key.data for key, _ in selector.select(TICK)]

    def _answer(self, worker: Worker | Beside, waiting: deque[Group]) -> Iterator[Result]:
        # Not by lines: for what a buffer holds, nobody would be woken.
        heard = os.read(worker.fileno(), 1 << 16)
        if not heard:
            yield from self._died(worker, waiting)
            return
        *lines, worker.half = (worker.half + heard).split(b"\n")
        for line in lines:
            yield from self._said(worker, json.loads(line))

    def _said(self, worker: Worker | Beside, said: dict[str, Any]) -> Iterator[Result]:
        """What comes of one line."""
        if "error" in said:
            raise raised(said)
        if "running" in said:
            trials = [task.trial for task in worker.group or () if task.trial.number == said["running"]]
            for trial in trials:
                self.bench.tell(RunningEvent(trial, said["epoch"], said["cost"], said["score"]))
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

    def _died(self, worker: Worker | Beside, waiting: deque[Group]) -> Iterator[Result]:
        """Its trials are gone on with by another; after some deaths they count as failed."""
        self.workers.remove(worker)
        group, words = worker.group, worker.last_words()
        worker.end()
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
