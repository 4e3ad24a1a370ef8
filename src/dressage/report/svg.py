"""The few words of SVG that the pictures need. Every text and every attribute is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dressage.errors import printable

# Written on each shape, so that a picture outside the page has its colours; in the page the class comes first.
COLOURS = {
    "line-faint": "#8fb3dd",
    "line-train": "#2a66b0",
    "line-validation": "#c2570c",
    "line-other": "#4d7c4a",
    "grid": "#dddfe2",
    "mark": "#9aa1ab",
    "tick": "#6b727c",
    "frame": "#c5c9ce",
    "dot-train": "#2a66b0",
    "dot-validation": "#c2570c",
    "dot-faint": "#8fb3dd",
    "dot-other": "#4d7c4a",
    "hit": "#2a66b0",
    "miss": "#c2570c",
}
Attribute = str | float | None


def svg(kind: str, width: int, height: int, label: str, parts: Iterable[str]) -> str:
    """A whole `<svg class=kind>` of so many pixels, with a text for those who cannot see it."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="{kind}" {size} role="img" aria-label="{plain(label, 2000)}">{"".join(parts)}</svg>'


def line(kind: str, x1: float, y1: float, x2: float, y2: float, **more: Attribute) -> str:
    """A straight line."""
    return shape("line", kind, x1=x1, y1=y1, x2=x2, y2=y2, stroke=COLOURS[kind], **more)


def dot(kind: str, x: float, y: float, radius: float, **more: Attribute) -> str:
    """A filled circle."""
    return shape("circle", kind, cx=x, cy=y, r=radius, fill=COLOURS[kind], **more)


def box(kind: str, x: float, y: float, width: float, height: float, **more: Attribute) -> str:
    """A filled rectangle, or with `fill="none"` its frame."""
    paint: dict[str, Attribute] = {"stroke": COLOURS[kind]} if more.get("fill") else {"fill": COLOURS[kind]}
    return shape("rect", kind, x=x, y=y, width=width, height=height, **paint, **more)


def words(
    content: str, x: float, y: float, anchor: str = "start", kind: str = "", size: int = 12, turn: int = 0
) -> str:
    """A text, shortened to 80 signs, turned by so many degrees around its place."""
    place: dict[str, Attribute] = {"x": x, "y": y}
    if turn:
        place = {"transform": f"translate({x:.1f} {y:.1f}) rotate({turn})"}
    start = shape("text", kind, **place, text_anchor=None if anchor == "start" else anchor, font_size=size)
    return f"{start[:-2]}>{plain(content, 80)}</text>"


def shape(name: str, kind: str, **attributes: Attribute) -> str:
    """One element; `stroke_width` becomes `stroke-width`, None is left out, numbers have at most two decimals."""
    parts = [name] + ([f'class="{plain(kind)}"'] if kind else [])
    for key, value in attributes.items():
        if value is not None:
            text = plain(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
            parts.append(f'{key.replace("_", "-")}="{text}"')
    return f"<{' '.join(parts)}/>"


def plain(value: str, limit: int = 20_000_000) -> str:
    """Text that is safe between tags and in attributes."""
    return escape(printable(value, limit))
