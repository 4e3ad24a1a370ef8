"""Makes the pictures of the README and of docs/search.md, by training the demo and by a search: `./dev docs`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import dressage
from dressage.files import write_atomic
from dressage.report.plots import curve_picture
from dressage.search.pictures import grid_random_svg, plane_svg
from dressage.search.pictures.ink import file_of
from dressage.search.telling import account_of

PICTURE = Path(__file__).with_name("curves.svg")
GRID, PLANE = PICTURE.with_name("grid-random.svg"), PICTURE.with_name("search-plane.svg")
SPACE = ["optim.lr=log:1e-6:10", "regularize.weight_decay=log:1e-4:100"]
RECIPE = {"optim": {"name": "momentum"}, "train": {"batch_size": 32}}

if __name__ == "__main__":
    write_atomic(GRID, file_of(grid_random_svg()))
    with TemporaryDirectory() as folder:
        found = dressage.search(
            "digits", space=SPACE, recipe=RECIPE, stages="60x3,20x6", repeats=0, out=Path(folder) / "search"
        )
        write_atomic(PLANE, file_of(plane_svg(account_of(found))))
        run = dressage.train("digits", out=Path(folder) / "demo")
        curve_picture(run.history, PICTURE, title="dressage demo")
