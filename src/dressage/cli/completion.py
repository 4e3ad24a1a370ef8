"""`dressage completion`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dressage.cli.output import Output


def completion(
    shell: Literal["bash", "zsh", "fish"] | None = None, /, *, install: bool = False, output: Output | None = None
) -> None:
    """Complete commands and options with the tabulator key in your shell: prints the script, or installs it.

    For example:
      dressage completion bash --install
      dressage completion zsh > _dressage

    Parameters
    ----------
    shell
        bash, zsh or fish; without it the shell that this was called from.
    install
        Write it where the shell looks, and say where that is.
    """
    from dressage.cli.app import build
    from dressage.errors import UsageError

    output, app = output or Output(), build()
    try:
        if install:
            file: Path = app.install_completion(shell=shell)
            output.result({"installed": str(file)}, [f"installed in {file}; open a new shell"])
        else:
            script = app.generate_completion(shell=shell)
            output.result({"script": script}, [script])
    except RuntimeError as error:  # the shell could not be told
        raise UsageError.of(
            "completion", str(error), "expected bash, zsh or fish", "name it: dressage completion bash"
        ) from None
