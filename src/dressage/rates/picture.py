"""A range test as a picture: the loss over the rate, one line for each order of the data, with the marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dressage.errors import UsageError
from dressage.files import write_atomic
from dressage.rates.read import CEILING, pooled, smooth
from dressage.report.plots import STYLE, log_ticks, tick_text, ticks
from dressage.report.svg import COLOURS, dot, line, plain, shape, svg, words

if TYPE_CHECKING:
    from dressage.rates.read import Reading
    from dressage.rates.sweep import Curve, Floats

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 58, 20, 40, 46
Place = Callable[[float], float]


class Test(Protocol):
    """What is drawn of a range test."""

    @property
    def rate(self) -> float | None: ...
    @property
    def rule(self) -> str: ...
    @property
    def reading(self) -> Reading | None: ...
    @property
    def curves(self) -> Sequence[Curve]: ...


def require_name(path: Path) -> None:
    """Raises UsageError for a name that ends in neither .svg nor .html."""
    if path.suffix.lower() not in (".svg", ".html"):
        raise UsageError.of(path, "is no .svg or .html name", "range tests are drawn as these", "e.g. lr.svg")


def save(found: Test, path: Path) -> Path:
    """Writes the picture. Raises UsageError where the name ends otherwise, or the file cannot be written."""
    require_name(path)
    drawn = picture(found)
    if path.suffix.lower() == ".svg":
        write_atomic(path, drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n")
        return path
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Range test</title>'
    body = '<body style="font-family:system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem">'
    write_atomic(path, f"{head}{body}<h1>Range test</h1>{drawn}<p>{plain(str(found))}</p></body></html>\n")
    return path


def picture(found: Test) -> str:
    """The `<svg>`: dots are losses of mini-batches, lines their average over near rates."""
    curves = [c for c in found.curves if len(c.rates) > 1 and math.isfinite(c.first)]
    if found.rule == "halve" or not curves:
        return svg("range-test", WIDTH, 40, str(found), [f"<style>{STYLE}</style>", words(str(found), 8, 24)])
    low, high = min(float(c.rates[0]) for c in curves), max(float(c.rates[-1]) for c in curves)
    lines = [(c, c.first + smooth(c)) for c in curves]
    floor = min(float(c.losses[np.isfinite(c.losses)].min()) for c in curves)
    top = max(c.first * (1 + 0.5 * CEILING * math.copysign(1, c.first)) for c in curves)
    room = (top - floor) * 0.05 or 1.0
    floor -= room

    def across(rate: float) -> float:
        return LEFT + math.log(rate / low) / math.log(high / low) * (WIDTH - LEFT - RIGHT)

    def down(loss: float) -> float:
        return TOP + (top - min(max(loss, floor), top)) / (top - floor) * (HEIGHT - TOP - BOTTOM)

    parts = [f"<style>{STYLE}</style>", words("Loss over the learning rate", LEFT, 20, kind="title", size=14)]
    parts += _axes(low, high, floor, top, across, down)
    for curve, level in lines:
        parts += [
            dot("dot-faint", across(r), down(v), 1.2)
            for r, v in zip(curve.rates, curve.losses, strict=True)
            if v <= top
        ]
        parts.append(_stroke(curve, level, across, down))
    return svg("range-test", WIDTH, HEIGHT, str(found), parts + _marks(found, across))


def mean_curve(found: Test, points: int) -> tuple[list[float], list[float]] | None:
    """The smoothed mean loss at `points` rates, evenly spread over their logarithm; None without curves."""
    curves = [c for c in found.curves if len(c.rates) > 1 and math.isfinite(c.first)]
    if found.rule == "halve" or not curves:
        return None
    mean = pooled(curves)
    rates = np.geomspace(mean.rates[0], mean.rates[-1], points)
    return rates.tolist(), np.interp(np.log(rates), np.log(mean.rates), mean.first + smooth(mean)).tolist()


def _axes(low: float, high: float, floor: float, top: float, across: Place, down: Place) -> list[str]:
    parts = []
    for tick in ticks(floor, top):
        parts += [
            line("grid", LEFT, down(tick), WIDTH - RIGHT, down(tick)),
            words(tick_text(tick), LEFT - 8, down(tick) + 4, "end"),
        ]
    for tick in log_ticks(low, high):
        parts.append(words(tick_text(tick), across(tick), HEIGHT - BOTTOM + 18, "middle"))
    return [*parts, words("learning rate", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle")]


def _stroke(curve: Curve, level: Floats, across: Place, down: Place) -> str:
    path = "M" + "L".join(f"{across(r):.1f} {down(v):.1f}" for r, v in zip(curve.rates, level, strict=True))
    return shape("path", "line-train", d=path, fill="none", stroke=COLOURS["line-train"], stroke_width=1.5)


def _marks(found: Test, across: Place) -> list[str]:
    """Where half of the fall is done and where the loss rises; and the suggestion."""
    if found.rate is None or found.reading is None:
        return []
    parts = []
    for rate, name, anchor in (
        (found.reading.falls, "half of the fall", "end"),
        (found.reading.rises, "rises", "start"),
    ):
        x = across(rate)
        parts.append(line("mark", x, TOP, x, HEIGHT - BOTTOM, stroke_dasharray="3 3"))
        parts.append(words(name, x + (4 if anchor == "start" else -4), TOP + 10, anchor))
    x = across(found.rate)
    parts.append(line("line-validation", x, TOP - 8, x, HEIGHT - BOTTOM, stroke_width=2))
    return [*parts, words(f"{found.rate:g}", x, TOP - 12, "middle", kind="title")]
