"""What cyclopts found wrong with a command line, said the way dressage says it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import get_args

from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from dressage.errors import UsageError

KINDS = {"int": "a whole number", "float": "a number", "Path": "a path", "bool": "true or false"}


def as_usage_error(error: CycloptsError) -> UsageError:
    """The same complaint in three parts: which word, what was expected, what to do."""
    command = " ".join(["dressage", *(error.command_chain or ())])
    where, found, expected, repair = _parts(error, command)
    made = UsageError.of(where, found, expected, repair or f"see `{command} --help`")
    assert isinstance(made, UsageError)
    return made


def _parts(error: CycloptsError, command: str) -> tuple[str, str, str, str]:
    if isinstance(error, UnknownOptionError):
        word = (error.token.keyword or error.token.value).split("=", 1)[0]
        names = [name for argument in error.argument_collection for name in argument.names if argument.parse]
        return word, f"`{command}` has no such option", _nearest(word, names, "one of its options"), ""
    if isinstance(error, UnknownCommandError):
        word = (error.unused_tokens or ["?"])[0]
        commands = [name for name in error.app or () if not name.startswith("-")]
        return word, "no such command", _nearest(word, commands, f"one of {', '.join(commands)}"), ""
    if isinstance(error, MissingArgumentError):
        name = error.keyword or (error.argument.name if error.argument else "")
        if error.keyword is None and error.argument is not None and error.argument.index is not None:
            name = name.lstrip("-").upper()
        hint = (error.argument.parameter.help or "").strip().rstrip(".") if error.argument else ""
        return (
            name,
            "not given" if error.keyword is None else "no value given",
            f"expected a value: {hint}" if hint else "expected a value",
            "",
        )
    if isinstance(error, CoercionError):
        word = error.token.value if error.token else ""
        name = (error.token.keyword if error.token else None) or (error.argument.name if error.argument else "value")
        choices = ", ".join(map(str, get_args(error.target_type)))
        kind = choices or getattr(error.target_type, "__name__", str(error.target_type))
        return name, f"{word!r} given", f"expected {KINDS.get(kind, kind)}", ""
    if isinstance(error, RepeatArgumentError):
        return error.token.keyword or error.token.value, "given twice", "expected once", "leave one of them out"
    if isinstance(error, UnusedCliTokensError):
        word = (error.unused_tokens or ["?"])[0]
        return (
            word,
            "one word too many",
            f"`{command}` takes no further one",
            f"quote a name that has blanks; see `{command} --help`",
        )
    error.verbose = False
    return command, " ".join(str(error).split()), "expected another command line", ""


def _nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    close = get_close_matches(word[:200].lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"expected {otherwise}"
