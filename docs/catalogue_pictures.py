"""The pictures of the catalogue: small panels side by side as SVG, and a sheet of augmented photographs as JPEG."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.layers.activations import catalogue as activation_catalogue
from dressage.optim.schedules import catalogue as schedule_catalogue
from dressage.optim.schedules import schedule
from dressage.optim.surfaces import ravine
from dressage.optim.walk import walk
from dressage.report.plots import STYLE
from dressage.report.svg import COLOURS, box, dot, line, shape, svg, words

Floats = NDArray[np.float64]
WIDTH, HEIGHT, GAP, LEFT, TOP = 168, 120, 26, 14, 12  # pixels of a panel, between panels, around them


@dataclass(frozen=True)
class Panel:
    """Lines `(role, x, y)` in a box; what leaves it is not drawn."""

    title: str
    lines: Sequence[tuple[str, Floats, Floats]]
    x: tuple[float, float]
    y: tuple[float, float]
    grid: Sequence[tuple[float, str]] = ()
    """Heights with a line and a word at it."""
    under: Sequence[str] = ()
    """Shapes below the lines, in pixels of the panel."""


def sheet(label: str, panels: Sequence[Panel], across: int = 4, legend: Sequence[tuple[str, str]] = ()) -> str:
    """An SVG of panels, so many in a row; `legend`: roles and words."""
    down = -(-len(panels) // across)
    head = 24 if legend else 0
    width = LEFT * 2 + across * (WIDTH + GAP) - GAP
    parts = [f"<style>{STYLE}</style>"]
    for i, (role, said) in enumerate(legend):
        parts += [line(f"line-{role}", LEFT + i * 190, 16, LEFT + i * 190 + 18, 16, stroke_width=2.5)]
        parts += [words(said, LEFT + i * 190 + 24, 20)]
    for i, panel in enumerate(panels):
        x, y = LEFT + i % across * (WIDTH + GAP), head + TOP + i // across * (HEIGHT + GAP + 10)
        parts.append(f'<g transform="translate({x} {y})">{"".join(_drawn(panel))}</g>')
    picture = svg("chart", width, head + TOP + down * (HEIGHT + GAP + 10), label, parts)
    return picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _drawn(panel: Panel) -> list[str]:
    (left, right), (low, high) = panel.x, panel.y

    def down(y: Floats | float) -> Floats:
        return np.asarray(16 + (high - np.asarray(y)) / (high - low) * HEIGHT)

    parts = [words(panel.title, 0, 10, kind="title"), box("frame", 0, 16, WIDTH, HEIGHT, fill="none"), *panel.under]
    for at, said in panel.grid:
        parts += [line("grid", 0, float(down(at)), WIDTH, float(down(at)))]
        parts += [words(said, WIDTH - 3, float(down(at)) - 3, "end", size=10)] if said else []
    for role, x, y in panel.lines:
        inside = (x >= left - 1e-9) & (x <= right + 1e-9) & (y >= low - 1e-9) & (y <= high + 1e-9)
        pen = {"fill": "none", "stroke": COLOURS[f"line-{role}"], "stroke_width": 1.8, "stroke_linejoin": "round"}
        path = _path((x - left) / (right - left) * WIDTH, down(y), inside)
        parts.append(shape("path", f"line-{role}", d=path, **pen))
    return parts


def _path(x: Floats, y: Floats, inside: NDArray[np.bool_]) -> str:
    """Lines through the points that are inside, broken where one is not."""
    pieces, before = [], False
    for a, b, here in zip(x.tolist(), y.tolist(), inside.tolist(), strict=True):
        if here:
            pieces.append(f"{'L' if before else 'M'}{a:.1f} {b:.1f}")
        before = here
    return "".join(pieces)


def activations() -> str:
    """Each function and its derivative over −4 … 4."""
    return sheet(
        "Activation functions and their derivatives over −4 to 4",
        [_activation(name) for name in activation_catalogue],
        across=5,
        legend=[("train", "the function"), ("validation", "its derivative")],
    )


def _activation(name: str) -> Panel:
    x = torch.linspace(-4, 4, 161, dtype=torch.float64, requires_grad=True)
    function = activation_catalogue.build(name).to(torch.float64)
    if name == "maxout":  # of two pieces that a layer may have learned
        y, name = function(torch.stack([0.9 * x - 0.3, -0.4 * x - 0.2], 1))[:, 0], "maxout of two lines"
    else:
        y = function(x)
    slope = torch.autograd.grad(y.sum(), x)[0]
    at = x.detach().numpy()
    lines = [("validation", at, slope.numpy()), ("train", at, y.detach().numpy())]
    return Panel(name, lines, (-4, 4), (-2, 4), [(0, ""), (1, "1")])


def schedules() -> str:
    """The share of the top rate over 1000 steps; reduce_on_plateau as if no epoch of fifty were better than the first."""
    forms = {
        "inverse_sqrt": ["inverse_sqrt(scale=50)"],
        "cosine": ["cosine", "cosine, warmup 0.1"],
        "warm_restarts": ["warm_restarts", "warm_restarts(first=0.0667, factor=2)"],
        "cyclic": ["cyclic", "cyclic(mode=triangular2)", "cyclic(mode=exp_range, gamma=0.998)"],
    }
    names = [form for name in schedule_catalogue for form in forms.get(name, [name])]
    return sheet("Learning rate schedules over a run", [_schedule(name) for name in names])


def _schedule(written: str, total: int = 1000, epochs: int = 50) -> Panel:
    form, _, warmup = written.partition(", warmup ")
    found = schedule(form, float(warmup or 0), total)
    wait = found.plateau.patience + 1 if found.plateau else epochs + 1
    steps = range(0, total, 4)
    y = [found(step, max(0, step * epochs // total - 1) // wait) for step in steps]
    title = re.sub(r"(first|gamma)=[\d.]+, |, gamma=[\d.]+", "", written)
    return Panel(title, [("train", np.array(steps, dtype=np.float64), np.array(y))], (0, total), (0, 1.05), [(1, "")])


START, STEEP = (-9.0, 1.6), 25.0
RATES = {
    "sgd": 0.07,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 1.5,
    "rmsprop": 0.25,
    "adadelta(eps=0.01)": 1.0,
    "adam": 0.5,
    "nadam": 0.5,
    "lamb": 0.15,
    "sam(rho=0.1)": 0.06,
    "bfgs": 1.0,
    "newton": 1.0,
}


def paths() -> str:
    """Where optimisers go in a ravine, ½(x² + 25y²), in forty steps."""
    return sheet("Paths of optimisers in a ravine, forty steps each", [_ravine(form, lr) for form, lr in RATES.items()])


def _ravine(form: str, lr: float) -> Panel:
    steps = np.array([place for place, _ in islice(walk(form, ravine(steep=STEEP), lr, START), 41)])
    x, y = (-10.0, 4.0), (-2.2, 2.2)
    level = [0.5 * v**2 for v in (1.0, 3.0, 6.0, 9.0)]
    across, down = WIDTH / (x[1] - x[0]), HEIGHT / (y[1] - y[0])
    rings = [
        _ring(math.sqrt(2 * v), math.sqrt(2 * v / STEEP), -x[0] * across, 16 + y[1] * down, across, down) for v in level
    ]
    rings.append(dot("dot-other", -x[0] * across, 16 + y[1] * down, 3))
    return Panel(f"{form}, lr {lr:g}", [("train", steps[:, 0], steps[:, 1])], x, y, under=rings)


def _ring(a: float, b: float, x: float, y: float, across: float, down: float) -> str:
    """The part of an ellipse of half axes a and b that lies in the panel."""
    turn = np.linspace(0, 2 * math.pi, 49)
    at, to = x + a * across * np.cos(turn), y + b * down * np.sin(turn)
    inside = (at >= 0) & (at <= WIDTH) & (to >= 16) & (to <= 16 + HEIGHT)
    return shape("path", "grid", d=_path(at, to, inside), fill="none", stroke=COLOURS["grid"])


def first_weights() -> str:
    """The notes' five tables: sd of each layer's outputs and gain of the gradient back to it, on a logarithmic axis."""
    from dressage.notes_tables import TABLES, measure

    panels = []
    grid = [(float(p), f"1e{p}" if p else "1") for p in (-6, -3, 0, 3)]
    for table in TABLES:
        found = measure(table, 0)
        layers = np.arange(1.0, len(found.activations) + 1)
        sds = np.array([s.sd for s in found.activations])
        gains = np.array([found.gain(s) for s in found.layers if s.kind == "linear"])
        lines = [("validation", layers, np.log10(gains)), ("train", layers, np.log10(sds))]
        panels.append(Panel(table.title, lines, (0.5, 10.5), (-8, 6), grid))
    legend = [("train", "sd after layers 1 to 10"), ("validation", "gradient back at the layer")]
    return sheet("The five activation tables of the notes", panels, 5, legend)


SIDE = 72
CROPS = [(0, 30, 180, 200), (0, 150, 330, 240), (1, 60, 180, 330), (0, 90, 20, 160), (1, 150, 300, 160)]
"""Of scikit-learn's photographs: which one, top, left and side in pixels."""


def augmentations() -> bytes:
    """A JPEG: five photographs, and a row of them for each change."""
    from PIL import Image

    from dressage.augment import Batch, Draw, catalogue, planned
    from dressage.cli.preview import sheet as contact_sheet

    names = [{"random_crop": "random_crop(padding=12)"}.get(n, n) for n in catalogue if n != "feature_dropout"]
    x, rows = _photographs(), torch.arange(len(CROPS))
    made = [x]
    for name in names:
        batch = Batch(x.clone(), rows.clone(), rows)
        for own, change in planned([name], len(CROPS), 0):
            batch = change(batch, Draw(own, 0, 0, rows))
        made.append(batch.x.to(torch.float32).clamp(0, 255).add(0.5).to(torch.uint8))
    sides = ["original", *(name.partition("(")[0] for name in names)]
    png = contact_sheet("Augmentation, each at its defaults", [""] * len(CROPS), sides, torch.stack(made).numpy())
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).save(file, "JPEG", quality=62, optimize=True)
    return file.getvalue()


def _photographs() -> Tensor:
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    cut = [Image.fromarray(photographs[i][top : top + side, left : left + side]) for i, top, left, side in CROPS]
    return torch.stack([torch.tensor(np.asarray(p.resize((SIDE, SIDE), Image.Resampling.LANCZOS))) for p in cut])
