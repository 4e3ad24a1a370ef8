"""The pictures of a landscape: the loss over a plane, and along the ways between networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dressage.ensemble.soup import Line
from dressage.evaluate.words import digits
from dressage.landscape.contours import bands, levels, scale_of
from dressage.landscape.curve import shares_at
from dressage.landscape.look import BEND
from dressage.landscape.plane import Plane
from dressage.landscape.words import named, plane_words
from dressage.report.plots import tick_text, ticks
from dressage.report.svg import COLOURS, dot, line, shape, svg, words
from dressage.search.pictures.ink import BINS, LIGHT

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 560, 74, 214, 16, 52
LOW = 300
"""Height of the picture of the ways."""


def plane_svg(plane: Plane) -> str:
    """The loss in seven shades, darkest where it is low, with the networks and, where there is a bend, the curve through it."""
    loss = np.array(plane.loss, dtype=np.float64)
    scale, box = scale_of(loss), (LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - plane.x[0]) / (plane.x[-1] - plane.x[0]), (y - plane.y[0]) / (plane.y[-1] - plane.y[0])
        return LEFT + across * box[2], TOP + (1 - up) * box[3]

    parts = [*bands(loss, scale, *box), levels(loss, scale, *box)]
    parts.append(shape("rect", "frame", x=box[0], y=box[1], width=box[2], height=box[3], fill="none", stroke="#9aa1ab"))
    for tick in ticks(plane.x[0], plane.x[-1], 6):
        parts.append(words(tick_text(tick), place(tick, plane.y[0])[0], HEIGHT - BOTTOM + 18, "middle"))
    for tick in ticks(plane.y[0], plane.y[-1], 6):
        parts.append(words(tick_text(tick), LEFT - 8, place(plane.x[0], tick)[1] + 4, "end"))
    unit = "lengths of the filters" if plane.kind == "random" else "‖θ − θ₁‖"
    names = [f"first direction, in {unit}", f"second direction, in {unit}"]
    parts.append(words(names[0], LEFT + box[2] / 2, HEIGHT - 10, "middle", "axis"))
    parts.append(words(names[1], 14, TOP + box[3] / 2, "middle", "axis", turn=-90))
    if BEND in plane.points:
        parts.append(_bent([place(*point) for point in plane.points.values()]))
    for name, point in plane.points.items():
        x, y = place(*point)
        parts.append(shape("circle", "place", cx=x, cy=y, r=4.5, fill="#ffffff", stroke="#1c2126", stroke_width=1.6))
        parts.append(words(named(name), x + 9, y - 8, kind="over-map"))
    label = f"Loss over a plane in the space of weights: {plane_words(plane)}"
    return svg("landscape", WIDTH, HEIGHT, label, [*parts, *_legend(scale.value)])


def _bent(points: Sequence[tuple[float, float]]) -> str:
    """The quadratic Bézier curve from the first point to the second; the third is its middle."""
    a, b, middle = points
    drawn = []
    for t in np.linspace(0, 1, 41):
        shares = shares_at(float(t))
        drawn.append(f"{shares[0] * a[0] + shares[1] * middle[0] + shares[2] * b[0]:.1f} "
                     f"{shares[0] * a[1] + shares[1] * middle[1] + shares[2] * b[1]:.1f}")  # fmt: skip
    way = f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}"
    pen = {"fill": "none", "stroke": "#c2570c"}
    straight = shape("path", "lost", d=way, stroke_width=1.6, stroke_dasharray="5 4", **pen)
    return straight + shape("path", "lost", d="M" + "L".join(drawn), stroke_width=2.4, **pen)


def _legend(value: object) -> list[str]:
    assert callable(value)
    x, y, high = WIDTH - RIGHT + 26, TOP + 24, 26
    parts = [words("loss", x, y - 8, kind="axis")]
    for band in range(BINS):
        shade, top = band, y + band * high
        parts.append(shape("rect", f"dot-score-{shade}", x=x, y=top, width=20, height=high, fill=LIGHT[shade]))
    for edge in range(BINS + 1):
        parts.append(words(digits(value(1 - edge / BINS)), x + 28, y + edge * high + 4))
    return parts


def ways_svg(lines: Sequence[Line], curve: Line | None) -> str:
    """The loss on straight lines and on the curve, from one network to the other."""
    drawn = [(line, "line-train", "straight line") for line in lines]
    drawn += [(curve, "line-validation", "curve")] if curve is not None else []
    known = [v for way, _, _ in drawn for v in way.loss if math.isfinite(v)]
    if not known:
        return ""
    low, high = min(0.0, *known), max(known) * 1.05 or 1.0
    floor = LOW - BOTTOM

    def across(alpha: float) -> float:
        return LEFT + alpha * (WIDTH - LEFT - RIGHT)

    def down(loss: float) -> float:
        return floor - (loss - low) / (high - low) * (floor - TOP)

    parts = []
    for tick in ticks(low, high, 5):
        parts += [line("grid", LEFT, down(tick), WIDTH - RIGHT, down(tick))]
        parts.append(words(tick_text(tick), LEFT - 8, down(tick) + 4, "end"))
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(words(tick_text(tick), across(tick), floor + 18, "middle"))
    for number, (way, kind, said) in enumerate(drawn):
        ends = " – ".join(named(end) for end in way.ends)
        told = said if len(lines) == 1 else ends
        points = [(across(a), down(v)) for a, v in zip(way.alpha, way.loss, strict=True) if math.isfinite(v)]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashes = (None, "6 4", "2 3")[number % 3] if len(lines) > 1 else None
        pen = {"fill": "none", "stroke": COLOURS[kind], "stroke_linejoin": "round", "stroke_dasharray": dashes}
        parts.append(shape("path", kind, d=path, stroke_width=2.0, **pen))
        parts += [dot(kind.replace("line", "dot"), x, y, 2.6) for x, y in points]
        y = TOP + 18 + 22 * number
        x = WIDTH - RIGHT + 22
        parts.append(line(kind, x, y, x + 22, y, stroke_width=2.5, stroke_dasharray=dashes))
        parts.append(words(told, x + 30, y + 4))
    middle = (LEFT + WIDTH - RIGHT) / 2
    names = " – ".join(named(end) for end in lines[0].ends) if len(lines) == 1 else "from the one to the other"
    parts.append(words(f"share of the way, {names}", middle, LOW - 10, "middle", "axis"))
    parts.append(words("loss", 14, TOP + (floor - TOP) / 2, "middle", "axis", turn=-90))
    return svg("landscape", WIDTH, LOW, "Loss on the ways between the networks", parts)
