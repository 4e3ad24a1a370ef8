"""Progress of a search: a table of the best trials that moves on a terminal, else one line a trial."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, duration, table
from dressage.cli.progress import Progress
from dressage.search.events import StageEvent, ToldEvent, TrialEvent

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live

    from dressage.search.trial import Result

SHOWN = 10
REFRESH = 0.25


class SearchProgress:
    """Consumes the events of one search; call it with each."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lively = output.lively(sys.stderr)
        self._reading = Progress(output)
        self._live: Live | None = None
        self._results: dict[int, Result] = {}
        self._title = ""
        self._began = time.monotonic()
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
        if isinstance(event, StageEvent):
            self._stage(event)
        elif isinstance(event, TrialEvent):
            self._trial(event)
        elif isinstance(event, ToldEvent):
            self._close()
            for line in event.lines:
                self._output.note(cell(line, 400))

    def _stage(self, event: StageEvent) -> None:
        self._close()
        self._results, self._began = {}, time.monotonic()
        if event.stage is None:
            self._title = "the best again, with other seeds"
        else:
            rows = f" on {event.stage.rows:,} rows" if event.stage.rows else ""
            self._title = f"stage {event.number + 1}: {event.trials} trials of {event.stage.epochs} epochs{rows}"
        self._output.note(self._title)
        for text in event.space:
            self._output.note(f"  {cell(text, 200)}")

    def _trial(self, event: TrialEvent) -> None:
        result = event.result
        self._results[result.trial.number] = result
        if not self._lively:
            self._output.note(f"{event.done:>4}/{event.total}  {_words(result)}")
            return
        if time.monotonic() < self._next and event.done < event.total:
            return
        self._next = time.monotonic() + REFRESH
        self._draw(event)

    def _draw(self, event: TrialEvent) -> None:
        from rich.live import Live
        from rich.text import Text

        left = (time.monotonic() - self._began) / event.done * (event.total - event.done)
        best = _best(list(self._results.values()))[:SHOWN]
        paths = list(dict.fromkeys(path for r in best for path in r.trial.edit))
        rows = [
            [r.trial.number, *(cell(r.trial.edit.get(p, "")) for p in paths), r.score, r.cost, r.epoch] for r in best
        ]
        lines = [f"{self._title}: {event.done} of {event.total}, {duration(left)} left"]
        lines += table(["trial", *paths, "score", "cost", "epochs"], rows) if rows else []
        shown = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            from rich.console import Console

            console = Console(stderr=True, highlight=False)
            self._live = Live(shown, console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(shown, refresh=True)

    def _close(self) -> None:
        self._reading.__exit__(None, None, None)
        if self._live is not None:
            self._live.stop()
            self._live = None


def _best(results: list[Result]) -> list[Result]:
    from dressage.search.trial import ranked

    return ranked(results)


def _words(result: Result) -> str:
    edit = "  ".join(f"{path} {cell(value)}" for path, value in result.trial.edit.items())
    scores = f"score {cell(result.score)}  cost {cell(result.cost)}" if result.epoch else ""
    state = f"{result.state} after {result.epoch} epochs" + (f": {result.reason}" if result.reason else "")
    return f"trial {result.trial.number}  {edit}  {scores}  {cell(state, 300)}  {duration(result.seconds)}"
