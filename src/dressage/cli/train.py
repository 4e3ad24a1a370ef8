"""`dressage train DATA`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dressage.cli.options import with_recipe
from dressage.cli.output import Output
from dressage.recipe import Recipe


@with_recipe
def train(
    data: str,
    /,
    *,
    out: Path | None = None,
    model: str | None = None,
    fix: bool = False,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """Train a network on a folder, a file or a named set.

    For example:
      dressage train flowers/ --out runs/flowers --seed 1
      dressage train churn.csv --target churn --optim.lr 3e-4 --augment "mixup(alpha=0.4)"
      dressage train digits --model net.py:Net --json

    Parameters
    ----------
    data
        An image folder, a CSV, Parquet, npz, npy or IDX file, or a named set (see `dressage list data`).
    out
        Folder of the run, made new; without it a free name below runs/.
    model
        FILE.py:Name, a network of your own: an nn.Module class, or a function that makes one. The file is run.
    fix
        Where a fault is found that a change of the recipe mends, train again with it and keep the better run.
    """
    carry_out(data, recipe, output or Output(), out=out, model=model, fix=fix)


def carry_out(
    data: str, recipe: Recipe, output: Output, *, out: Path | None = None, model: str | None = None, fix: bool = False
) -> None:
    """Trains with progress on stderr and says what came out."""
    from dressage import repair
    from dressage import train as run_training
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.cli.result import show_result

    network = load_network(model, output)
    with Progress(output) as progress:
        settings: dict[str, Any] = {"recipe": recipe, "model": network, "out": out, "on_event": progress}
        if fix:
            repaired = repair(data, **settings, progress=progress.opening)
            run = repaired.kept
        else:
            run = run_training(data, **settings, progress=progress.opening)
    if fix and not run.repair:
        output.note(str(repaired))
    show_result(run, output)
