"""Where the records of a CSV begin, so that every row can be called by the line a person sees in an editor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
PIECE = 1 << 24  # bytes looked at in one go: bounds the memory of the comparison


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a text: byte positions `start`, `stop` and 1-based line numbers, each `(R,)`."""

    start: Positions
    stop: Positions
    line: Positions
    open_quote: bool
    """Whether a quote is opened and never closed."""

    def __len__(self) -> int:
        return len(self.start)


def find_records(data: bytes, quote: str, blank_after: int | None = None) -> Records:
    """The records of UTF-8 `data`; a newline between two quotes does not end one (RFC 4180).

    Blank lines are none, but those between record number `blank_after` and the last one, where that is given.
    """
    ends = _positions(data, b"\n")
    quotes = _positions(data, quote.encode())
    before = np.searchsorted(quotes, ends)
    closing = ends[before % 2 == 0] if len(quotes) else ends
    if not len(closing) or closing[-1] != len(data) - 1:
        closing = np.append(closing, len(data))
    start = np.concatenate([[0], closing[:-1] + 1])
    view = np.frombuffer(data, np.uint8)
    stop = closing - ((closing > start) & (view[np.maximum(closing - 1, 0)] == 13))
    line = np.searchsorted(ends, start) + 1
    kept = stop > start
    if blank_after is not None:
        before = kept.cumsum()
        kept |= (before >= blank_after) & (before < before[-1])
    return Records(start[kept], stop[kept], line[kept], len(quotes) % 2 == 1)


def _positions(data: bytes, byte: bytes) -> Positions:
    if byte not in data:
        return np.empty(0, np.int64)
    view = np.frombuffer(data, np.uint8)
    return np.concatenate([np.flatnonzero(view[i : i + PIECE] == byte[0]) + i for i in range(0, len(view), PIECE)])
