"""How commands speak: results on stdout, progress and notes on stderr, JSON when asked, colour only on a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import Parameter

from dressage.errors import printable

Flag = Parameter(negative="", show_default=False)


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class Output:
    """The options that every command has."""

    json: Annotated[bool, Flag] = False
    """Print one JSON object (the last line on stdout) instead of text."""
    plain: Annotated[bool, Flag] = False
    """No colour and no moving bar, as when the output is not a terminal or NO_COLOR is set."""

    def result(self, value: Mapping[str, object], text: Iterable[str]) -> None:
        """Prints `value` as one line of JSON when asked for, else the lines of `text`."""
        if self.json:
            print(to_json(value))
            return
        for line in text:
            print(line)

    def note(self, line: str) -> None:
        """A line for people, beside the result."""
        print(line, file=sys.stderr)

    def bold(self, text: str) -> str:
        """`text` stressed, where stdout is a terminal that shows it."""
        return f"\x1b[1m{text}\x1b[0m" if self.lively(sys.stdout) else text

    def lively(self, stream: TextIO) -> bool:
        """Whether colour and movement are wanted on `stream`."""
        return stream.isatty() and not self.plain and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def prepare() -> None:
    """Makes both streams write what they cannot encode as escapes, so that no name can break a message."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def to_json(value: object) -> str:
    """One line of strict JSON: a number that is not finite becomes null, a path its text."""
    return json.dumps(_jsonable(value), allow_nan=False, ensure_ascii=True)


def _jsonable(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def cell(value: object, limit: int = 60) -> str:
    """A value as text for one cell or one line of a terminal: on one line, no control characters, not too long."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable("" if value is None else str(value).replace("\n", "\\n"), limit)


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], output: Output | None = None, indent: str = ""
) -> list[str]:
    """Rows as aligned columns, numbers to the right; lines without trailing blanks."""
    from rich.cells import cell_len

    body = [list(row) for row in rows]
    texts = [list(head), *([cell(value) for value in row] for row in body)]
    widths = [max(cell_len(row[i]) for row in texts) for i in range(len(head))]
    right = [
        all(isinstance(row[i], int | float) or row[i] in (None, "") for row in body) and bool(body)
        for i in range(len(head))
    ]

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (w - cell_len(t)) + t if r else t + " " * (w - cell_len(t))
            for t, w, r in zip(row, widths, right, strict=True)
        ]
        return (indent + "  ".join(padded)).rstrip()

    lines = [line(row) for row in texts]
    return [output.bold(lines[0]) if output else lines[0], *lines[1:]]


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve in one line of text, from its lowest to its highest value; a gap where a value is not finite."""
    bars = "▁▂▃▄▅▆▇█"
    stride = max(1, math.ceil(len(values) / width))
    points = [values[min(i + stride, len(values)) - 1] for i in range(0, len(values), stride)]
    finite = [p for p in points if math.isfinite(p)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(bars[round((p - low) * scale)] if math.isfinite(p) else " " for p in points)


def duration(seconds: float) -> str:
    """`0:07`, `12:30`, `3:04:05`."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else 0
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def short(path: Path) -> str:
    """A path as one would type it: below the present folder without its head."""
    try:
        return printable(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return printable(path)
