"""`dressage plot-optim NAME NAME …`."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path as File
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, short, sparkline, table
from dressage.errors import UsageError

if TYPE_CHECKING:
    from dressage.landscape.paths import Path
    from dressage.optim.surfaces import Surface

MOST = 6
"""Paths that can be told apart in one picture."""
LONGEST = 100_000


def plot_optim(
    *optimisers: str,
    surface: str = "ravine",
    steps: int = 60,
    lr: float | None = None,
    out: File | None = None,
    output: Output | None = None,
) -> None:
    """Draw the paths of optimisers on a surface, in the terminal as heights and as an SVG file.

    For example:
      dressage plot-optim sgd momentum adam --out paths.svg
      dressage plot-optim sgd "sam(rho=0.3)" --surface saddle --lr 0.1
      dressage plot-optim adam:0.3 adam:0.03 --surface "rosenbrock(steep=20)" --steps 300

    Parameters
    ----------
    optimisers
        As a recipe names them, up to six, see `dressage list optim`; each may have its rate after a colon: adam:0.1.
    surface
        A function of two numbers, see `dressage list surface`.
    steps
        Steps of each.
    lr
        Learning rate of those that say none; without it each has the best of 25 rates from 1e-5 to 10: the one with the
        lowest mean height over the second half of the steps.
    out
        SVG file, written whole or not at all.
    """
    from dressage.optim import catalogue as known
    from dressage.optim.surfaces import catalogue as surfaces

    output = output or Output()
    if not 1 <= len(optimisers) <= MOST:
        found = f"{len(optimisers)} optimisers given"
        raise UsageError.of("plot-optim", found, f"expected 1 to {MOST}", "e.g. dressage plot-optim sgd momentum adam")
    if not 1 <= steps <= LONGEST:
        raise UsageError.of("--steps", f"{steps} given", f"expected 1 to {LONGEST:,}", "e.g. --steps 60")
    if out is not None and out.suffix.lower() != ".svg":
        raise UsageError.of(out, "is no .svg name", "paths are drawn as SVG", "give a name that ends in .svg")
    asked = [_split(written, lr) for written in optimisers]
    for name, _ in asked:
        known.check(name)
    on = surfaces.build(surface)
    if not math.isfinite(_height(on, on.start)):
        found, expected = "it is not finite where paths begin", "expected a surface that can be walked on"
        raise UsageError.of(f"--surface {surface}", found, expected, "e.g. --surface ravine")
    paths = [_path(name, rate, on, steps) for name, rate in asked]
    if out is not None:
        from dressage.files import write_atomic
        from dressage.landscape.paths import paths_svg

        write_atomic(out, paths_svg(on, paths, f"{steps} steps on {surface}"))
    head = ["optimiser", "lr", "ends at x", "y", "height", "to the lowest", "height, log scale"]
    text = [output.bold(cell(f"{surface}: {surfaces[_name(surface)].formula}", 200))]
    text += table(head, [_row(path, on) for path in paths], output)
    text += [f"written: {short(out)}"] if out is not None else []
    output.result({"surface": surface, "steps": steps, "paths": [_json(p) for p in paths], "out": out}, text)


def _height(surface: Surface, place: tuple[float, float]) -> float:
    import torch

    return float(surface.height(*torch.tensor(place, dtype=torch.float64)))


def _split(written: str, lr: float | None) -> tuple[str, float | None]:
    """`adam:0.1` → the name and its rate."""
    name, colon, rate = written.rpartition(":")
    if not colon:
        name, value = written, lr
    else:
        try:
            value = float(rate)
        except ValueError:
            raise UsageError.of(written, f"'{rate[:40]}' is no rate", "expected name:rate", "e.g. adam:0.1") from None
    if value is not None and not 0 < value < math.inf:
        raise UsageError.of(written, f"the rate {value} given", "expected more than 0", "e.g. adam:0.1")
    return name, value


def _path(name: str, lr: float | None, surface: Surface, steps: int) -> Path:
    from dressage.landscape.paths import Path
    from dressage.optim.walk import best_rate, walk

    rate = best_rate(name, surface, steps) if lr is None else lr
    places, heights = zip(*islice(walk(name, surface, rate), steps + 1), strict=True)
    return Path(name, rate, places, heights)


def _row(path: Path, surface: Surface) -> list[object]:
    x, y = path.places[-1]
    away = min(math.hypot(x - a, y - b) for a, b in surface.lowest)
    known = [math.log10(max(h - min(0.0, *path.heights), 1e-12)) for h in path.heights if math.isfinite(h)]
    return [path.name, path.lr, x, y, path.heights[-1], away, sparkline(known, 30)]


def _json(path: Path) -> dict[str, object]:
    return {"optimiser": path.name, "lr": path.lr, "places": path.places, "heights": path.heights}


def _name(written: str) -> str:
    from dressage.catalogue import parse

    return parse(written)[0]
