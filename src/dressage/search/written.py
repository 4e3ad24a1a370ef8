"""The written form of a range: `log:1e-5:1e-1`, `choice:relu:tanh if model.norm=none`."""

from __future__ import annotations

import re

from dressage.errors import RecipeError, nearest
from dressage.search.ranges import SCALES, Range, When, choice, integer, log, uniform

COLON = re.compile(r":(?![^(]*\))")
"""Between the words of a range, not within the options of a technique."""
LONGEST = 2000
"""Letters of a range."""


def parse_range(text: str) -> Range:
    """`log:A:B`, `uniform:A:B`, `integer:A:B`, `integer:A:B:log`, `choice:a:b:…`, each with ` if PATH=VALUE`. Or RecipeError."""
    body, _, condition = (part.strip() for part in text[: LONGEST + 1].partition(" if "))
    scale, *words = (word.strip() for word in COLON.split(body))
    if scale not in SCALES or len(text) > LONGEST:
        repair = "e.g. log:1e-5:1e-1, uniform:0:0.5, integer:16:256 or choice:relu:tanh"
        raise RecipeError.of(repr(scale[:60]), "no such range", nearest(scale, SCALES), repair)
    when = _condition(condition) if condition else None
    if scale == "choice":
        return choice(*filter(None, words), when=when)
    is_log = scale == "integer" and words[2:] == ["log"]
    if len(words) != 2 and not is_log:
        expected = "expected its two ends" + (", and log or nothing" if scale == "integer" else "")
        raise RecipeError.of(scale, f"{body[:80]!r} given", expected, f"e.g. {scale}:1:10")
    low, high = (_number(word, body) for word in words[:2])
    if scale == "integer":
        return integer(low, high, log=is_log, when=when)
    return (log if scale == "log" else uniform)(low, high, when=when)


def cut_text(text: str) -> tuple[str, str]:
    """`optim.lr=log:1e-5:1e-1` as its path and its range. Raises RecipeError."""
    path, equals, range_ = text.partition("=")
    if not equals or not path.strip() or not range_.strip():
        found, example = f"{text[:80]!r} given", "e.g. optim.lr=log:1e-5:1e-1"
        raise RecipeError.of("space", found, "expected PATH=RANGE", example)
    return path.strip(), range_.strip()


def _condition(text: str) -> When:
    path, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not path or not value:
        raise RecipeError.of(
            "condition", f"'if {text[:80]}' given", "expected if PATH=VALUE", "e.g. if optim.name=momentum"
        )
    return path, value


def _number(word: str, body: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise RecipeError.of(
            "range", f"{word[:40]!r} in {body[:80]!r}", "expected a number", "e.g. log:1e-5:1e-1"
        ) from None
