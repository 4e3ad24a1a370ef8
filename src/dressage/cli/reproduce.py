"""`dressage reproduce RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output


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
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress

    output = output or Output()
    network = load_network(model, output)
    with Progress(output) as progress:
        found = repeat(run, data, model=network, on_event=progress, progress=progress.opening)
    record = {
        "run": str(run),
        "steps": found.steps,
        "first_difference": found.first_difference,
        "recorded": found.recorded,
        "repeated": found.repeated,
        "what": found.what,
        "again": found.again,
        "machine": list(found.machine),
    }
    if found.first_difference is None:
        said = f"the same to the last bit: the losses of {found.steps:,} steps"
    else:
        numbers = f"{found.what} {found.repeated!r}, recorded {found.recorded!r}"
        how = "the repetition ended before it" if found.repeated is None else numbers
        where = " of the training on all rows" if found.again else ""
        said = f"differs from step {found.first_difference:,}{where} on: {how}"
    output.result(record, [said, *found.machine])
