"""What an ensemble is worth, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dressage.errors import printable


def against_best(facts: Mapping[str, Any]) -> Iterator[str]:
    """The ensemble beside its best member, and how much the members differ."""
    gain, differ = facts["gained"], facts["diversity"]
    best = printable(facts["of"][gain["best"]]["name"], 60)
    if gain["low"] is not None:
        limits = f"95 % interval {gain['low']:+.4f} to {gain['high']:+.4f}, paired bootstrap over {gain['n']:,} rows"
        yield f"against its best member ({best}): {gain['value']:+.4f} ({limits}): {verdict(gain)}"
    if "disagreement" in differ:
        yield f"two members give different classes to {100 * differ['disagreement']:.1f} % of the rows"
    yield f"ambiguity {differ['ambiguity']:.4f}: squared error that the mean has less than its members on average"


def verdict(gain: Mapping[str, Any]) -> str:
    """Whether the ensemble is better than its best member."""
    if gain["low"] is None:
        return "not known"
    return "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "cannot be told from it"


def between(line: Mapping[str, Any]) -> str:
    """What lies on the straight line between the weights of two members."""
    ends = " and ".join(printable(end, 60) for end in line["ends"])
    return f"between {ends}: the error rises by {line['barrier']:.3f}, the loss by {line['loss_barrier']:.3f}"
