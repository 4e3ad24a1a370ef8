"""Paths of optimisers on surfaces: the surfaces against NumPy, the paths against the update rules, the command."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from command import call, process
from dressage.errors import RecipeError
from dressage.optim.surfaces import catalogue
from dressage.optim.walk import RATES, best_rate, walk

FORMULAS = {
    "ravine": lambda x, y: 0.5 * (x**2 + 100 * y**2),
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "saddle": lambda x, y: 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4,
    "plateau": lambda x, y: 1 - np.exp(-(x**2 + y**2) / 2),
    "beale": lambda x, y: sum((c - x + x * y**k) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
    "himmelblau": lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    "rastrigin": lambda x, y: 20 + x**2 + y**2 - 10 * np.cos(2 * np.pi * x) - 10 * np.cos(2 * np.pi * y),
}


@pytest.mark.parametrize("name", catalogue)
def test_a_surface_is_its_formula_and_lowest_where_it_says(name: str) -> None:
    surface, formula = catalogue.build(name), FORMULAS[name]
    x, y = (np.linspace(*limits, 201) for limits in (surface.x, surface.y))
    grid = formula(x[None], y[:, None])
    found = surface.height(torch.from_numpy(x)[None], torch.from_numpy(y)[:, None]).numpy()
    assert np.allclose(found, grid, rtol=1e-12, atol=1e-12)
    for place in surface.lowest:
        assert formula(*place) <= grid.min() + 1e-6
        at = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        surface.height(at[0], at[1]).backward()
        assert float(at.grad.norm()) < 1e-3
    assert surface.x[0] < surface.start[0] < surface.x[1] and surface.y[0] < surface.start[1] < surface.y[1]


def test_a_path_is_what_the_update_rule_says() -> None:
    surface, place, speed = catalogue.build("ravine"), np.array([-9.0, 1.5]), np.zeros(2)
    for found, height in islice(walk("momentum", surface, 0.01), 20):
        assert found == pytest.approx(place) and height == pytest.approx(FORMULAS["ravine"](*place))
        speed = 0.9 * speed + place * (1.0, 100.0)
        place = place - 0.01 * speed


def test_every_path_has_the_length_that_was_asked_and_what_is_lost_is_nan() -> None:
    lost = list(islice(walk("sgd", catalogue.build("rosenbrock"), 1.0), 30))
    assert len(lost) == 30 and np.isnan(lost[-1][1]) and not np.isnan(lost[0][1])
    for name in ("lbfgs", "bfgs", "newton", "lamb", "lookahead_sam", "schedule_free"):
        heights = [h for _, h in islice(walk(name, catalogue.build("saddle"), 0.1), 31)]
        assert heights[-1] < heights[0], name


def test_the_best_rate_of_plain_descent_lies_below_two_over_the_curvature() -> None:
    rate = best_rate("sgd", catalogue.build("ravine"), 60)
    assert rate in RATES and 0.01 <= rate < 0.02
    assert best_rate("sgd", catalogue.build("ravine(steep=4)"), 60) > 0.1


def test_the_command_draws_and_prints(tmp_path: Path) -> None:
    out = tmp_path / "paths.svg"
    done = process("plot-optim", "sgd:0.018", "momentum", "--lr", "0.01", "--steps", 40, "--out", out)
    assert done.code == 0 and "½(x² + steep·y²)" in done.out and "0.018" in done.out, done.err
    drawn = ElementTree.parse(out).getroot()
    assert sum("momentum" in (t.text or "") for t in drawn.iter("{http://www.w3.org/2000/svg}text")) == 1
    assert out.stat().st_size < 400_000
    told = call("plot-optim", "adam:0.3", "--surface", "saddle", "--steps", 5, "--json").json
    assert [len(path["places"]) for path in told["paths"]] == [6] and told["paths"][0]["lr"] == 0.3
    assert "rosenbrock" in call("list", "surface").out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("sgdd",),
        ("sgd:fast",),
        ("sgd:0",),
        ("sgd", "--surface", "ravin"),
        ("sgd", "--surface", "ravine(steep=0)"),
        ("sgd", "--surface", "ravine(steep=1e308)"),
        ("sgd", "--steps", 0),
        ("sgd", "--lr", -1),
        ("sgd", "--out", "paths.png"),
        ("muon",),
        ("sgd",) * 7,
    ],
)
def test_what_cannot_be_drawn_is_refused(words: tuple[object, ...]) -> None:
    answer = call("plot-optim", *words)
    assert answer.code == 2 and len(answer.errors) == 1, answer.err


def test_a_surface_that_does_not_exist_gets_the_nearest_spelling() -> None:
    with pytest.raises(RecipeError, match="did you mean 'rosenbrock'"):
        catalogue.build("rosenbrok")
