"""The repeated trials held against the best: each run a dot, so that what is noise can be seen as noise."""

from __future__ import annotations

import math

from dressage.evaluate.words import metric_name
from dressage.report.plots import tick_text, ticks
from dressage.report.svg import dot, line, shape, svg, words
from dressage.search.account import Account
from dressage.search.judge import Standing

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 780, 90, 214, 30, 12, 66
MOST = 12


def standings_svg(account: Account) -> str:
    """The best and the others that were repeated, each with its runs, their mean, and the first score that chose it."""
    verdict = account.verdict
    if verdict is None or not verdict.best.repeats:
        return ""
    rows = [verdict.best, *(s for s in verdict.others if s.repeats)][:MOST]
    scores = [x for s in rows for x in (*s.repeats, s.first)] + [
        x for x in (verdict.low, verdict.high) if math.isfinite(x)
    ]
    room = (max(scores) - min(scores)) * 0.06 or 0.01
    low, high = min(scores) - room, max(scores) + room
    height = TOP + ROW * len(rows) + BOTTOM

    def across(score: float) -> float:
        return LEFT + (score - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = []
    if math.isfinite(verdict.low):
        left, right = across(verdict.low), across(verdict.high)
        parts.append(shape("rect", "band", x=left, y=TOP, width=right - left, height=ROW * len(rows), fill="#e6eefa"))
    for tick in ticks(low, high, 6):
        parts.append(line("grid", across(tick), TOP, across(tick), height - BOTTOM))
        parts.append(words(tick_text(tick), across(tick), height - BOTTOM + 18, "middle"))
    parts.append(words(metric_name(account.metric), (LEFT + WIDTH - RIGHT) / 2, height - BOTTOM + 34, "middle", "axis"))
    for i, standing in enumerate(rows):
        y = TOP + ROW * (i + 0.5)
        parts.append(words(f"trial {standing.number}", LEFT - 10, y + 4, "end", "title" if i == 0 else "", 13))
        parts += _runs(standing, across, y)
        parts.append(words(_said(standing, i == 0), WIDTH - RIGHT + 14, y + 4))
    parts += _legend(height - 8)
    return svg("standings", WIDTH, height, "; ".join(f"trial {s.number}: mean {s.mean:.4g}" for s in rows), parts)


def _runs(standing: Standing, across: object, y: float) -> list[str]:
    assert callable(across)
    runs = [dot("dot-train", across(score), y, 3.5, fill_opacity=0.55) for score in standing.repeats]
    mean, first = across(standing.mean), across(standing.first)
    return [
        shape("circle", "lost", cx=first, cy=y, r=4, fill="none", stroke="#c2570c", stroke_width=1.4),
        *runs,
        shape("line", "best", x1=mean, y1=y - 9, x2=mean, y2=y + 9, stroke="#1c2126", stroke_width=2),
    ]


def _said(standing: Standing, best: bool) -> str:
    if best:
        return f"{standing.mean:.4g}, the best"
    return f"{standing.mean:.4g}, {'cannot be told from it' if standing.is_alike else 'worse'}"


def _legend(y: float) -> list[str]:
    x = LEFT
    parts = [dot("dot-train", x, y - 4, 3.5, fill_opacity=0.55), words("a repeat", x + 9, y)]
    parts.append(shape("line", "best", x1=x + 84, y1=y - 12, x2=x + 84, y2=y + 3, stroke="#1c2126", stroke_width=2))
    parts.append(words("mean of the repeats", x + 93, y))
    parts.append(shape("circle", "lost", cx=x + 232, cy=y - 4, r=4, fill="none", stroke="#c2570c", stroke_width=1.4))
    parts.append(words("first score, by which it was chosen", x + 242, y))
    parts.append(shape("rect", "band", x=x + 452, y=y - 10, width=14, height=12, fill="#e6eefa"))
    return [*parts, words("95 % interval", x + 472, y)]
