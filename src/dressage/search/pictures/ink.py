"""The colours of scores, the legend that explains them, and how a picture becomes a file of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from dressage.evaluate.words import digits
from dressage.report.plots import STYLE
from dressage.report.svg import shape, words
from dressage.search.trial import Result

LIGHT = ("#d3dae2", "#b9c8da", "#9bb4d3", "#7599c6", "#4a7bb7", "#2a5fa3", "#0b3b7d")
"""From the worst seventh to the best: on white the best is the darkest."""
DARK = ("#414c59", "#465c74", "#4c6c8e", "#5a86b4", "#70a3da", "#93c3f7", "#d6ebff")
WARM, WARM_DARK = "#c2570c", "#f09a52"
BINS = len(LIGHT)
STYLE_OF_SCORES = (
    "".join(f".dot-score-{i}{{fill:{c}}}.line-score-{i}{{stroke:{c}}}" for i, c in enumerate(LIGHT))
    + f".lost{{stroke:{WARM}}}.asked,.best{{stroke:#1c2126}}.later{{stroke:#5b626c}}.rim{{stroke:#fff}}"
    + "@media (prefers-color-scheme:dark){"
    + "".join(f".dot-score-{i}{{fill:{c}}}.line-score-{i}{{stroke:{c}}}" for i, c in enumerate(DARK))
    + f".lost{{stroke:{WARM_DARK}}}.asked,.best{{stroke:#e8eaed}}.later{{stroke:#a3abb6}}.rim{{stroke:#15181c}}}}"
)
"""The last words on these classes: to be written after the style of the page or the file."""


def bins(results: Sequence[Result]) -> dict[int, int]:
    """The seventh of the scores in which each trial that counts lies, by its number; 6 holds the best."""
    counted = [r for r in results if r.counts]
    if not counted:
        return {}
    scores = np.array([r.score for r in counted])
    below = np.searchsorted(np.sort(scores), scores) / max(1, len(scores) - 1)
    return {r.trial.number: min(int(share * BINS), BINS - 1) for r, share in zip(counted, below, strict=True)}


def worst_first(results: Iterable[Result], most: int) -> list[Result]:
    """In the order in which they are drawn, the best on top: all, or the best half of `most` and as many evenly of the rest."""
    order = sorted(results, key=lambda r: (r.counts, r.score if r.counts else 0.0))
    if len(order) <= most:
        return order
    rest, best = order[: -most // 2], order[-most // 2 :]
    return [rest[round(i)] for i in np.linspace(0, len(rest) - 1, most // 2)] + best


def score_dot(x: float, y: float, seventh: int, radius: float = 5.0, told: str = "") -> str:
    """A trial as a dot in the colour of its score; `told` is shown under the pointer."""
    kind = f"dot-score-{seventh} rim"
    return _titled(
        shape("circle", kind, cx=x, cy=y, r=radius, fill=LIGHT[seventh], stroke="#ffffff", stroke_width=0.8), told
    )


def cross(x: float, y: float, size: float = 3.5, told: str = "") -> str:
    """A trial that was stopped."""
    left, right, top, floor = x - size, x + size, y - size, y + size
    path = f"M{left:.1f} {top:.1f}L{right:.1f} {floor:.1f}M{left:.1f} {floor:.1f}L{right:.1f} {top:.1f}"
    return _titled(shape("path", "lost", d=path, stroke=WARM, stroke_width=1.5, fill="none"), told)


def ring(x: float, y: float, radius: float = 9.0) -> str:
    """Around the best."""
    return shape("circle", "best", cx=x, cy=y, r=radius, fill="none", stroke="#1c2126", stroke_width=1.6)


def score_path(points: Sequence[tuple[float, float]], kind: str, colour: str, width: float = 1.2) -> str:
    """A line through points, broken where one is not finite."""
    text, broken = [], True
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            text.append(f"{'M' if broken else 'L'}{x:.1f} {y:.1f}")
        broken = not (math.isfinite(x) and math.isfinite(y))
    return shape("path", kind, d="".join(text), fill="none", stroke=colour, stroke_width=width, stroke_linejoin="round")


def legend(results: Sequence[Result], x: float, y: float, metric: str) -> list[str]:
    """Seven swatches with the worst, the middle and the best score below them, and the cross where trials were stopped."""
    scores = sorted(r.score for r in results if r.counts)
    if not scores:
        return []
    parts = [words(metric, x, y - 7)]
    for i in range(BINS):
        parts.append(shape("rect", f"dot-score-{i}", x=x + 18 * i, y=y, width=18, height=9, fill=LIGHT[i]))
    told = (scores[0], "start", 0), (scores[len(scores) // 2], "middle", 9 * BINS), (scores[-1], "end", 18 * BINS)
    parts += [words(digits(score), x + at, y + 24, anchor) for score, anchor, at in told]
    return parts


def file_of(picture: str) -> str:
    """The picture as an SVG file that stands alone, with its colours in both modes."""
    head, rest = picture.split(">", 1)
    named = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{named}><style>{STYLE}{STYLE_OF_SCORES}</style>{rest}\n"


def _titled(element: str, told: str) -> str:
    if not told:
        return element
    from dressage.report.svg import plain

    return f"{element[:-2]}><title>{plain(told, 200)}</title></{element[1:].split(' ', 1)[0]}>"
