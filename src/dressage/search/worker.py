"""`python -m dressage.search.worker FOLDER`: opens the data of a search once and carries out trials as it is told to.

It reads a line of JSON a task and answers with one, and with one an epoch in between; it ends at once when the search has ended,
in whatever way.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import torch

from dressage.compiler import import_late
from dressage.errors import DressageError, RunError
from dressage.ground import Ground, made_anew, open_ground
from dressage.models.foreign import load_module
from dressage.search.asked import Asked
from dressage.search.events import RunningEvent, ToldEvent
from dressage.search.folder import SearchFolder
from dressage.search.together import carry_out
from dressage.search.trial import Trial
from dressage.search.work import Bench, Task
from dressage.stopping import signals


def main() -> None:
    """Carries out what it is told until nobody tells it anything more."""
    import_late()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a network of the user's own prints is no answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    told = _told()
    try:
        place = SearchFolder.open(Path(sys.argv[1]))
        with place.working():
            first = told.get()
            bench = open_bench(place, first["data"], first["model"])
            bench = replace(bench, tell=lambda event: _say(answers, running(event)))
            _say(answers, {"ready": True})
            while True:
                tasks = tasks_of(told.get())
                with signals(place.path, waits=lambda: None) as stop:
                    carry_out(bench, tasks, stop)
                    if stop.asked:
                        return
                _say(answers, {"done": True})
    except DressageError as error:
        _say(answers, {"error": str(error), "kind": type(error).__name__})
    except OSError as error:
        _say(answers, {"error": str(error), "kind": "UsageError"})


def open_bench(place: SearchFolder, data: str, model: str | None) -> Bench:
    """The data of a search and all that trials need. Raises DataError, RunError where the data is not the same."""
    asked = place.asked()
    torch.set_num_threads(int(asked.form["train.threads"]))
    made = load_module(model) if model else None
    ground = open_ground(data, None, asked.written, None, made_anew(made), None)
    require_same(place, asked, ground)
    return Bench(asked, place, replace(ground, form=asked.form))


def require_same(place: SearchFolder, asked: Asked, ground: Ground) -> None:
    """Raises RunError unless the data is that of the search."""
    if ground.source.fingerprint != asked.fingerprint:
        found = f"the data '{ground.source.name}' is not the same"
        raise RunError.of(place.path, found, "expected the data of the search", "give that data, or search anew")


def tasks_of(message: Mapping[str, Any]) -> list[Task]:
    """The tasks of a message."""
    return [Task(Trial(**told["trial"]), int(told["epoch"])) for told in message["tasks"]]


def _told() -> queue.Queue[dict[str, Any]]:
    """The lines of stdin, as they come. Its end is the end of the search: nothing more is trained, saved or asked."""
    lines: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            lines.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def running(event: RunningEvent | ToldEvent) -> dict[str, Any]:
    """As the search takes it; sentences are its own."""
    assert isinstance(event, RunningEvent)
    numbers = {"epoch": event.epoch, "cost": event.cost, "score": event.score}
    return {"running": event.trial.number, **numbers}


def _say(answers: IO[bytes], message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
    os._exit(0)  # a thread still listens, and would be waited for
