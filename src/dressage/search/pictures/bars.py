"""What each setting counted, as bars with their uncertainty as whiskers."""

from __future__ import annotations

from dressage.report.svg import box, line, shape, svg, words
from dressage.search.importance import Importance

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 780, 220, 160, 32, 8, 42
MOST = 20


def bars_svg(importance: Importance) -> str:
    """A bar a setting, the most important first, with its 95 % interval; "" where nothing could be told."""
    weights = importance.weights[:MOST]
    if not weights:
        return ""
    height = TOP + ROW * len(weights) + BOTTOM
    reach = max(1.0, *(min(weight.high, 1.5) for weight in weights))

    def across(share: float) -> float:
        return LEFT + min(max(share, 0.0), reach) / reach * (WIDTH - LEFT - RIGHT)

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(line("grid", across(tick), TOP, across(tick), height - BOTTOM))
        parts.append(words(f"{tick:.0%}", across(tick), height - BOTTOM + 18, "middle"))
    parts.append(
        words(
            "share of the order of the trials that it explains",
            (LEFT + WIDTH - RIGHT) / 2,
            height - 5,
            "middle",
            "axis",
        )
    )
    for i, weight in enumerate(weights):
        y = TOP + ROW * i + ROW / 2
        kind = "dot-train" if weight.low > 0 else "dot-faint"
        parts.append(words(weight.path, LEFT - 10, y + 4, "end", "title" if weight.low > 0 else "", 13))
        parts.append(box(kind, LEFT, y - 8, max(0.0, across(weight.share) - LEFT), 16))
        low, high = across(weight.low), across(weight.high)
        for path in (f"M{low:.1f} {y}L{high:.1f} {y}", f"M{low:.1f} {y - 5}V{y + 5}", f"M{high:.1f} {y - 5}V{y + 5}"):
            parts.append(shape("path", "best", d=path, stroke="#1c2126", stroke_width=1.4))
        told = f"{max(0.0, weight.share):.0%} ({max(0.0, weight.low):.0%} to {weight.high:.0%})"
        parts.append(words(told, WIDTH - RIGHT + 12, y + 4))
    label = "; ".join(f"{w.path} {w.share:.0%}, {w.low:.0%} to {w.high:.0%}" for w in weights)
    return svg("bars", WIDTH, height, f"What each setting counted: {label}", parts)
