"""What commands are given by name: a run by its folder, a network of the user's own by its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell

if TYPE_CHECKING:
    from dressage.ensemble import Ensemble
    from dressage.models.foreign import Made
    from dressage.run import Run


def load_run(folder: Path, model: str | None, output: Output) -> Run | Ensemble:
    """The run or ensemble in `folder`, with the network of `--model` where that is given. Raises RunError, UsageError."""
    from dressage import load

    return load(folder, model=load_network(model, output))


def load_network(written: str | None, output: Output) -> Made | None:
    """The network of `--model FILE.py:Name`; says which file will be run before it is. Raises UsageError."""
    if written is None:
        return None
    from dressage.models.foreign import load_module

    file = Path(written.rpartition(":")[0])
    if file.is_file():
        output.note(f"running your file {cell(file.resolve(), 400)}")
    return load_module(written)
