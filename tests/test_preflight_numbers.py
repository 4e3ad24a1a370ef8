"""Preflight's numbers: the babysitting section of C784 on CIFAR-10, and statistics against NumPy in float64."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.preflight import statistics
from dressage.preflight.first_loss import first_loss
from dressage.preflight.gradient_check import gradient_check
from dressage.preflight.reinit import spread_of
from dressage.preflight.statistics import backward_gain, forward_gain
from dressage.preflight.tiny_set import fit_rows
from dressage.subject import subject_of

IMAGES = Path(__file__).parents[2] / "shared" / "data" / "cifar10-original-first1017.npz"
CE = nn.CrossEntropyLoss()


@cache
def images() -> tuple[Tensor, Tensor]:
    """Raw pixels 0 to 255 minus the mean image, `(N, 3072)`, as the notes have them."""
    if not IMAGES.is_file():
        pytest.skip("the images are not here")
    with np.load(IMAGES) as held:
        x, y = held["x_train"][:1017].reshape(-1, 3072).astype(np.float64), held["y_train"][:1017].astype(np.int64)
    return torch.from_numpy(x - x.mean(0)).float(), torch.from_numpy(y)


def two_layers(seed: int = 0) -> nn.Sequential:
    """3072-50-10 with weights of 1e-4·N(0, 1) and no bias to speak of."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, 0, 1e-4)  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return model


def half_square(model: nn.Module) -> Tensor:
    return 0.5 * 1e3 * sum((p.square().sum() for p in model.parameters() if p.ndim == 2), torch.zeros(()))


def test_first_loss_is_log_10_and_3_07_with_a_penalty_of_1000() -> None:
    model = two_layers()
    given = dressage.preflight(model, None, CE, train=images(), penalty=half_square, only=("first_loss", "regularised"))
    said = {c.name: c.said for c in given.checks}
    assert said["first_loss"].startswith("2.302")
    without, with_it = (float(said["regularised"].split()[i]) for i in (0, 2))
    assert abs(without - math.log(10)) < 2e-4
    assert abs(with_it - 3.073) < 0.004
    assert given.is_clear


def test_20_images_are_fitted_to_the_loss_of_the_notes() -> None:
    x, y = images()
    model = two_layers()
    losses = fit_rows(model, torch.optim.SGD(model.parameters(), 1e-3), CE, x[:20], y[:20], 200)
    assert 1.2 < losses[19] < 1.35  # the 20th epoch
    assert 0.0022 < losses[-1] < 0.0028


@pytest.mark.parametrize("rate", [1e-6, 3e-3, 1e6])
def test_rates_of_the_notes_behave_as_they_say(rate: float) -> None:
    x, y = images()
    model = two_layers()
    losses = fit_rows(model, torch.optim.SGD(model.parameters(), rate), CE, x[:256], y[:256], 30)
    if rate == 1e-6:
        assert max(losses) - min(losses) < 0.01
    elif rate == 1e6:
        assert not all(map(math.isfinite, losses))
    else:
        assert len(losses) == 30


def test_statistics_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    model[0].weight.data *= 4  # type: ignore[operator, union-attr]
    model[2].bias.data[:2] = -50  # type: ignore[index, union-attr]
    x, y = torch.randn(40, 6, dtype=torch.float64), torch.randint(0, 3, (40,))
    lines = statistics(model, x, y, CE)
    assert [s.kind for s in lines] == ["linear", "tanh", "linear", "relu", "linear"]
    w = {n: p.detach().numpy() for n, p in model.named_parameters()}
    a = x.numpy() @ w["0.weight"].T + w["0.bias"]
    h = np.tanh(a)
    b = h @ w["2.weight"].T + w["2.bias"]
    r = np.maximum(b, 0)
    z = r @ w["4.weight"].T + w["4.bias"]
    p = np.exp(z - z.max(1, keepdims=True))
    dz = (p / p.sum(1, keepdims=True) - np.eye(3)[y.numpy()]) / 40
    da = ((dz @ w["4.weight"]) * (b > 0)) @ w["2.weight"] * (1 - h**2)
    for line, value in zip(lines, (a, h, b, r, z), strict=True):
        assert math.isclose(line.sd, value.std(ddof=1), rel_tol=1e-5)
        assert math.isclose(line.mean, value.mean(), rel_tol=1e-4, abs_tol=1e-7)
    assert math.isclose(lines[1].saturated, (np.abs(h) > 0.95).mean(), abs_tol=1e-6)
    assert math.isclose(lines[3].dead, (r == 0).all(0).mean(), abs_tol=1e-6) and lines[3].dead >= 0.4
    assert math.isclose(lines[0].gradient, np.linalg.norm(da), rel_tol=1e-5)
    assert math.isclose(backward_gain(lines), np.linalg.norm(da) / np.linalg.norm(dz), rel_tol=1e-5)
    assert math.isclose(forward_gain(lines), b.std(ddof=1) / a.std(ddof=1), rel_tol=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_spread_is_one_where_the_size_of_a_signal_is_kept() -> None:
    torch.manual_seed(0)
    weight = torch.randn(400, 300) / math.sqrt(300)
    assert abs(spread_of(weight) - 1) < 0.02
    x = torch.randn(200, 300)
    assert abs(float((x @ weight.T).std()) - spread_of(weight)) < 0.02


def test_the_implied_loss_of_each_task() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 5)
    wanted = {
        "classes": (nn.Linear(5, 4), CE, torch.arange(200) % 4, math.log(4)),
        "probabilities": (
            nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(1)),
            nn.NLLLoss(),
            torch.arange(200) % 4,
            math.log(4),
        ),
        "two": (nn.Linear(5, 1), nn.BCEWithLogitsLoss(), (torch.arange(200) % 2).float()[:, None], math.log(2)),
        "number": (nn.Linear(5, 1), nn.MSELoss(), 3 + x[:, :1], float((3 + x[:, :1]).square().mean())),
    }
    for model, loss_fn, y, level in wanted.values():
        found = first_loss(subject_of(model, None, loss_fn, train=(x, y)), math.inf)
        assert f"implied {level:.4f}" in found.said  # type: ignore[attr-defined]


def test_a_kink_is_not_taken_for_a_wrong_gradient() -> None:
    class Kinked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 8)
            nn.init.zeros_(self.layer.bias)
            self.head = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.layer(x)))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    x = torch.zeros(8, 4)  # every pre-activation is exactly 0
    found = gradient_check(subject_of(Kinked(), None, CE, train=(x, torch.arange(8) % 3)), math.inf)
    assert not found and "at kinks left out" in found.said  # type: ignore[attr-defined]
