"""The confusion matrix as a picture: rows are what is true, columns what was predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dressage.errors import printable
from dressage.evaluate.words import number
from dressage.report.svg import box, plain, svg, words
from dressage.report.text import listing

NUMBERS = 26
"""Classes up to which the counts fit in their cells."""
LABELS = 60
"""Classes up to which each has its name at the axis."""
MOST_CELLS = 6000


def confusion_svg(evaluation: Mapping[str, Any]) -> str:
    """The heat map as one `<svg>`, or "" where there is no whole matrix. Colour is the share of the row's class.

    The diagonal has a colour of its own; errors are drawn by the root of their share, so that rare ones can be seen.
    """
    names = [printable(name, 60) for name in listing(evaluation.get("classes"))]
    matrix = _counts(evaluation.get("confusion"), len(names))
    if matrix is None:
        return ""
    c = len(names)
    cell = 56 if c <= 4 else 42 if c <= 12 else 30 if c <= NUMBERS else 14 if c <= LABELS else max(4, 720 // c)
    signs = max(2, min(18, max(len(n) for n in names)))
    left, top = 34 + int(7.2 * signs) if c <= LABELS else 40, 34 + (16 if _flat(names, cell) else int(7.2 * signs))
    if c > LABELS:
        top = 40
    side = c * cell
    parts = [
        words("predicted", left + side / 2, 14, "middle", "axis"),
        words("true", 14, top + side / 2, "middle", "axis", turn=-90),
        box("frame", left, top, side, side, fill="none"),
        *_axis(names, cell, left, top, signs),
        *_cells(matrix, names, cell, left, top),
    ]
    label = f"Confusion matrix of {c} classes; the commonest confusions are listed as text beside it"
    return svg("confusion", left + side + 8, top + side + 8, label, parts)


def _axis(names: Sequence[str], cell: int, left: int, top: int, signs: int) -> list[str]:
    every = 1 if len(names) <= LABELS else 10
    size = 12 if cell >= 14 else 10
    parts = []
    for i in range(0, len(names), every):
        name = (names[i] if len(names[i]) <= signs else names[i][: signs - 1] + "…") if every == 1 else str(i)
        middle = i * cell + cell / 2
        parts.append(words(name, left - 6, top + middle + 4, "end", size=size))
        if _flat(names, cell) or every > 1:
            parts.append(words(name, left + middle, top - 7, "middle", size=size))
        else:
            parts.append(words(name, left + middle + 4, top - 7, size=size, turn=-90))
    return parts


def _flat(names: Sequence[str], cell: int) -> bool:
    """Whether the names fit above their columns without being turned."""
    return max(len(n) for n in names) * 7.2 <= cell - 4


def _cells(matrix: Sequence[Sequence[int]], names: Sequence[str], cell: int, left: int, top: int) -> list[str]:
    filled = [(n, i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) if n > 0]
    filled.sort(key=lambda entry: (entry[1] != entry[2], -entry[0]))  # when there are too many, the smallest errors go
    parts = []
    for n, i, j in filled[:MOST_CELLS]:
        part = n / sum(matrix[i])
        ink = 0.08 + 0.82 * (part if i == j else math.sqrt(part))
        x, y = left + j * cell, top + i * cell
        hint = f"true {names[i]}, predicted {names[j]}: {n:,} ({100 * part:.3g} % of the class)"
        content = box("hit" if i == j else "miss", x, y, cell, cell, fill_opacity=ink)
        if len(names) <= NUMBERS:
            size = 13 if len(str(n)) <= cell / 11 else 10
            content += words(str(n), x + cell / 2, y + cell / 2 + 4.5, "middle", "on" if ink > 0.55 else "off", size)
        parts.append(f"<g><title>{plain(hint)}</title>{content}</g>")
    return parts


def _counts(value: object, c: int) -> list[list[int]] | None:
    rows = [listing(row) for row in listing(value)]
    if c < 1 or len(rows) != c or any(len(row) != c for row in rows):
        return None
    counts = [[number(n) for n in row] for row in rows]
    if any(n is None or n < 0 for row in counts for n in row):
        return None
    return [[int(n or 0) for n in row] for row in counts]
