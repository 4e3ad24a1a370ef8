"""Activations, norms and first weights against their formulas in NumPy, float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from dressage.errors import RecipeError
from dressage.layers import activations, init, norms

X = np.linspace(-6, 6, 101)
ACTIVATIONS = {
    "relu": np.maximum(X, 0),
    "tanh": (np.exp(X) - np.exp(-X)) / (np.exp(X) + np.exp(-X)),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "gelu": 0.5 * X * (1 + np.array([math.erf(x / math.sqrt(2)) for x in X])),
}


def test_every_activation_has_a_formula_here() -> None:
    assert set(ACTIVATIONS) == set(activations.catalogue)


@pytest.mark.parametrize("name", activations.catalogue)
def test_activation_formula(name: str) -> None:
    found = activations.catalogue.build(name)(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, ACTIVATIONS[name], rtol=1e-10, atol=1e-14)


def _standardised(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + 1e-5)


@pytest.mark.parametrize(
    ("name", "dims", "axes"),
    [
        ("batch", 0, (0,)),
        ("batch", 2, (0, 2, 3)),
        ("layer", 0, (1,)),
        ("layer", 2, (1, 2, 3)),
        ("none", 0, ()),
        ("none", 2, ()),
    ],
)
def test_norm_formula(name: str, dims: int, axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(3, 2, (8, 5) if dims == 0 else (8, 5, 4, 6))
    found = norms.catalogue.build(name, 5, dims).double()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, _standardised(x, axes) if axes else x, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "activation", "sd"),
    [
        ("he", "relu", math.sqrt(2 / 400)),
        ("he", "gelu", math.sqrt(2 / 400)),
        ("he", "tanh", 5 / 3 / 20),
        ("he", "sigmoid", 1 / 20),
        ("he", "output", 0.1 / 20),
        ("xavier", "relu", math.sqrt(2 / 1000)),
        ("xavier", "output", 0.1 * math.sqrt(2 / 1000)),
        ("normal", "relu", 0.01),
        ("normal(std=0.5)", "output", 0.5),
    ],
)
def test_init_standard_deviation(rule: str, activation: str, sd: float) -> None:
    torch.manual_seed(1)
    weight = init.catalogue.build(rule, torch.empty(600, 400, dtype=torch.float64), activation).numpy()
    # 240,000 normal numbers: their sd is known to 0.15 %, their mean to sd/490, their kurtosis to 0.01.
    assert weight.std() == pytest.approx(sd, rel=0.007)
    assert abs(weight.mean()) < sd / 100
    assert ((weight / sd) ** 4).mean() == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize(("shape", "activation", "gain"), [((6, 9), "relu", math.sqrt(2)), ((9, 6), "tanh", 5 / 3)])
def test_orthogonal(shape: tuple[int, int], activation: str, gain: float) -> None:
    weight = init.catalogue.build("orthogonal", torch.empty(shape, dtype=torch.float64), activation).numpy()
    product = weight @ weight.T if shape[0] < shape[1] else weight.T @ weight
    np.testing.assert_allclose(product, gain**2 * np.eye(6), atol=1e-12)


@pytest.mark.parametrize("rule", init.catalogue)
def test_initialise_fills_all_and_a_new_network_is_undecided(rule: str) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 36, 32),
        nn.LayerNorm(32),
        nn.Linear(32, 10),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    init.initialise(model, rule, "relu")
    assert all(p.isfinite().all() for p in model.parameters())
    assert all(not p.any() for n, p in model.named_parameters() if n.endswith("bias"))
    assert (model[1].weight == 1).all() and (model[5].weight == 1).all()
    loss = nn.functional.cross_entropy(model(torch.randn(64, 3, 8, 8)), torch.arange(64) % 10)
    assert loss.item() == pytest.approx(math.log(10), abs=0.05)


def test_initialise_repeats_with_the_seed() -> None:
    models = [nn.Linear(5, 5), nn.Linear(5, 5)]
    for model in models:
        torch.manual_seed(3)
        init.initialise(model, "he", "relu")
    assert torch.equal(models[0].weight, models[1].weight)


def test_he_keeps_the_signal_through_thirty_relu_layers() -> None:
    torch.manual_seed(4)
    model = nn.Sequential(*[m for _ in range(30) for m in (nn.Linear(512, 512), nn.ReLU())], nn.Linear(512, 1))
    init.initialise(model, "he", "relu")
    x = torch.randn(64, 512)
    assert 0.3 < (model[:-1](x).square().mean() / x.square().mean()).item() < 3


def test_bad_std_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"normal.std: -1.0 given; expected"):
        init.catalogue.build("normal(std=-1.0)", torch.empty(2, 2), "relu")
