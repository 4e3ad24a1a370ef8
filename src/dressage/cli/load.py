"""A run from its folder, with the user's own network where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output

if TYPE_CHECKING:
    from dressage.run import Run


def load_run(folder: Path, model: str | None, output: Output) -> Run:
    """The run in `folder`; `model` is FILE.py:Name. Raises RunError, and UsageError for the file."""
    from dressage import load
    from dressage.cli.own_module import load_module

    return load(folder, model=load_module(model, output)) if model else load(folder)
