"""The trials in the plane of two settings, coloured by their scores, with the edges of the ranges. L6, C784."""

from __future__ import annotations

from collections.abc import Sequence

from dressage.evaluate.words import metric_name
from dressage.report.svg import line, shape, svg, words
from dressage.search.account import Account, Stage
from dressage.search.pictures.axis import Axis, axis_of, points_of, score_axis, told_of
from dressage.search.pictures.ink import bins, cross, legend, ring, score_dot, worst_first
from dressage.search.space import Space

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 450, 74, 214, 16, 48
MOST = 1200
"""Trials that are drawn: the best, and evenly many of the rest."""
FAVOURED = ("optim.lr", "regularize.weight_decay")


def axes_of(space: Space, order: Sequence[str] = ()) -> list[str]:
    """The two settings that are drawn: rate and decay where both are searched, else the most important numbers."""
    numbers = [path for path in space if not space[path].is_choice]
    if all(path in numbers for path in FAVOURED):
        return list(FAVOURED)
    ranked = [path for path in order if path in numbers]
    return (ranked + [path for path in numbers if path not in ranked])[:2]


def plane_svg(account: Account, order: Sequence[str] = ()) -> str:
    """Each trial as a dot, one that was stopped as a cross, and a frame for each stage's ranges; "" without a number.

    Where one number is searched, its scores stand above it, and what was stopped below.
    """
    space = account.stages[0].space if account.stages else {}
    paths, counted = axes_of(space, order), [result for result in account.results if result.counts]
    if not paths or not counted:
        return ""
    axes = [axis_of([stage.space[path] for stage in account.stages if path in stage.space]) for path in paths]
    x, y = axes if len(axes) == 2 else (axes[0], score_axis(counted))
    points = points_of(space, account.results)
    parts = [*_grid(x, y), *_names([*paths, metric_name(account.metric)]), *_frames(account.stages, paths, x, y)]
    sevenths, best = bins(account.results), account.winner
    for result in worst_first(account.results, MOST):
        point = points[result.trial.number]
        if not all(path in point for path in paths) or result.state == "failed":
            continue
        high = y.at(point[paths[1]]) if len(paths) == 2 else max(0.0, y.at(result.score)) if result.counts else 0.0
        at = _across(x.at(point[paths[0]])), _down(high)
        told = told_of(result, point)
        seventh = sevenths.get(result.trial.number)
        parts.append(cross(*at, told=told) if seventh is None else score_dot(*at, seventh, told=told))
        if result is best:
            parts.append(ring(*at))
    parts += _legend(account)
    label = f"{len(account.results)} trials in the plane of {' and '.join(paths)}, coloured by {metric_name(account.metric)}"
    return svg("plane", WIDTH, HEIGHT, label, parts)


def _across(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for place, text in y.ticks():
        parts += [
            line("grid", LEFT, _down(place), WIDTH - RIGHT, _down(place)),
            words(text, LEFT - 8, _down(place) + 4, "end"),
        ]
    for place, text in x.ticks():
        parts += [line("grid", _across(place), TOP, _across(place), HEIGHT - BOTTOM)]
        parts.append(words(text, _across(place), HEIGHT - BOTTOM + 18, "middle"))
    return parts


def _names(paths: Sequence[str]) -> list[str]:
    middle = words(paths[0], (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", "axis")
    return [middle, words(paths[1], 14, (TOP + HEIGHT - BOTTOM) / 2, "middle", "axis", turn=-90)]


def _frames(stages: Sequence[Stage], paths: Sequence[str], x: Axis, y: Axis) -> list[str]:
    """The ranges of the first stage as a whole frame, later ones as dashed ones with their number."""
    parts = []
    for i, stage in enumerate(stages):
        if not all(path in stage.space for path in paths):
            continue
        a, b = stage.space[paths[0]], stage.space[paths[-1]]
        left, right = _across(x.at(a.low)), _across(x.at(a.high))
        top, bottom = (_down(y.at(b.high)), _down(y.at(b.low))) if len(paths) == 2 else (_down(1.0), _down(0.0))
        dashes = None if i == 0 else "5 4"
        kind, colour = ("asked", "#1c2126") if i == 0 else ("later", "#5b626c")
        size = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        parts.append(shape("rect", kind, fill="none", stroke=colour, stroke_width=1.3, stroke_dasharray=dashes, **size))
        if i:
            parts.append(words(f"stage {i + 1}", right - 5, top + 14, "end", "axis"))
    return parts


def _legend(account: Account) -> list[str]:
    x, y = WIDTH - RIGHT + 22, TOP + 30
    parts = legend(account.results, x, y, metric_name(account.metric))
    lines: list[tuple[str, str, str | None, str]] = [("asked", "#1c2126", None, "range that was asked")]
    if len(account.stages) > 1:
        lines.append(("later", "#5b626c", "5 4", "range of a later stage"))
    y += 52
    for kind, colour, dashes, said in lines:
        end = x + 22
        parts.append(
            shape("line", kind, x1=x, y1=y, x2=end, y2=y, stroke=colour, stroke_width=1.3, stroke_dasharray=dashes)
        )
        parts.append(words(said, x + 30, y + 4))
        y += 22
    if account.winner:
        parts += [ring(x + 11, y, 7), words("the best", x + 30, y + 4)]
        y += 22
    if any(result.state == "stopped" for result in account.results):
        parts += [cross(x + 11, y), words("stopped", x + 30, y + 4)]
    return parts
