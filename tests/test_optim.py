"""Every optimiser through one suite, and each against its formula in NumPy, float64; averages and clipping likewise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dressage.errors import RecipeError
from dressage.optim import averages, catalogue, decay_groups, kernels
from dressage.optim.clip import clip_norm_
from dressage.recipe import Optim

NAMES = list(catalogue)
RATES = {"sgd": 0.05, "momentum": 0.01, "nesterov": 0.01, "adam": 0.05, "adamw": 0.05}


def make(name: str, params: list[Tensor], lr: float, decay: float = 0.0, **options: float) -> torch.optim.Optimizer:
    return catalogue.build(name, [{"params": params, "weight_decay": decay}], Optim(name=name, lr=lr, **options))


def quadratic(x: Tensor) -> Tensor:
    return ((x - 3) ** 2 * torch.tensor([1.0, 10.0], dtype=x.dtype)).sum()


def valley(x: Tensor) -> Tensor:
    """Rosenbrock's function with a valley ten times as wide."""
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def logistic(x: Tensor) -> Tensor:
    points = torch.tensor([[1.0, 2.0], [-1.0, -1.5], [2.0, 0.5], [-0.5, -2.0], [0.5, -0.2]], dtype=x.dtype)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0], dtype=x.dtype)
    return nn.functional.softplus(-signs * (points @ x)).mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("problem", "share"), [(quadratic, 1e-3), (valley, 0.3), (logistic, 0.6)], ids=["quadratic", "valley", "logistic"]
)
@pytest.mark.parametrize("name", NAMES)
def test_descends(name: str, problem: Callable[[Tensor], Tensor], share: float, dtype: torch.dtype) -> None:
    x = nn.Parameter(torch.tensor([-0.5, 0.5], dtype=dtype))
    optimiser = make(name, [x], RATES[name] * (0.3 if problem is valley else 1))
    first = problem(x).item()
    for _ in range(400):
        optimiser.zero_grad()
        problem(x).backward()
        optimiser.step()
    assert problem(x).item() < share * first
    assert x.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_state_round_trip_is_exact(name: str) -> None:
    gradients = torch.randn(12, 3, 4, generator=torch.Generator().manual_seed(0))

    def steps(x: nn.Parameter, optimiser: torch.optim.Optimizer, some: Tensor) -> None:
        for gradient in some:
            x.grad = gradient.clone()
            optimiser.step()

    whole = nn.Parameter(torch.ones(3, 4))
    steps(whole, make(name, [whole], 0.1, 0.01), gradients)
    first = nn.Parameter(torch.ones(3, 4))
    stopped = make(name, [first], 0.1, 0.01)
    steps(first, stopped, gradients[:5])
    second = nn.Parameter(first.detach().clone())
    resumed = make(name, [second], 0.7, 0.0)
    resumed.load_state_dict(stopped.state_dict())
    steps(second, resumed, gradients[5:])
    assert torch.equal(whole, second)


@pytest.mark.parametrize("name", NAMES)
def test_rate_zero_moves_nothing_and_no_gradient_is_skipped(name: str) -> None:
    moved, still = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimiser = make(name, [moved, still], 0.0, 0.1)
    moved.grad = torch.ones(3)
    optimiser.step()
    assert torch.equal(moved, torch.ones(3))
    optimiser = make(name, [moved, still], 0.1, 0.1)
    optimiser.step()
    assert not torch.equal(moved, torch.ones(3))
    assert torch.equal(still, torch.ones(3))


def reference(name: str, x: np.ndarray, gradients: np.ndarray, lr: float, decay: float) -> np.ndarray:
    rho, b1, b2, eps = 0.8, 0.85, 0.97, 1e-7
    v, m, s = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gradients, start=1):
        if name == "adamw":
            x = x - lr * decay * x
        else:
            g = g + decay * x
        if name == "sgd":
            x = x - lr * g
        elif name in ("momentum", "nesterov"):
            v = rho * v + g
            x = x - lr * (v if name == "momentum" else g + rho * v)
        else:
            m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
            x = x - lr * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
    return x


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("name", NAMES)
def test_formula(name: str, decay: float) -> None:
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(5, 7)), random.normal(size=(20, 5, 7))
    x = nn.Parameter(torch.from_numpy(start.copy()))
    optimiser = make(name, [x], 0.03, decay, momentum=0.8, beta1=0.85, beta2=0.97, eps=1e-7)
    for gradient in gradients:
        x.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
    np.testing.assert_allclose(x.detach().numpy(), reference(name, start, gradients, 0.03, decay), rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_fused_on_the_processor_and_foreach_elsewhere(name: str) -> None:
    optimiser = make(name, [nn.Parameter(torch.ones(2))], 0.1)
    assert optimiser.param_groups[0]["fused"]
    assert kernels([{"params": [torch.ones(2, device="meta")]}]) == {"foreach": True}


def test_decay_groups() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2), nn.Linear(2, 2))
    model[4].weight.requires_grad_(False)
    decayed, plain = decay_groups(model.named_parameters(), 0.3)
    assert decayed["weight_decay"] == 0.3 and plain["weight_decay"] == 0
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (2, 4)]
    assert [p.shape for p in plain["params"]] == [(4,), (4,), (4,), (2,), (2,)]


@pytest.mark.parametrize("name", NAMES)
def test_a_group_without_parameters_is_fine(name: str) -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    optimiser = catalogue.build(name, decay_groups([("w", weight)], 0.1), Optim(lr=0.1))
    weight.grad = torch.ones(2, 2)
    optimiser.step()
    assert (weight < 1).all()


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"optim.momentum: 0 given with nesterov"):
        make("nesterov", [nn.Parameter(torch.ones(1))], 0.1, momentum=0.0)


def test_ema_formula() -> None:
    values = np.random.default_rng(1).normal(size=(30, 6))
    average = averages.catalogue.build("ema(decay=0.6)")
    assert average is not None
    expected, found = values[0], [torch.from_numpy(values[0].copy())]
    for t, value in enumerate(values):
        d = min(0.6, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * value
        average.update([torch.from_numpy(value)], found, t)
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-10)
    fixed = averages.catalogue.build("ema(decay=0.6, warmup=False)")
    assert fixed is not None
    start = [torch.zeros(2)]
    fixed.update([torch.ones(2)], start, 0)
    assert torch.allclose(start[0], torch.tensor(0.4))


def test_averages_none_and_bad_decay() -> None:
    assert averages.catalogue.build("none") is None
    with pytest.raises(RecipeError, match=r"ema.decay: 1.0 given; expected 0 ≤ decay < 1"):
        averages.catalogue.build("ema(decay=1.0)")


@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clip_norm(limit: float) -> None:
    torch.manual_seed(0)
    grads = [torch.randn(4, 3, dtype=torch.float64), torch.randn(5, dtype=torch.float64)]
    arrays = [g.numpy().copy() for g in grads]
    norm = np.sqrt(sum((a**2).sum() for a in arrays))
    assert clip_norm_(grads, limit).item() == pytest.approx(norm, rel=1e-12)
    for grad, array in zip(grads, arrays, strict=True):
        np.testing.assert_allclose(grad.numpy(), array * min(1, limit / (norm + 1e-6)), rtol=1e-10)


def test_clip_norm_is_torchs() -> None:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(5))]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    ours = [p.grad.clone() for p in parameters if p.grad is not None]
    clip_norm_(ours, 0.7)
    nn.utils.clip_grad_norm_(parameters, 0.7)
    assert all(torch.equal(a, p.grad) for a, p in zip(ours, parameters, strict=True) if p.grad is not None)
