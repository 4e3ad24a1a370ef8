"""landscape.html: one file that needs nothing else, with the numbers and the pictures of a landscape."""

from __future__ import annotations

import math
from pathlib import Path

from markupsafe import Markup

from dressage.evaluate.words import digits
from dressage.files import write_atomic
from dressage.landscape.look import Landscape
from dressage.landscape.pictures import plane_svg, ways_svg
from dressage.landscape.words import headline, named, plane_words, rows_words, sharpness_rows, way_rows
from dressage.report.still import still_page
from dressage.search.pictures.ink import STYLE_OF_SCORES

ONE, SEVERAL = "landscape.html", "connectivity.html"


def write_page(seen: Landscape, path: Path) -> Path:
    """Writes the page whole or not at all and returns its path. Raises UsageError where it cannot be written."""
    write_atomic(path, render(seen))
    return path


def page_beside(seen: Landscape) -> Path:
    """Where the page lies unless another place is named: in the folder of the first run."""
    return Path(seen.runs[0]) / (ONE if len(seen.runs) == 1 else SEVERAL)


def render(seen: Landscape) -> str:
    """The whole page as text."""
    values: dict[str, object] = {
        "name": ", ".join(named(run) for run in seen.runs),
        "headline": headline(seen),
        "rows": rows_words(seen),
        "tiles": tiles(seen),
        "sharpness": list(sharpness_rows(seen.sharpness)) if seen.sharpness else [],
        "ways": [(*way[:2], *(digits(v) for v in way[2:])) for way in way_rows(seen.lines, seen.curve)],
        "ways_picture": Markup(ways_svg(seen.lines, seen.curve)) if seen.lines else "",
        "plane": Markup(plane_svg(seen.plane)) if seen.plane else "",
        "plane_words": plane_words(seen.plane).capitalize() if seen.plane else "",
        "kind": seen.plane.kind if seen.plane else "",
        "is_bent": seen.curve is not None,
    }
    return still_page("dressage.landscape", "landscape.html", "landscape.css", values, colours=STYLE_OF_SCORES)


def tiles(seen: Landscape) -> list[tuple[str, str, str]]:
    """The figures at the top: name, figure, note."""
    if seen.sharpness is not None:
        sharp = seen.sharpness
        made = [
            ("largest eigenvalue", digits(sharp.spectrum.largest), f"± {digits(sharp.spectrum.residual)}"),
            ("trace", digits(sharp.trace), f"± {digits(sharp.trace_error)}, {sharp.weights:,} weights"),
            ("rise nearby", digits(sharp.rise), f"within ρ = {sharp.rho:g}"),
        ]
        if math.isfinite(sharp.highest_rate):
            made.append(("2/λ", digits(sharp.highest_rate), "highest stable rate of plain descent"))
        return made
    made = [(f"barrier, {form}", digits(rise), ends) for ends, form, _, rise, _, _ in way_rows(seen.lines, seen.curve)]
    return made[:4]
