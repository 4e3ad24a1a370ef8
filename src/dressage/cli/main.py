"""The command `dressage`: from its words to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb

from dressage import __version__
from dressage.errors import Diverged, DressageError, Interrupted, printable

BUG = 70  # EX_SOFTWARE of sysexits.h
STOPPED_BY_SIGINT = 130
PIPE_CLOSED = 141
OWN = "dressage_user_"  # how modules of `--model` are called (dressage.models.foreign)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 done, 1 `check` found harm, 2 usage or recipe, 3 data, 4 diverged, 5 interrupted.

    An error is one line on stderr (several only for a recipe with several errors), never a traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):  # answered before anything is imported: scripts ask it often
        print(__version__)
        return 0
    try:
        from dressage.cli.app import run
        from dressage.compiler import import_late
        from dressage.stopping import terminating

        import_late()
        with terminating():
            code = run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone, e.g. `dressage runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        _print_error("interrupted: nothing was being trained; expected to run to the end; run the command again")
        return STOPPED_BY_SIGINT
    except Exception as error:
        if os.environ.get("DRESSAGE_TRACEBACK"):
            raise
        code = _report(error)
        if "--json" in words and isinstance(error, DressageError):
            _print_json(error)
    return code


def _print_json(error: DressageError) -> None:
    """The last line of a command that failed: the error, and how the run stands where there is one."""
    from dressage.cli.output import to_json

    known: dict[str, object] = {}
    if isinstance(error, Diverged | Interrupted):
        from dressage.cli.result import as_dict
        from dressage.run import load

        with suppress(DressageError, OSError):
            known = as_dict(load(str(error.where)))
    print(to_json({**known, "error": str(error), "exit_code": error.exit_code}), flush=True)


def _report(error: Exception) -> int:
    if isinstance(error, DressageError):
        _print_error(str(error))
        return error.exit_code
    if isinstance(error, MemoryError):
        _print_error(
            "memory: not enough for this; expected less at once; give a smaller --train.batch_size, or less data"
        )
        return DressageError.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = error.filename or "file system"
        _print_error(f"{where}: {error.strerror}; expected a place that can be read and written; see `dressage doctor`")
        return DressageError.exit_code
    found = f"{type(error).__name__}: {error}".replace("\n", " ")
    if place := _own_place(error):
        _print_error(
            f"{place}: your network raised {found}; expected it to take every batch; correct it, and train anew"
        )
        return DressageError.exit_code
    repair = "run again with DRESSAGE_TRACEBACK=1 and report what it prints"
    _print_error(f"this is a bug in dressage: {found}; expected no such exception; {repair}")
    return BUG


def _own_place(error: Exception) -> str:
    """`FILE line N` where an error passed through the file of `--model`, else nothing."""
    frames = list(walk_tb(error.__traceback__))
    own = [(f.f_code.co_filename, line) for f, line in frames if f.f_globals.get("__name__", "").startswith(OWN)]
    return f"{Path(own[-1][0]).name} line {own[-1][1]}" if own else ""


def _print_error(message: str) -> None:
    for line in message.splitlines():
        print(f"error: {printable(line, 2000)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
