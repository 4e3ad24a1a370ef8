"""A worker that is a thread of the search's own process: it is there at once, while others would not be worth their start."""

from __future__ import annotations

import json
import os
import queue
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from dressage.search.events import RunningEvent, ToldEvent
from dressage.search.groups import Group
from dressage.search.together import carry_out
from dressage.search.work import Bench
from dressage.search.worker import running, tasks_of
from dressage.stopping import Stop


@dataclass(slots=True)
class Beside:
    """Hears and answers as a process does (`worker`), but for what it meets: that is raised as it is."""

    bench: Bench
    group: Group | None = None
    is_ready: bool = True
    half: bytes = b""
    """Of a line that has not come whole yet."""
    stop: Stop = field(default_factory=Stop)
    fault: BaseException | None = None
    _told: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue)
    _heard: int = -1
    _answers: int = -1
    _thread: threading.Thread | None = None

    def begin(self) -> Beside:
        """Itself, waiting for its first trial."""
        self._heard, self._answers = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def fileno(self) -> int:
        """Where its answers come."""
        return self._heard

    def say(self, message: dict[str, Any]) -> None:
        """A line to it."""
        self._told.put(message)

    def last_words(self) -> str:
        """Raises what ended it."""
        if self.fault is not None:
            raise self.fault
        return "its thread ended"

    def wish_end(self) -> None:
        """Asks it to save what it trains, and to end."""
        self.stop.asked = True
        self._told.put(None)

    def wait(self) -> None:
        """Until it has ended: within a step no state is whole."""
        if self._thread is not None:
            self._thread.join()

    def end(self) -> None:
        """Hears nothing more of it."""
        os.close(self._heard)

    def _serve(self) -> None:
        try:
            bench = replace(self.bench, tell=self._tell)
            while (message := self._told.get()) is not None:
                carry_out(bench, tasks_of(message), self.stop)
                if self.stop.asked:
                    return
                self._say({"done": True})
        except BaseException as error:  # for the search to raise, in whose thread it is heard
            self.fault = error
        finally:
            os.close(self._answers)

    def _tell(self, event: RunningEvent | ToldEvent) -> None:
        self._say(running(event))

    def _say(self, message: dict[str, Any]) -> None:
        os.write(self._answers, json.dumps(message).encode() + b"\n")
