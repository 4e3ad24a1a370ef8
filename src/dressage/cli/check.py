"""`dressage check DATA`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, table
from dressage.clock import work_seconds
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from dressage.preflight import Preflight

FOUND = 1  # exit code where harm was shown


@with_recipe
def check(
    data: str,
    /,
    *,
    model: str | None = None,
    only: list[str] | None = None,
    skip: list[str] | None = None,
    seconds: float = 30,
    recipe: Recipe,
    output: Output | None = None,
) -> int:
    """Check data, network and loss before the first step. Exit code 0: no harm found, 1: a warning or worse.

    For example:
      dressage check flowers/
      dressage check churn.csv --target churn --optim.lr 3e-4
      dressage check digits --model net.py:Net --only signals --only wiring

    Parameters
    ----------
    data
        As for `dressage train`: a folder, a file or a named set.
    model
        FILE.py:Name, a network of your own: an nn.Module class, or a function that makes one. The file is run.
    only
        Name of a check to run; may be given several times. Without it all are run.
    skip
        Name of a check to leave out; may be given several times.
    seconds
        Time that the checks may take; those that it is too short for are left out.
    """

    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.examine import examined, subject_of_job
    from dressage.preflight.run import chosen_checks
    from dressage.prepare import prepare

    output = output or Output()
    chosen = chosen_checks(only or (), skip or ())
    network = load_network(model, output)
    with Progress(output) as progress:
        job = prepare(data, recipe, model=network, progress=progress.opening)
        found = examined(subject_of_job(job), job, chosen, work_seconds() + seconds, progress.opening)
    output.result(found.to_json(), _lines(found, output))
    return 0 if found.is_clear else FOUND


def _lines(found: Preflight, output: Output) -> list[str]:
    from rich.cells import cell_len

    from dressage.preflight import finding_lines

    head = table(["check", "verdict"], [(c.name, c.verdict) for c in found.checks], output)
    wide = max(map(cell_len, head[1:]), default=0)
    text = [head[0]]
    for line, checked in zip(head[1:], found.checks, strict=True):
        text.append(f"{line}{' ' * (wide - cell_len(line))}  {cell(checked.said, 110)}".rstrip())
    return [*text, "", *(cell(line, 900) for line in finding_lines(found.findings))]
