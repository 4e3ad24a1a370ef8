"""What was seen of a landscape, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from dressage.ensemble.soup import Line
from dressage.errors import printable
from dressage.evaluate.words import digits
from dressage.landscape.look import BEND, Landscape
from dressage.landscape.plane import Plane
from dressage.landscape.sharpness import Sharpness

FLAT = 0.1
"""Of the barrier on the straight line: what is left of it on a curve that goes round it."""


def headline(seen: Landscape) -> str:
    """The outcome in a sentence."""
    if seen.sharpness is not None:
        sharp = seen.sharpness
        return f"The largest eigenvalue of the Hessian is {digits(sharp.spectrum.largest)}, its trace {digits(sharp.trace)}."
    if len(seen.lines) == 1:
        return way_words(seen.lines[0], seen.curve)
    if seen.lines:
        worst = max(seen.lines, key=lambda line: line.loss_barrier)
        ends = " and ".join(named(end) for end in worst.ends)
        return f"The highest barrier, {digits(worst.loss_barrier)} of loss, lies between {ends}."
    return "The loss over a plane around the network."


def way_words(line: Line, curve: Line | None) -> str:
    """Straight and bent way in a sentence."""
    told = f"On the straight line the loss rises by {digits(line.loss_barrier)}"
    if curve is None:
        return f"{told}."
    told += f", on the curve by {digits(curve.loss_barrier)}"
    if line.loss_barrier <= 0:
        return f"{told}: no barrier lies between them."
    if curve.loss_barrier <= FLAT * line.loss_barrier:
        return f"{told}: the curve goes round the barrier, the two are connected."
    return f"{told}: a longer training of the bend (--curve) may find a lower way."


def sharpness_rows(sharp: Sharpness) -> Iterator[tuple[str, str, str]]:
    """Of each number its name, itself, and how it was found and how well it is known."""
    spectrum = sharp.spectrum
    yield "loss", digits(sharp.loss), f"without label smoothing or decay; its gradient has length {digits(sharp.slope)}"
    sure = (
        f"an eigenvalue lies within {digits(spectrum.residual)}; Lanczos, {spectrum.products} products with the Hessian"
    )
    yield "largest eigenvalue", digits(spectrum.largest), sure if spectrum.has_converged else f"NOT CONVERGED: {sure}"
    within = f"the most downward curvature; an eigenvalue lies within {digits(spectrum.smallest_residual)}"
    yield "smallest eigenvalue", digits(spectrum.smallest), within
    trace = f"± {digits(sharp.trace_error)} (standard error), Hutchinson with {sharp.probes} probes; {sharp.weights:,} weights"
    yield "trace", digits(sharp.trace), trace
    rise = f"max L(θ+ε) − L(θ), ‖ε‖ ≤ {sharp.rho:g}, a lower bound; SAM's one step finds {digits(sharp.first_rise)}"
    yield "rise nearby", digits(sharp.rise), rise
    if math.isfinite(sharp.highest_rate):
        yield "2/λ", digits(sharp.highest_rate), "plain gradient descent leaves the minimum at a higher rate"


def way_rows(lines: Sequence[Line], curve: Line | None) -> Iterator[tuple[str, str, float, float, float, float]]:
    """Of each way its ends and form, the highest loss and error on it, and how far they rise above the ends."""
    for form, line in (*(("straight", line) for line in lines), *((("curve", curve),) if curve else ())):
        ends = " – ".join(named(end) for end in line.ends)
        yield ends, form, max(line.loss), line.loss_barrier, max(line.error), line.barrier


def plane_words(plane: Plane) -> str:
    """The plane in a sentence: its lowest and highest loss, and at the networks."""
    known = [v for row in plane.loss for v in row if math.isfinite(v)]
    size = f"{len(plane.x)} × {len(plane.y)} places"
    if not known:
        return f"plane: no loss of {size} is finite"
    lost = len(plane.x) * len(plane.y) - len(known)
    rest = f"; {lost} places without a finite loss" if lost else ""
    about = (
        "around it, in lengths of its filters"
        if plane.kind == "random"
        else "through the networks, in Euclidean lengths"
    )
    return f"plane {about}: loss {digits(min(known))} to {digits(max(known))} over {size}{rest}"


def rows_words(seen: Landscape) -> str:
    """What the numbers were taken on."""
    part = f"all {seen.of:,}" if seen.rows == seen.of else f"{seen.rows:,} of {seen.of:,}"
    return f"by {part} training rows, in evaluation mode" + "".join(f"; {text}" for text in seen.told)


def named(run: str) -> str:
    """A run by the last part of its path."""
    return run if run == BEND else printable(PurePath(run).name, 40)
