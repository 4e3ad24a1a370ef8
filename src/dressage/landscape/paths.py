"""The picture of the paths of optimisers over the lines of equal height of a surface."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dressage.evaluate.words import digits
from dressage.landscape.contours import Floats, Scale, levels, scale_of
from dressage.optim.surfaces import Place, Surface
from dressage.report.plots import tick_text, ticks
from dressage.report.svg import dot, line, shape, svg, words
from dressage.search.pictures.ink import file_of

WIDTH, LEFT, RIGHT, TOP, BOTTOM, INNER = 860, 56, 250, 44, 48, 554
GRID, LEVELS = 121, 14
FLOOR = 1e-4
"""Of the heights in the window, below which no lines are drawn."""
PENS = (
    ("line-train", "#2a66b0"), ("line-validation", "#c2570c"), ("line-other", "#4d7c4a"),
    ("path", "#8a5cc2"), ("path", "#c94f7c"), ("path", "#8a8f98"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Path:
    """Where an optimiser went."""

    name: str
    lr: float
    places: tuple[Place, ...]
    heights: tuple[float, ...]


def paths_svg(surface: Surface, paths: Sequence[Path], title: str) -> str:
    """An SVG file: lines of equal height (evenly spaced in the logarithm), the paths from their start, the lowest places."""
    (left, right), (low, high) = surface.x, surface.y
    tall = round(min(560, max(240, INNER * (high - low) / (right - left))))
    height = TOP + tall + BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - left) / (right - left) * INNER, TOP + (high - y) / (high - low) * tall

    parts = [words(title, LEFT, 24, kind="title", size=15)]
    parts.append(levels(*_heights(surface), LEFT, TOP, INNER, tall, LEVELS, ("grid", "#c5c9ce")))
    parts.append(shape("rect", "frame", x=LEFT, y=TOP, width=INNER, height=tall, fill="none", stroke="#9aa1ab"))
    parts += [words(tick_text(t), place(t, low)[0], TOP + tall + 18, "middle") for t in ticks(left, right, 7)]
    parts += [words(tick_text(t), LEFT - 8, place(left, t)[1] + 4, "end") for t in ticks(low, high, 6)]
    for number, path in enumerate(paths):
        kind, colour = PENS[number % len(PENS)]
        points = _inside([place(*p) if math.isfinite(p[0]) else (math.nan, math.nan) for p in path.places], tall)
        pen = {"fill": "none", "stroke": colour, "stroke_linejoin": "round"}
        parts.append(shape("path", kind, d=_drawn(points), stroke_width=1.6, **pen))
        known = [p for p in points if math.isfinite(p[0])]
        parts += [shape("circle", kind, cx=x, cy=y, r=1.8, fill=colour, stroke=colour) for x, y in known[:60]]
        row, side = TOP + 14 + 40 * number, LEFT + INNER + 24
        parts.append(shape("line", kind, x1=side, y1=row, x2=side + 22, y2=row, stroke=colour, stroke_width=2.5))
        end = "lost" if not math.isfinite(path.heights[-1]) else f"ends at {digits(path.heights[-1])}"
        parts.append(words(path.name, side + 30, row + 4, kind="title"))
        parts.append(words(f"lr {path.lr:.3g}, {end}", side + 30, row + 20))
    for spot in surface.lowest:
        x, y = place(*spot)
        parts += [line("mark", x - 5, y, x + 5, y, stroke_width=2), line("mark", x, y - 5, x, y + 5, stroke_width=2)]
    if paths:
        x, y = place(*paths[0].places[0])
        parts.append(dot("mark", x, y, 4))
    return file_of(svg("chart", WIDTH, height, title, parts))


def _heights(surface: Surface) -> tuple[Floats, Scale]:
    """Heights over the window, above the lowest place in it, and their scale."""
    x, y = (torch.linspace(a, b, GRID, dtype=torch.float64) for a, b in (surface.x, surface.y))
    found = surface.height(x[None, :], y[:, None]).expand(GRID, GRID).numpy()
    above = found - found.min()
    raised = above + FLOOR * above.max()
    return raised, scale_of(raised)


def _inside(points: Sequence[tuple[float, float]], tall: float) -> list[tuple[float, float]]:
    """What leaves the window is not drawn."""
    return [
        (x, y) if LEFT - 1 <= x <= LEFT + INNER + 1 and TOP - 1 <= y <= TOP + tall + 1 else (math.nan, math.nan)
        for x, y in points
    ]


def _drawn(points: Sequence[tuple[float, float]]) -> str:
    parts, broken = [], True
    for x, y in points:
        if math.isfinite(x):
            parts.append(f"{'M' if broken else 'L'}{x:.1f} {y:.1f}")
        broken = not math.isfinite(x)
    return "".join(parts)
