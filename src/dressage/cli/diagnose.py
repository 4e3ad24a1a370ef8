"""`dressage diagnose RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, short

if TYPE_CHECKING:
    from dressage.diagnose import Diagnosis

FOUND = 1  # exit code where harm was shown


def diagnose(
    run: Path,
    data: str | None = None,
    /,
    *,
    model: str | None = None,
    seconds: float | None = None,
    output: Output | None = None,
) -> int:
    """Say what went wrong in a run: cause, evidence, remedy. Exit code 0: no harm found, 1: a warning or worse.

    For example:
      dressage diagnose runs/flowers
      dressage diagnose runs/flowers --json

    Parameters
    ----------
    run
        Folder of a run that finished, was interrupted or diverged. Nothing in it is changed.
    data
        Where the data is now, if it has been moved.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    seconds
        Time that examinations may take; without it the recipe's watch.seconds.
    """
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.diagnose import diagnose as examine

    output = output or Output()
    network = load_network(model, output)
    with Progress(output) as progress:
        found = examine(run, data, model=network, seconds=seconds, progress=progress.opening)
    output.result(found.to_json(), _lines(found, output))
    return 0 if found.is_clear else FOUND


def _lines(found: Diagnosis, output: Output) -> list[str]:
    from dressage.cli.found import found_lines

    told = found_lines([f.to_json() for f in found.findings])
    if found.is_clear:
        told = [output.bold("nothing found that does harm"), *told]
    passed = [c for c in found.checks if c.verdict != "skipped"]
    lines = [f"{c.name}: {cell(c.said, 300) or 'fine'}" for c in passed if c.verdict == "passed" and c.said]
    silent = ", ".join(c.name for c in passed if c.verdict == "passed" and not c.said)
    checked = ["", f"checked in {short(found.run)}:", *(f"    {line}" for line in lines)]
    checked += [f"    without findings: {silent}"] if silent else []
    return [*told, *checked, *(f"could not be checked: {cell(note, 300)}" for note in found.notes)]
