"""The landscape of runs: numbers against a dense Hessian and NumPy, planes and ways against the runs' own losses, the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dressage
from command import call, process
from dressage.data.open import open_data
from dressage.data.split import split
from dressage.errors import RunError, UsageError
from dressage.landscape.contours import _segments, bands, levels, scale_of
from dressage.landscape.curve import shares_at
from dressage.landscape.look import Landscape, landscape
from dressage.landscape.page import render
from dressage.landscape.plane import axes_through, filter_normalised
from dressage.landscape.sharpness import ends_of_spectrum, rise_within, trace_of
from dressage.landscape.surface import Surface

QUICK = {
    "model": {"width": 16, "depth": 1},
    "train": {"epochs": 4, "refit": False},
    "data": {"split_seed": 0},
    "watch": {"diagnose": False},
}
SMALL = {"rows": 300, "points": 5, "curve": 15}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dressage.Run]:
    place = tmp_path_factory.mktemp("l")
    return [dressage.train("digits", recipe={**QUICK, "seed": s}, out=place / f"s{s}") for s in range(2)]


@pytest.fixture(scope="module")
def both(pair: list[dressage.Run]) -> Landscape:
    return landscape(pair, **SMALL)


@pytest.fixture(scope="module")
def alone(pair: list[dressage.Run]) -> Landscape:
    return landscape(pair[0], **SMALL)


def loss_of(run: dressage.Run, rows: int) -> float:
    """Cross-entropy of a run on training rows of its split, by its own probabilities."""
    source = open_data("digits", run.recipe.data)
    train = split(source, run.recipe.data, run.recipe.seed)["train"].numpy()
    chosen = train[np.linspace(0, len(train) - 1, rows).astype(int)]
    found = run.predict(source.x).probabilities.numpy()[chosen]
    return float(-np.log(found[np.arange(rows), source.y.numpy()[chosen]]).mean())


def tiny() -> tuple[Surface, np.ndarray]:
    """A net of 23 weights in float64 on ragged batches, and its Hessian by torch's own function."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 1), nn.Softplus()).double()
    net[3].bias.requires_grad_(False)
    x, y = torch.randn(11, 3, dtype=torch.float64), torch.randn(11, 1, dtype=torch.float64)
    surface = Surface(net, nn.functional.mse_loss, [(x[:5], y[:5]), (x[5:], y[5:])])
    names = [name for name, p in net.named_parameters() if p.requires_grad]
    sizes = [p.numel() for p in surface.weights]

    def whole(flat: torch.Tensor) -> torch.Tensor:
        cut = zip(names, surface.weights, torch.split(flat, sizes), strict=True)
        return nn.functional.mse_loss(torch.func.functional_call(net, {n: v.view_as(p) for n, p, v in cut}, x), y)

    return surface, torch.autograd.functional.hessian(whole, surface.start.clone()).numpy()


def bowl(eigenvalues: list[float]) -> Surface:
    """L = ½θᵀdiag(λ)θ, as the squared error of one linear unit on rows √(nλ/2)·e_i."""
    n = len(eigenvalues)
    x = torch.diag((torch.tensor(eigenvalues, dtype=torch.float64) * n / 2).sqrt())
    unit = nn.Linear(n, 1, bias=False).double()
    nn.init.zeros_(unit.weight)
    return Surface(unit, nn.functional.mse_loss, [(x, torch.zeros(n, 1, dtype=torch.float64))])


def test_products_with_the_hessian_are_those_of_a_dense_one() -> None:
    surface, dense = tiny()
    assert surface.size == 20 and np.allclose(dense, dense.T)
    v = torch.randn(20, dtype=torch.float64)
    assert np.allclose(surface.product(v), dense @ v.numpy(), rtol=1e-10, atol=1e-14)


def test_the_ends_of_the_spectrum_are_those_of_a_dense_hessian() -> None:
    surface, dense = tiny()
    found, values = ends_of_spectrum(surface, tolerance=1e-9), np.linalg.eigvalsh(dense)
    assert found.largest == pytest.approx(values[-1], rel=1e-8) and found.smallest == pytest.approx(values[0], rel=1e-6)
    rough = ends_of_spectrum(surface, tolerance=0.01)
    assert rough.has_converged and rough.products < found.products
    assert min(abs(values - rough.largest)) <= rough.residual + 1e-12
    assert not ends_of_spectrum(surface, steps=2).has_converged


def test_the_trace_lies_within_its_error() -> None:
    surface, dense = tiny()
    mean, error = trace_of(surface, probes=200)
    assert abs(mean - np.trace(dense)) < 4 * error
    spread = np.sqrt(2 * ((dense - np.diag(np.diag(dense))) ** 2).sum())  # sd of vᵀHv over signs
    assert error == pytest.approx(spread / np.sqrt(200), rel=0.2)
    exact = trace_of(bowl([1.0, 2.0, 5.0]))
    assert exact == pytest.approx(
        (8.0, 0.0), abs=1e-12
    )  # signs squared are 1: of a diagonal matrix each probe is right


def test_a_quadratic_has_its_known_eigenvalues_and_rise() -> None:
    surface = bowl([0.5, 1.0, 2.0, 5.0])
    found = ends_of_spectrum(surface, tolerance=1e-9)
    assert (found.largest, found.smallest) == pytest.approx((5.0, 0.5))
    rise = rise_within(surface, 0.1, climbs=200)[1]
    assert rise == pytest.approx(0.5 * 5 * 0.1**2, rel=0.01)
    surface.start = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    first, best = rise_within(surface, 0.1)
    assert first == pytest.approx(2.5 * (1.1**2 - 1)) and best == pytest.approx(first)


def test_looking_changes_neither_weights_nor_statistics() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x, y = torch.randn(6, 3), torch.randint(0, 2, (6,))
    surface = Surface(net, nn.functional.cross_entropy, [(x, y)])
    surface.product(torch.ones(surface.size))
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert surface.loss(surface.start) == pytest.approx(float(nn.functional.cross_entropy(net.eval()(x), y).detach()))


def test_attention_and_recurrence_have_second_derivatives() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.lstm = nn.GRU(4, 4, batch_first=True), nn.LSTM(4, 4, batch_first=True)
            self.attention = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.attention(self.lstm(self.gru(x)[0])[0])[:, -1])

    torch.manual_seed(0)
    surface = Surface(
        Last().double(), nn.functional.cross_entropy, [(torch.randn(5, 3, 4).double(), torch.arange(5) % 2)]
    )
    v, small = torch.randn(surface.size, dtype=torch.float64), 1e-5
    up, down = (surface.gradient(surface.start + side * small * v)[1] for side in (1, -1))
    assert torch.allclose(surface.product(v), (up - down) / (2 * small), rtol=1e-5, atol=1e-8)


def test_a_filter_of_a_direction_is_as_long_as_the_networks() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))
    made = filter_normalised(net, 1)
    assert list(made) == ["0.weight", "3.weight"]
    for name, drawn in made.items():
        lengths = [np.linalg.norm(t.detach().reshape(len(t), -1), axis=1) for t in (drawn, net.get_parameter(name))]
        assert np.allclose(*lengths, rtol=1e-5)
    assert not made["3.weight"].equal(filter_normalised(net, 2)["3.weight"])


def test_the_axes_keep_distances() -> None:
    three = [{"w": torch.randn(4, 3), "b": torch.randn(2)} for _ in range(3)]
    axes = axes_through(three, ["w", "b"])
    flat = [torch.cat([n["w"].reshape(-1), n["b"]]).double().numpy() for n in three]
    corners = [axes.place([float(i == k) for i in range(3)]) for k in range(3)]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(np.subtract(corners[i], corners[j])) == pytest.approx(np.linalg.norm(flat[i] - flat[j]))
    assert axes.shares(*axes.place((0.2, 0.5, 0.3))) == pytest.approx((0.2, 0.5, 0.3))
    assert axes_through([three[0], three[1], three[1]], ["w"]) is None


def test_the_curve_is_a_quadratic_bezier() -> None:
    for t in np.linspace(0, 1, 5):
        a, w, b = (-2.0, 5.0, 1.0)
        casteljau = (1 - t) * ((1 - t) * a + t * w) + t * ((1 - t) * w + t * b)
        assert np.dot(shares_at(t), (a, w, b)) == pytest.approx(casteljau)


def test_the_centre_of_a_plane_is_the_run(pair: list[dressage.Run], alone: Landscape) -> None:
    loss = loss_of(pair[0], 300)
    assert alone.plane.loss[2][2] == pytest.approx(loss, rel=1e-5) == alone.sharpness.loss
    assert alone.plane.x[2] == alone.plane.y[2] == 0 and (alone.rows, alone.of) == (300, 1258)
    assert sum(v > loss for row in alone.plane.loss for v in row) > 12
    sharp = alone.sharpness
    assert 0 < sharp.first_rise <= sharp.rise and sharp.spectrum.largest < sharp.trace
    assert sharp.spectrum.has_converged and sharp.highest_rate == 2 / sharp.spectrum.largest


def test_the_ends_of_a_way_are_the_runs(pair: list[dressage.Run], both: Landscape) -> None:
    (line,), curve = both.lines, both.curve
    losses = [loss_of(run, 300) for run in pair]
    for way in (line, curve):
        assert [way.loss[0], way.loss[-1]] == pytest.approx(losses, rel=1e-5)
    assert line.loss_barrier > 0.1 and curve.loss_barrier < 0.5 * line.loss_barrier
    points = both.plane.points
    assert list(points)[2] == "bend" and points["bend"][1] > 0


def test_a_run_may_be_called_as_the_bend_is(
    pair: list[dressage.Run], both: Landscape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pair[1].folder, tmp_path / "bend")
    monkeypatch.chdir(tmp_path)
    seen = landscape([pair[0], "bend"], **SMALL)
    assert seen.plane is not None and seen.plane.loss == both.plane.loss and len(seen.plane.points) == 3


def test_the_same_seed_sees_the_same(pair: list[dressage.Run], both: Landscape) -> None:
    assert landscape(pair, **SMALL) == both


def test_three_runs_span_a_plane_and_batch_norms_are_measured_anew(tmp_path: Path) -> None:
    recipe = {**QUICK, "model": {"width": 8, "depth": 1, "norm": "batch"}}
    runs = [dressage.train("iris", recipe={**recipe, "seed": s}, out=tmp_path / str(s)) for s in range(3)]
    seen = landscape(runs, **SMALL)
    assert len(seen.lines) == 3 and seen.curve is None and "measured anew" in seen.told[0]
    xs, ys = (np.array(list(seen.plane.points.values()))[:, i] for i in range(2))
    assert min(seen.plane.x) < xs.min() and xs.max() < max(seen.plane.x) and ys.max() < max(seen.plane.y)
    assert "keep the statistics" in landscape(runs[0], **SMALL).told[0]


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def test_numbers_several_targets_and_own_networks_have_a_landscape(tmp_path: Path) -> None:
    run = dressage.train("diabetes", model=Own, recipe={"train": QUICK["train"]}, out=tmp_path / "own")
    with pytest.raises(RunError, match="of your own"):
        landscape(run.folder)
    seen = landscape(run.folder, model=Own, **SMALL)
    assert (
        seen.sharpness.weights == 11 and seen.sharpness.spectrum.smallest >= -1e-3
    )  # squared error of a linear unit is convex
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    y = np.stack([x[:, 0], x[:, 1] * 2], 1).astype(np.float32)
    many = dressage.train(x, y=y, recipe=QUICK, out=tmp_path / "many")
    assert landscape(many, data=x, y=y, **SMALL).sharpness.loss > 0
    with pytest.raises(RunError, match="given from Python"):
        landscape(many)


def test_what_cannot_be_compared_is_refused(pair: list[dressage.Run], tmp_path: Path) -> None:
    wide = dressage.train("digits", recipe={**QUICK, "model": {"width": 9, "depth": 1}}, out=tmp_path / "wide")
    iris = dressage.train("iris", recipe=QUICK, out=tmp_path / "iris")
    for other, said in ((wide, "another architecture"), (iris, "its data is not that"), (pair[0], "given twice")):
        with pytest.raises(RunError, match=said):
            landscape([pair[0], other])
    with pytest.raises(UsageError, match="1 to 3"):
        landscape([*pair, wide, iris])
    for asked in ({"points": 2}, {"rows": 0}, {"span": 0.0}, {"rho": -1.0}, {"curve": -1}):
        with pytest.raises(UsageError):
            landscape(pair[0], **asked)


def test_lines_between_bands_lie_where_the_function_has_that_value() -> None:
    for t in range(40):
        square = np.random.default_rng(t).normal(size=(2, 2))
        level = float(np.random.default_rng(t + 99).normal() * 0.5)
        if (square > level).any() and not (square > level).all():
            for (x, y), (u, v) in _segments(square, level):
                for a, b in ((x, y), (u, v)):
                    assert np.array([1 - b, b]) @ square @ np.array([1 - a, a]) == pytest.approx(level)


def test_a_picture_has_a_shade_for_each_band_and_grey_for_what_is_not_known() -> None:
    values = np.add.outer(np.arange(6.0), np.arange(6.0)) + 5
    values[0, 0] = np.nan
    scale = scale_of(values)
    drawn = "".join(bands(values, scale, 0, 0, 60, 60))
    assert all(f"dot-score-{i}" in drawn for i in range(7)) and "unknown" in drawn
    assert levels(values, scale, 0, 0, 60, 60).count("M") > 20
    flat = np.ones((3, 3))
    assert "dot-score-6" in "".join(bands(flat, scale_of(flat), 0, 0, 9, 9))
    lost = np.full((3, 3), np.nan)
    assert "dot-score" not in "".join(bands(lost, scale_of(lost), 0, 0, 9, 9))


def test_the_page_stands_alone(both: Landscape, alone: Landscape) -> None:
    for seen in (both, alone):
        page = render(seen)
        assert "default-src 'none'" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
        assert "<svg" in page and len(page) < 400_000
    assert "Bézier" in render(both) and "‖ε‖ ≤ 0.05" in render(alone)


def test_a_page_that_has_no_folder_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    answer = call("landscape", tmp_path / "missing", "--out", tmp_path / "no" / "where.html")
    assert answer.code == 2 and "where.html: its folder does not exist" in answer.err


def test_the_command_prints_writes_and_refuses(pair: list[dressage.Run], tmp_path: Path) -> None:
    few = ("--rows", 100, "--points", 3, "--curve", 1)
    done = process("landscape", *(run.folder for run in pair), *few, "--json", "--out", tmp_path / "two.html")
    assert done.code == 0, done.err
    assert done.json["lines"][0]["loss_barrier"] > 0 and len(done.json["plane"]["loss"]) == 3
    assert (tmp_path / "two.html").is_file() and not (pair[0].folder / "connectivity.html").exists()
    told = call("landscape", pair[0].folder, *few)
    assert "largest eigenvalue" in told.out and (pair[0].folder / "landscape.html").is_file()
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("recipe.toml", "status.json", "data.json", "reasons.json"):
        (broken / name).write_bytes((pair[0].folder / name).read_bytes())
    (broken / "data.json").write_text(json.dumps({"a": 1}))
    for words in (
        (),
        (tmp_path,),
        (tmp_path / "nothing",),
        (broken,),
        (pair[0].folder, "--rows", 0),
        (pair[0].folder, "--out", tmp_path / "page.pdf"),
        (pair[0].folder, "--out", tmp_path / "no" / "where.html", *few),
    ):
        answer = call("landscape", *words)
        assert answer.code == 2 and len(answer.errors) == 1, (words, answer.err)
