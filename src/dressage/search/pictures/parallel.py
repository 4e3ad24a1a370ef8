"""All settings side by side, a line for each trial in the colour of its score (parallel coordinates; Inselberg 1985)."""

from __future__ import annotations

from collections.abc import Sequence

from dressage.evaluate.words import digits, metric_name
from dressage.report.plots import ticks
from dressage.report.svg import shape, svg, words
from dressage.search.account import Account
from dressage.search.pictures.axis import Axis, axis_of, labels, points_of, score_axis
from dressage.search.pictures.ink import LIGHT, bins, legend, score_path, worst_first
from dressage.search.ranges import Value

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 410, 60, 70, 50, 92
BELOW = HEIGHT - BOTTOM + 16
"""Where a line passes an axis that was not searched for its trial."""
SPREAD = 0.5
"""Of the share of a choice, over which its lines are spread."""
MOST = 12
"""Settings that are drawn, the most important first."""
MOST_LINES = 400
THICK = 2.2


def parallel_svg(account: Account, order: Sequence[str] = ()) -> str:
    """An upright axis for each setting and one for the score; "" without a setting or without a trial that counts."""
    counted = [r for r in account.results if r.counts]
    if not counted or not account.stages:
        return ""
    counted = worst_first(counted, MOST_LINES)
    space = account.stages[0].space
    paths = ([p for p in order if p in space] + [p for p in space if p not in order])[:MOST]
    axes = {path: axis_of([stage.space[path] for stage in account.stages if path in stage.space]) for path in paths}
    scores = score_axis(counted)
    places = {path: LEFT + i * (WIDTH - LEFT - RIGHT) / len(paths) for i, path in enumerate([*paths, ""])}
    points, sevenths = points_of(space, account.results), bins(account.results)
    parts, left_out, winner = [], set(), account.winner
    for place, result in enumerate(counted):
        point = points[result.trial.number]
        left_out |= {path for path in paths if path not in point}
        spread = SPREAD * (place / max(1, len(counted) - 1) - 0.5)
        corners = [(places[p], _height(axes[p], point[p], spread) if p in point else BELOW) for p in paths]
        corners.append((places[""], _down(max(0.0, scores.at(result.score)))))
        seventh = sevenths[result.trial.number]
        thick = THICK if result is winner else 1.0
        parts.append(score_path(corners, f"line-score-{seventh}", LIGHT[seventh], thick))
    names = {**labels(paths), "": metric_name(account.metric)}
    for path, axis in [*axes.items(), ("", scores)]:
        parts += _upright(axis, places[path], names[path], last=not path)
    parts += [words("not searched", places[path] + 8, BELOW + 4, kind="haloed") for path in paths if path in left_out]
    parts += legend(account.results, LEFT, HEIGHT - 26, metric_name(account.metric))
    label = f"{len(counted)} trials as lines over {', '.join(paths)} and the score"
    return svg("parallel", WIDTH, HEIGHT, label, parts)


def _height(axis: Axis, value: Value, spread: float) -> float:
    """Where a line meets an axis; those of one choice are spread by their scores, so that they can be told apart."""
    return _down(axis.at(value) + (spread / len(axis.choices) if axis.choices else 0.0))


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _upright(axis: Axis, x: float, name: str, last: bool) -> list[str]:
    """An axis with its name above and its ticks beside it, on a ground that keeps them readable over the lines."""
    parts = [shape("line", "later", x1=x, y1=TOP, x2=x, y2=HEIGHT - BOTTOM, stroke="#5b626c", stroke_width=1.2)]
    parts.append(words(name, x, TOP - 18, "middle", "title", 13))
    marks = axis.ticks()
    if last:
        marks = [(axis.at(tick), digits(tick)) for tick in ticks(axis.low, axis.high, 5)]
    for place, text in marks:
        y = _down(place)
        parts.append(shape("line", "later", x1=x, y1=y, x2=x + 5, y2=y, stroke="#5b626c"))
        parts.append(words(text[:18], x + 8, y + 4, kind="haloed"))
    return parts
