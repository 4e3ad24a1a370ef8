"""`dressage landscape RUN [RUN2 [RUN3]]`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, short, table
from dressage.errors import UsageError

if TYPE_CHECKING:
    from dressage.landscape import Landscape


def landscape(
    *runs: Path,
    rows: int = 1000,
    points: int = 21,
    span: float = 1.0,
    rho: float = 0.05,
    curve: int = 20,
    seed: int = 0,
    data: str | None = None,
    model: str | None = None,
    out: Path | None = None,
    output: Output | None = None,
) -> None:
    """The surface on which finished runs lie: how sharp a minimum is, and what lies between two or three of them.

    For example:
      dressage landscape runs/digits
      dressage landscape runs/a runs/b --curve 40
      dressage landscape runs/a runs/b runs/c --out valley.html

    Parameters
    ----------
    runs
        One run: eigenvalues and trace of its Hessian, rise nearby, a plane around it. Two of one form: the straight line between
        them, and a curve that is trained to go round what lies there. Three: the plane through them.
    rows
        Training rows to look at, at most.
    points
        Places on a side of the plane; 0: no plane.
    span
        How far the plane around one run goes, in lengths of its filters.
    rho
        How far the rise nearby is looked for; 0: no sharpness.
    curve
        Epochs that the curve between two runs is trained; 0: no curve.
    seed
        Of the directions and of the training of the curve.
    data
        Where the data of the runs is now, if it has been moved.
    model
        FILE.py:Name, for networks of your own.
    out
        Page to write, else landscape.html, of several runs connectivity.html, in the folder of the first.
    """
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.landscape import landscape as look
    from dressage.landscape import page_beside, write_page

    output = output or Output()
    if not runs:
        found, expected = "no run given", "expected one finished run, or two or three"
        raise UsageError.of("dressage landscape", found, expected, "e.g. dressage landscape runs/digits")
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError.of(out, "is no .html name", "the page is written as HTML", "give a name that ends in .html")
    if out is not None and not out.parent.is_dir():  # before all that is computed
        raise UsageError.of(out, "its folder does not exist", "expected an existing folder", "make it, or name another")
    with Progress(output) as progress:
        network = load_network(model, output)
        asked = {"rows": rows, "points": points, "span": span, "rho": rho, "curve": curve, "seed": seed}
        seen = look(list(runs), data=data, model=network, progress=progress.opening, **asked)  # type: ignore[arg-type]
    page = write_page(seen, out or page_beside(seen))
    output.result({**seen.to_json(), "page": str(page)}, [*lines(seen, output), f"page: {short(page)}"])


def lines(seen: Landscape, output: Output) -> Iterator[str]:
    """What was seen, for people."""
    from dressage.landscape.words import headline, plane_words, rows_words, sharpness_rows, way_rows

    yield output.bold(cell(headline(seen), 300))
    yield cell(rows_words(seen), 300)
    if seen.sharpness is not None:
        yield ""
        yield from (f"{name:<20} {value:>9}  {cell(how, 200)}" for name, value, how in sharpness_rows(seen.sharpness))
    if seen.lines:
        yield ""
        head = ["between", "way", "highest loss", "rises by", "highest error", "rises by"]
        yield from table(head, way_rows(seen.lines, seen.curve), output)
    if seen.plane is not None:
        yield ""
        yield cell(plane_words(seen.plane), 300)
