"""Progress of a training: a bar with the time left of the whole run on a terminal, else one line an epoch."""

from __future__ import annotations

import math
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from dressage.cli.described import described_lines
from dressage.cli.found import finding_lines
from dressage.cli.output import Output, cell, duration
from dressage.fit.events import EpochEvent, ExamineEvent, FindingEvent, NoticeEvent, PlanEvent, StepEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.progress import Progress as Bar

    from dressage.data.describe import Row

REFRESH = 0.25  # seconds: a person reads no faster, and reading the loss waits for the device
LONGEST_NAME = 24
NAMES = {"train_loss": "train loss", "val_loss": "validation loss"}


class Progress:
    """Consumes the events of one training; call it with each. Between refreshes a step costs one look at the clock."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live = output.lively(sys.stderr)
        self._bar: Bar | None = None
        self._columns: list[str] = []
        self._widths: list[int] = []
        self._epochs = self._total = self._more = 0
        self._before = self._done = 0
        self._began: tuple[float, int] | None = None
        self._next = 0.0
        self._rate = math.nan
        self._latest = ""
        self._described: Sequence[Row] = ()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: object) -> None:
        if isinstance(event, StepEvent):
            self._rate = event.lr
            if (now := perf_counter()) >= self._next:
                self._step(event, now)
        elif isinstance(event, EpochEvent):
            self._epoch(event)
        elif isinstance(event, PlanEvent):
            self._plan(event)
        elif isinstance(event, ExamineEvent):
            self._next = 0.0
            self.opening(event.what, event.done, event.total)
        elif isinstance(event, FindingEvent):
            self._say(finding_lines(event.finding.to_json(), briefly=True))
        elif isinstance(event, NoticeEvent):
            self._say([cell(event.text, 1000)])

    def opening(self, what: str, done: int, total: int) -> None:
        """Progress of reading the data: `done` of `total` files or rows."""
        now = perf_counter()
        if not self._live or (now < self._next and done < total):
            return
        self._next = now + REFRESH
        self._draw(cell(what), done, total, "")

    def _say(self, lines: list[str]) -> None:
        """Lines that stay, above the bar where there is one."""
        for line in lines:
            if self._bar is None:
                self._output.note(line)
            else:
                self._bar.console.print(line, markup=False, highlight=False)

    def _plan(self, event: PlanEvent) -> None:
        self._close()
        self._epochs, self._total, self._more = event.epochs, event.total_steps, event.more
        self._before, self._done = self._done if event.again else 0, event.step
        self._began, self._latest = None, ""
        if event.again:
            epochs = f"{event.epochs:,} epoch{'s' * (event.epochs != 1)}"
            self._output.note(f"training again on all {event.rows:,} rows for {epochs}: {event.again}")
        if event.described != self._described:
            for line in described_lines(event.described):
                self._output.note(line)
        self._described = event.described
        if event.step:
            self._output.note(f"goes on after step {event.step:,} of {event.total_steps:,}")

    def _step(self, event: StepEvent, now: float) -> None:
        self._next = now + REFRESH
        if self._began is None:  # the first step carries what is done once
            self._began = (now, event.step)
        if self._live:
            words = f"epoch {event.epoch}/{self._epochs}  loss {float(event.loss):.4g}{self._latest}"
            whole = self._before + self._total + self._more
            self._draw(words, self._before + event.step, whole, self._time_left(event.step, now))

    def _epoch(self, event: EpochEvent) -> None:
        self._done = event.step
        if self._live:
            self._latest = "".join(
                f"  {cell(_name(key), LONGEST_NAME).replace('validation', 'val')} {value:.4g}"
                for key, value in event.metrics.items()
                if key.startswith("val_")
            )
            return
        if list(event.metrics) != self._columns:
            self._columns = list(event.metrics)
            names = [cell(_name(key), LONGEST_NAME) for key in self._columns]
            self._widths = [9, *(max(12, len(name) + 2) for name in names), 12, 12, 6]
            self._output.note(_line(["epoch", *names, "rate", "time left", ""], self._widths))
        epoch, best = f"{event.epoch}/{self._epochs}", "best" if event.improved else ""
        left = self._time_left(event.step, perf_counter())
        told = [epoch, *map(_number, event.metrics.values()), f"{self._rate:.2e}", left, best]
        self._output.note(_line(told, self._widths))

    def _time_left(self, step: int, now: float) -> str:
        if self._began is None or step <= self._began[1] or not self._total:
            return ""
        began, first = self._began
        return duration((now - began) / (step - first) * max(0, self._total + self._more - step))

    def _draw(self, words: str, done: int, total: int, left: str) -> None:
        values = {
            "description": words,
            "completed": done,
            "total": total or None,
            "left": f"{left} left" if left else "",
        }
        if self._bar is None:
            self._bar = _new_bar()
            self._bar.add_task(**values)  # type: ignore[arg-type]
            self._bar.start()
        else:
            self._bar.update(self._bar.task_ids[0], **values, refresh=True)  # type: ignore[arg-type]

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _new_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.table import Column

    left = TextColumn("{task.fields[left]}", table_column=Column(min_width=9, no_wrap=True))
    percent = TaskProgressColumn(table_column=Column(min_width=4, no_wrap=True))
    words = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    console = Console(stderr=True, highlight=False)
    return Progress(
        BarColumn(20), percent, left, words, console=console, auto_refresh=False, transient=True, expand=True
    )


def _name(metric: str) -> str:
    return NAMES.get(metric, metric.removeprefix("val_").replace("_", " "))


def _number(value: float) -> str:
    size = abs(value)
    if 100 <= size < 1e8:
        return f"{value:,.1f}"
    return f"{value:.4f}" if 1e-3 <= size < 100 or value == 0 else f"{value:.2e}"


def _line(cells: list[str], widths: list[int]) -> str:
    return "".join(text.rjust(width) for text, width in zip(cells, widths, strict=True)).rstrip()
