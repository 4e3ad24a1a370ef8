"""Ctrl-C and SIGTERM as a wish that is granted at the next good moment, within seconds."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from dressage.errors import Interrupted

GRACE = 3.0  # seconds from Ctrl-C to the end of what is being computed, so that all is saved within five
AT_ONCE = 1e-3
AGAIN = 0.2  # seconds to the next try: what is raised in a callback of Python's own goes unheard
T = TypeVar("T")


class Overdue(BaseException):
    """Raised inside a computation that is given up because somebody asked for the end."""


class Stop:
    """Whether somebody asked for the end. Only inside `next` and `giving_up` is anything broken off."""

    def __init__(self, where: object = "the run", waits: Callable[[], None] | None = None) -> None:
        self.asked = self.asked_again = False
        self.where = where
        self._waits = waits
        self._breakable = False
        self._grace = GRACE

    def next(self, events: Iterator[T]) -> T | None:
        """The next event, or None at their end. Raises Overdue `GRACE` seconds after the wish, unless it is waited for."""
        self._breakable = True
        try:
            return next(events, None)
        finally:
            self._breakable = False

    @contextmanager
    def giving_up(self) -> Iterator[None]:
        """What is computed inside is given up at once (Overdue): it can be computed again."""
        if self.asked:
            raise Overdue
        self._breakable, self._grace = True, AT_ONCE
        try:
            yield
        finally:
            self._breakable, self._grace = False, GRACE

    def ask(self) -> None:
        """The wish; the second one raises Interrupted where the process stands."""
        if self.asked:
            self.asked_again = True
            found = "stopped at once: the run is as its last checkpoint left it"
            raise Interrupted.of(self.where, found, "expected one Ctrl-C", f"go on with `dressage resume {self.where}`")
        self.asked = True
        signal.setitimer(signal.ITIMER_REAL, self._grace, AGAIN)

    def overdue(self) -> None:
        """The grace is over: what is computed is broken off, or waited for, which is said once."""
        if self._waits is None and self._breakable:
            raise Overdue
        if self._waits is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._waits()


@contextmanager
def signals(where: object = "the run", waits: Callable[[], None] | None = None) -> Iterator[Stop]:
    """Turns Ctrl-C and SIGTERM into `Stop.asked` while it lasts; outside the main thread nothing is changed.

    `waits`: a step is waited for however long it takes, and this is called after `GRACE` to say so.
    """
    stop, owner = Stop(where, waits), os.getpid()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a worker process that was forked: its owner ends it
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        elif number == signal.SIGALRM:
            stop.overdue()
        else:
            stop.ask()

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    found = {number: signal.signal(number, handle) for number in handled}
    try:
        yield stop
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in found.items():
            signal.signal(number, handler)


@contextmanager
def terminating() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, by KeyboardInterrupt, so that nothing is left half-written."""
    owner = os.getpid()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    found = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, found)
