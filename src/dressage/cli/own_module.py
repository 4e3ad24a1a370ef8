"""`--model FILE.py:Name`: a network of the user's own, from a file named on the command line and nowhere else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output
from dressage.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


def load_module(written: str, output: Output) -> nn.Module | Callable[..., object]:
    """Runs FILE.py, after saying which file that is, and returns what Name is in it.

    Raises UsageError when there is no such file or name, when it is no network, or when the file itself fails.
    """
    file, colon, name = written.rpartition(":")
    example = "e.g. --model net.py:Net"
    if not colon or not name.isidentifier() or not file.endswith(".py"):
        raise UsageError.of(
            "--model",
            f"{written!r} given",
            "expected FILE.py:Name",
            f"{example} (an architecture of ours is --model.name)",
        )
    path = Path(file).resolve()
    if not path.is_file():
        raise UsageError.of("--model", f"there is no file {file}", "expected FILE.py:Name", example)
    output.note(f"running your file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent))  # so that the file can import its neighbours, as when Python runs it
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        where = f"{path}, line {_line(error, str(path))}"
        raise UsageError.of(
            where, f"{type(error).__name__}: {error}", "expected a file that runs", "run it with python to see more"
        ) from error
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UsageError.of("--model", f"{file} has no '{name}'", nearest(name, known), example)
    if not callable(found):
        raise UsageError.of(
            "--model",
            f"{name} is a {type(found).__name__}",
            "expected an nn.Module or a function that makes one",
            example,
        )
    return found  # type: ignore[no-any-return]


def _line(error: BaseException, file: str) -> int | str:
    line: int | str = getattr(error, "lineno", None) or "?"
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
