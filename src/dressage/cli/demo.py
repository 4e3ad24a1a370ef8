"""`dressage demo`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.options import with_recipe
from dressage.cli.output import Output
from dressage.recipe import Recipe


@with_recipe
def demo(*, out: Path | None = None, recipe: Recipe, output: Output | None = None) -> None:
    """Train on digits that come with it, and show what comes out.

    1,797 pictures of handwritten digits, 8×8 pixels each, from scikit-learn: nothing is downloaded.

    For example:
      dressage demo
      dressage demo --train.epochs 5 --model.activation tanh

    Parameters
    ----------
    out
        Folder of the run, made new; without it demo/, or demo-2/ and so on where that exists.
    """
    from dressage.cli.train import carry_out

    carry_out("digits", recipe, output or Output(), out=out or _free(Path("demo")))


def _free(folder: Path) -> Path:
    number = 2
    found = folder
    while found.exists():
        found = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return found
