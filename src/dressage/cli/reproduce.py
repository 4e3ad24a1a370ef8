"""`dressage reproduce RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output, cell


def reproduce(run: Path, data: str | None = None, /, *, model: str | None = None, output: Output | None = None) -> None:
    """Repeat a run from its recipe and name the first step that differs, if any does.

    For example:
      dressage reproduce runs/flowers

    Parameters
    ----------
    run
        Folder of the run.
    data
        Where the data is now, if it has been moved.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    """
    from dressage import reproduce as repeat
    from dressage.cli.own_module import load_module
    from dressage.cli.progress import Progress

    output = output or Output()
    network = load_module(model, output) if model else None
    with Progress(output) as progress:
        found = repeat(run, data, model=network, on_event=progress)
    differs = found["first_difference"]
    same = f"the same to the last bit: {found['steps']} steps"
    output.result(found, [same if differs is None else cell(f"differs from step {differs['step']} on: {differs}", 400)])
