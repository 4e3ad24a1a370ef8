"""The errors of dressage. Each message has three parts: what was given, what was expected, the one-line repair."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class DressageError(Exception):
    """The root of every error that dressage raises on purpose; the CLI prints it in one line and exits with `exit_code`."""

    exit_code = 2
    where: object = None
    """What it is about: the run's folder in Diverged and Interrupted."""

    @classmethod
    def of(cls, where: object, found: str, expected: str, repair: str) -> DressageError:
        """`where: found; expected; repair`, the one form of every message."""
        error = cls(f"{printable(where)}: {printable(found)}; {printable(expected)}; {printable(repair)}")
        error.where = where
        return error


class UsageError(DressageError):
    """A command line, an argument or an output place that cannot be used."""


class RecipeError(DressageError):
    """A recipe that cannot be carried out; the message lists all its errors, one a line."""


class DataError(DressageError):
    """Data that cannot be read, or that no training can be done on."""

    exit_code = 3


class RunError(DressageError):
    """A run folder or checkpoint that cannot be used: missing, damaged, of another architecture or version."""


class Diverged(DressageError):
    """The loss or the weights became non-finite; the last good state is kept."""

    exit_code = 4


class Interrupted(DressageError):
    """Ctrl-C or SIGTERM: the state is saved and the run can be resumed."""

    exit_code = 5


def printable(value: object, limit: int = 600) -> str:
    """One line that is safe on a terminal: line ends, control and bidirectional characters are written as escapes."""
    text = str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return "".join(c if _is_plain(c) else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _is_plain(char: str) -> bool:
    bidirectional = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
    return char.isprintable() and char not in bidirectional


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'relu'? (relu, tanh, …)`: the closest known spelling, then all of them."""
    names = sorted(set(known))
    close = get_close_matches(str(name)[:200].lower(), names, n=1, cutoff=0.5)
    listed = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
    return (f"did you mean '{close[0]}'? " if close else "") + f"(known: {listed})"
