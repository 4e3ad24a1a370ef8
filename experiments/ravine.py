"""Momentum is faster than plain descent along a ravine (L6, C784; Polyak 1964), with the picture of the paths.

The ravine is f(x, y) = ½(x² + 100y²), a hundred times as steep across as along. Both have the rate 0.018, at which plain
descent still converges (it does below 2/100) and swings from wall to wall; momentum is the catalogue's 0.9. The score is the
number of steps until f is a ten-thousandth of what it was, from starts in all directions at the distance 10.

    python experiments/ravine.py [--picture docs/ravine.svg]
"""

from __future__ import annotations

import argparse
import math
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from compare import Comparison, main

from dressage.optim.surfaces import Place, ravine
from dressage.optim.walk import walk
from dressage.report.svg import COLOURS, dot, line, shape, svg, words

STEEP, RATE, DISTANCE, MOST = 100.0, 0.018, 10.0, 2000
WAYS = {"sgd": "line-validation", "momentum": "line-train"}
"""Name in the catalogue → its line's colour."""
WIDTH, HEIGHT, SCALE, SHOWN = 720, 260, 48.0, 60
"""Pixels, pixels a unit, steps that are drawn."""


def path(name: str, start: Place, most: int = MOST) -> np.ndarray:
    """Places `(steps + 1, 2)` of an optimiser of the catalogue, until f is a ten-thousandth of what it was."""
    places, end = list[Place](), 0.0
    for place, height in islice(walk(name, ravine(steep=STEEP), RATE, start), most + 1):
        end = end or 1e-4 * height
        places.append(place)
        if height <= end:
            break
    return np.array(places)


def measure(seed: int, quick: bool) -> dict[str, float]:
    """Steps of each from the start of a seed."""
    angle = np.random.default_rng(seed).uniform(0, 2 * math.pi)
    start = DISTANCE * math.cos(angle), DISTANCE * math.sin(angle)
    return {name: float(len(path(name, start)) - 1) for name in WAYS}


def picture() -> str:
    """Both paths from (−9, 1.5) over the lines of equal height."""
    middle = (WIDTH * 0.68, HEIGHT * 0.58)
    parts = [words(f"The first {SHOWN} steps down ½(x² + {STEEP:.0f}y²), both at the rate {RATE}", 16, 24, size=14)]
    for level in (2, 10, 25, 45, 80, 120):
        rx, ry = math.sqrt(2 * level) * SCALE, math.sqrt(2 * level / STEEP) * SCALE
        parts.append(
            shape("ellipse", "grid", cx=middle[0], cy=middle[1], rx=rx, ry=ry, fill="none", stroke=COLOURS["frame"])
        )
    parts.append(dot("mark", *middle, 3.5))
    for i, (name, kind) in enumerate(WAYS.items()):
        places = path(name, (-9.0, 1.5), SHOWN)[: SHOWN + 1]
        points = " ".join(f"{middle[0] + x * SCALE:.1f},{middle[1] - y * SCALE:.1f}" for x, y in places)
        pen = {"fill": "none", "stroke": COLOURS[kind], "stroke_width": 1.6, "stroke_linejoin": "round"}
        parts.append(shape("polyline", kind, points=points, **pen))
        parts += [line(kind, 16, 48 + 18 * i, 40, 48 + 18 * i, stroke_width=2.5), words(name, 46, 52 + 18 * i)]
    drawn = svg("chart", WIDTH, HEIGHT, "Paths of plain descent and of momentum along a ravine", parts)
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    style = "<style>text{font-family:system-ui,sans-serif;fill:#1c2126}</style>"
    drawn = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return drawn.replace(">", f">{style}{ground}", 1) + "\n"


COMPARISON = Comparison(
    "Momentum is faster than plain descent along a ravine",
    "Steps until f = ½(x² + 100y²) is a ten-thousandth of what it was, at the rate 0.018; n starts",
    measure,
    {"momentum": "sgd"},
    seeds=20,
    lower=True,
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--picture", type=Path, help="SVG file to draw the paths to")
    asked, rest = parser.parse_known_args()
    if asked.picture:
        asked.picture.write_text(picture(), encoding="utf-8")
    sys.argv[1:] = rest
    main(COMPARISON)
