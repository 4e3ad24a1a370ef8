"""Progress of a search: a table of the best and the running trials that moves on a terminal, else one line a trial."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, duration
from dressage.cli.progress import Progress
from dressage.search.events import KnownEvent, PlanEvent, RunningEvent, StageEvent, ToldEvent, TrialEvent
from dressage.search.pictures.axis import labels
from dressage.search.time_left import TimeLeft
from dressage.search.trial import Result, ranked_by_rung

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live
    from rich.table import Table

BEST = 8
"""Trials that are shown as the best so far."""
RUNNING = 16
REFRESH = 0.25


class SearchProgress:
    """Consumes the events of one search; call it with each."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lively = output.lively(sys.stderr)
        self._reading = Progress(output)
        self._live: Live | None = None
        self._results: dict[int, Result] = {}
        self._running: dict[int, RunningEvent] = {}
        self._left = TimeLeft()
        self._title = self._count = ""
        self._stages = 0
        self._next = 0.0

    def __enter__(self) -> SearchProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def opening(self, what: str, done: int, total: int) -> None:
        """Progress of reading the data."""
        self._reading.opening(what, done, total)

    def __call__(self, event: object) -> None:
        self._reading.__exit__(None, None, None)
        self._left.take(event)
        if isinstance(event, PlanEvent):
            self._stages = len(event.samples) - 1
        elif isinstance(event, StageEvent):
            self._stage(event)
        elif isinstance(event, KnownEvent):
            self._results |= {result.trial.number: result for result in event.results}
            self._say([f"{len(event.results)} of {event.total} trials were carried out before"])
        elif isinstance(event, RunningEvent):
            self._running[event.trial.number] = event
            self._draw()
        elif isinstance(event, TrialEvent):
            self._trial(event)
        elif isinstance(event, ToldEvent):
            self._say([cell(line, 400) for line in event.lines])

    def _say(self, lines: list[str]) -> None:
        """Lines that stay, above the table."""
        for line in lines:
            if self._live is None:
                self._output.note(line)
            else:
                self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _stage(self, event: StageEvent) -> None:
        self._close()
        self._results, self._running, self._count = {}, {}, f"0 of {event.trials}"
        if event.stage is None:
            self._title = "the best again, with other seeds"
        else:
            rows = f" on {event.stage.rows:,} rows" if event.stage.rows else ""
            trials = f"{event.trials} trial{'s' * (event.trials != 1)}"
            epochs = f"{event.stage.epochs} epoch{'s' * (event.stage.epochs != 1)}"
            self._title = f"stage {event.number + 1} of {self._stages}: {trials} of {epochs}{rows}"
        self._say([self._title, *(f"  {cell(text, 200)}" for text in event.space)])

    def _trial(self, event: TrialEvent) -> None:
        result = event.result
        self._results[result.trial.number] = result
        self._running.pop(result.trial.number, None)
        self._count = f"{event.done} of {event.total}"
        if not self._lively:
            words = filter(None, [f"{event.done:>4}/{event.total}", _words(result), left_words(self._left.seconds())])
            self._output.note("  ".join(words))
        self._draw(at_once=event.done == event.total)

    def _draw(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if not self._lively or (now < self._next and not at_once):
            return
        self._next = now + REFRESH
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        """The best so far, the running ones below them with epoch and cost, and above both how far the search is."""
        from rich.table import Table

        best = ranked_by_rung(self._results.values())[:BEST]
        running = list(self._running.values())[:RUNNING]
        paths = list(dict.fromkeys(p for t in [*(r.trial for r in best), *(e.trial for e in running)] for p in t.edit))
        names = labels(paths)
        said = ", ".join(filter(None, [f"{self._title}: {self._count}", left_words(self._left.seconds())]))
        table = Table(
            title=said, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        table.add_column("trial", justify="right", no_wrap=True)
        for path in paths:
            table.add_column(cell(names[path], 24), no_wrap=True, overflow="ellipsis", justify="right")
        for name in ("score", "cost", "epoch"):
            table.add_column(name, justify="right", no_wrap=True)
        for place, r in enumerate(best):
            values = [cell(r.trial.edit.get(path, ""), 24) for path in paths]
            scores = [cell(r.score), cell(r.cost), f"{r.epoch}/{r.trial.epochs}"]
            table.add_row(f"{r.trial.number}", *values, *scores, style="bold" if place == 0 else None)
        if best and running:
            table.add_section()
            table.add_row("")
        for e in running:
            values = [cell(e.trial.edit.get(path, ""), 24) for path in paths]
            cost = cell(e.cost) if e.cost == e.cost else ""
            table.add_row(f"{e.trial.number}", *values, "running", cost, f"{e.epoch}/{e.trial.epochs}", style="dim")
        return table

    def _close(self) -> None:
        self._reading.__exit__(None, None, None)
        if self._live is not None:
            self._live.stop()
            self._live = None


def left_words(seconds: float) -> str:
    """`3:20 left`, or nothing where nobody can tell."""
    return "" if math.isnan(seconds) else f"{duration(seconds)} left"


def _words(result: Result) -> str:
    edit = "  ".join(f"{path} {cell(value):<9}" for path, value in result.trial.edit.items())
    scores = f"score {cell(result.score):<6}  cost {cell(result.cost):<7}" if result.epoch else ""
    state = f"{result.state} after {result.epoch} epoch{'s' * (result.epoch != 1)}"
    state += f": {result.reason}" if result.reason else ""
    return f"trial {result.trial.number:<3} {edit}  {scores:<26}  {cell(state, 300)}  {duration(result.seconds)}"
