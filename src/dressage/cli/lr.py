"""`dressage lr DATA`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, short, table
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from dressage.rates.find import RangeTest

WIDTH = 64  # characters of the curve


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """How the rate is looked for."""

    rule: Literal["range", "halve"] = "range"
    """range: between where the loss falls and where it rises. halve: a high rate is halved until nothing diverges."""
    by: Literal["loss", "validation"] = "loss"
    """The loss that is looked at: of the training's mini-batches, or of validation rows."""
    repeats: int = 3
    """Orders of the data; the suggestion is that of their mean curve, and each says its own too."""
    steps: int = 120
    """Steps of each."""
    low: float | None = None
    """Lowest rate; with --high. Without them a wide sweep finds where something happens."""
    high: float | None = None
    """Highest rate; of `--rule halve` the one that is halved first."""


@with_recipe
def lr(
    data: str,
    /,
    *,
    asked: Asked | None = None,
    model: str | None = None,
    out: Path | None = None,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """Suggest a learning rate by a range test: the rate grows over mini-batches of a copy, in several orders of the data.

    For example:
      dressage lr digits
      dressage lr flowers/ --optim.name momentum --out lr.svg
      dressage lr churn.csv --target churn --rule halve

    Parameters
    ----------
    data
        As for `dressage train`: a folder, a file or a named set.
    model
        FILE.py:Name, a network of your own: an nn.Module class, or a function that makes one. The file is run.
    out
        SVG or HTML file for the curves, written whole or not at all.
    """
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.range_test import range_test
    from dressage.rates.picture import require_name

    output = output or Output()
    if out is not None:
        require_name(out)
    network = load_network(model, output)
    with Progress(output) as progress:
        found = range_test(data, recipe=recipe, model=network, **vars(asked or Asked()), progress=progress.opening)
    if out is not None:
        found.save(out)
    text = [*_lines(found, output), *([f"written: {short(out)}"] if out else []), *_next(found, data)]
    output.result({**found.to_json(), "picture": str(out) if out else None}, text)


def _lines(found: RangeTest, output: Output) -> Iterator[str]:
    yield output.bold(cell(found, 400))
    yield from _drawn(found)
    marks = [r for r in found.readings if r is not None]
    if len(marks) > 1:
        yield ""
        head = ["order", "half of the fall", "lowest", "rises", "suggests"]
        yield from table(head, [(i, r.falls, r.lowest, r.rises, r.rate) for i, r in enumerate(marks, 1)], output)


def _drawn(found: RangeTest) -> Iterator[str]:
    """The smoothed loss over the rate, in the mean over the orders, and a mark below it at the suggestion."""
    from dressage.rates.picture import mean_curve

    curve = mean_curve(found, 4 * WIDTH)
    if curve is None:
        return
    from dressage.cli.braille import braille

    rates, losses = curve
    low, high = min(losses), max(losses)
    lines = braille(losses, WIDTH, low=low)
    names = [f"{high:.3g}", *[""] * (len(lines) - 2), f"{low:.3g}"]
    side = max(map(len, names))
    yield from (f"{name:>{side}} {line}" for name, line in zip(names, lines, strict=True))
    ends = f"{rates[0]:.1e}", f"{rates[-1]:.1e}"
    if found.rate is not None and rates[0] <= found.rate <= rates[-1]:
        place = round((WIDTH - 1) * math.log(found.rate / rates[0]) / math.log(rates[-1] / rates[0]))
        yield f"{'':>{side}} {'':>{place}}^ {found.rate:g}"
    yield f"{'':>{side}} {ends[0]}{ends[1]:>{WIDTH - len(ends[0])}}  learning rate"


def _next(found: RangeTest, data: str) -> list[str]:
    if found.rate is None:
        return [f"next: dressage check {cell(data)}"]
    return [f"next: dressage train {cell(data)} --optim.lr {found.rate:g}"]
