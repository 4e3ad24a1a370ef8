"""Makes docs/curves.svg, the picture of the README, by training the demo: `./dev docs`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import dressage
from dressage.report.plots import curve_picture

PICTURE = Path(__file__).with_name("curves.svg")

if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        run = dressage.train("digits", out=Path(folder) / "demo")
        curve_picture(run.history, PICTURE, title="dressage demo")
