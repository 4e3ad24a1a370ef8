"""Values from files as safe text: nothing here fails on a wrong type, and nothing is longer than a page can bear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dressage.errors import printable
from dressage.evaluate.words import digits, number

LONGEST = 300
"""Most characters of any one text from a file on the page."""


def shown(value: object, limit: int = LONGEST) -> str:
    """One value as text: control and bidirectional characters as escapes, shortened; `–` for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return digits(value)
    if isinstance(value, list | tuple):
        return printable(", ".join(shown(v, 60) for v in value[:50]) or "none", limit)
    return printable(value, limit)


def setting(value: object) -> str:
    """A value of a recipe as a person would write it: `0.001`, `1e-08`, `none`."""
    if isinstance(value, list):
        return ", ".join(shown(v) for v in value) or "none"
    if isinstance(value, bool | str):
        return shown(value)
    return f"{value:g}" if isinstance(value, float) else shown(value)


def count(value: object) -> str:
    """`61,706`, or `–` for what is no number."""
    n = number(value)
    return "–" if n is None else f"{n:,.0f}"


def share(value: object) -> str:
    """`8.3 %`; what is neither none nor all is not rounded to it."""
    n = number(value)
    if n is None:
        return "–"
    if 0 < n < 0.0005 or 0.9995 <= n < 1:
        return "< 0.1 %" if n < 0.5 else "> 99.9 %"
    return f"{100 * n:.1f} %"


def duration(seconds: object) -> str:
    """`0.8 s`, `12 s`, `3 min 05 s`, `1 h 04 min`."""
    s = number(seconds)
    if s is None or s < 0:
        return "–"
    if s < 10:
        return f"{s:.1f} s"
    whole = round(s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listing(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return list(value) if isinstance(value, list | tuple) else []


def records(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [item for item in listing(value) if isinstance(item, Mapping)]
