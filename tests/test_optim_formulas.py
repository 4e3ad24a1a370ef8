"""Each optimiser against its formula in NumPy, float64, and against torch's where torch has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from dressage.optim import catalogue, layerwise
from dressage.recipe import Optim
from optim_problem import B1, B2, EPS, RANDOM, RHO, START, Arrays, closure_of, ours, slope


def norm(x: Arrays) -> float:
    return float(np.sqrt(sum((v**2).sum() for v in x)))


def stepped(update: Callable[[int, np.ndarray, np.ndarray, dict, float], np.ndarray], at: Callable | None = None):
    """A reference that moves each tensor for itself by the gradient at `at(x)`: `update(t, x, g, memory, λ)` gives the new x."""

    def run(lr: float, decay: float, steps: int = 12) -> Arrays:
        x, memories = [v.copy() for v in START], [{} for _ in START]
        decays = [decay if v.ndim > 1 else 0.0 for v in START]
        for t in range(1, steps + 1):
            g = slope(x if at is None else at(x, lr))
            x = [update(t, v, d, m, w, lr) for v, d, m, w in zip(x, g, memories, decays, strict=True)]
        return x

    return run


def sgd(t, x, g, memory, decay, lr):
    return x - lr * (g + decay * x)


def momentum(t, x, g, memory, decay, lr):
    memory["v"] = RHO * memory.get("v", 0) + g + decay * x
    return x - lr * memory["v"]


def nesterov(t, x, g, memory, decay, lr):
    g = g + decay * x
    memory["v"] = RHO * memory.get("v", 0) + g
    return x - lr * (g + RHO * memory["v"])


def adagrad(t, x, g, memory, decay, lr):
    g = g + decay * x
    memory["v"] = memory.get("v", 0) + g**2
    return x - lr * g / (np.sqrt(memory["v"]) + 1e-10)


def rmsprop(t, x, g, memory, decay, lr, centered=False):
    g = g + decay * x
    memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * g**2
    memory["m"] = 0.99 * memory.get("m", 0) + 0.01 * g
    return x - lr * g / (np.sqrt(memory["v"] - centered * memory["m"] ** 2) + 1e-8)


def centred(t, x, g, memory, decay, lr):
    return rmsprop(t, x, g, memory, decay, lr, centered=True)


def adadelta(t, x, g, memory, decay, lr):
    g = g + decay * x
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g**2
    delta = np.sqrt(memory.get("u", 0) + 1e-6) / np.sqrt(memory["v"] + 1e-6) * g
    memory["u"] = 0.9 * memory.get("u", 0) + 0.1 * delta**2
    return x - lr * delta


def moments(t, g, memory):
    memory["m"] = B1 * memory.get("m", 0) + (1 - B1) * g
    memory["v"] = B2 * memory.get("v", 0) + (1 - B2) * g**2
    return memory["m"] / (1 - B1**t), memory["v"] / (1 - B2**t)


def adam(t, x, g, memory, decay, lr):
    m, v = moments(t, g + decay * x, memory)
    return x - lr * m / (np.sqrt(v) + EPS)


def adamw(t, x, g, memory, decay, lr):
    m, v = moments(t, g, memory)
    return (1 - lr * decay) * x - lr * m / (np.sqrt(v) + EPS)


def nadam(t, x, g, memory, decay, lr):
    g = g + decay * x
    _, v = moments(t, g, memory)
    now, then = (B1 * (1 - 0.5 * 0.96 ** (s * 0.004)) for s in (t, t + 1))
    memory["product"] = memory.get("product", 1.0) * now
    m = then * memory["m"] / (1 - memory["product"] * then) + (1 - now) * g / (1 - memory["product"])
    return x - lr * m / (np.sqrt(v) + EPS)


def ratio(x, by, decay, trust=1.0, clip=10.0):
    if (decay == 0 and x.ndim <= 1) or norm([x]) == 0 or by == 0:
        return 1.0
    return min(trust * norm([x]) / by, clip)


def lars(t, x, g, memory, decay, lr):
    r = ratio(x, norm([g]) + decay * norm([x]), decay, 0.05)
    memory["v"] = RHO * memory.get("v", 0) + lr * r * (g + decay * x)
    return x - memory["v"]


def lamb(t, x, g, memory, decay, lr):
    m, v = moments(t, g, memory)
    u = m / (np.sqrt(v) + EPS) + decay * x
    return x - lr * ratio(x, norm([u]), decay) * u


def up(rho: float, adaptive: bool = False, ahead: float | None = None) -> Callable[[Arrays, float], Arrays]:
    def at(x: Arrays, lr: float) -> Arrays:
        if ahead is not None:
            x = [v - ahead * lr * g for v, g in zip(x, slope(x), strict=True)]
        g = slope(x)
        sizes = [np.abs(v) + 0.01 if adaptive else np.ones_like(v) for v in x]
        length = norm([s * d for s, d in zip(sizes, g, strict=True)])
        return [v + rho * s**2 * d / length for v, s, d in zip(x, sizes, g, strict=True)]

    return at


def schedule_free(lr: float, decay: float, steps: int = 12) -> Arrays:
    x, z = [v.copy() for v in START], [v.copy() for v in START]
    squares, weights = [np.zeros_like(v) for v in START], 0.0
    for t in range(1, steps + 1):
        y = [(1 - B1) * b + B1 * a for a, b in zip(x, z, strict=True)]
        rate = lr * np.sqrt(1 - B2**t)
        weights += rate**2
        c = rate**2 / weights
        for i, g in enumerate(slope(y)):
            squares[i] = B2 * squares[i] + (1 - B2) * g**2
            shrink = decay * y[i] if y[i].ndim > 1 else 0
            z[i] = z[i] - rate * (g / (np.sqrt(squares[i]) + EPS) + shrink)
            x[i] = (1 - c) * x[i] + c * z[i]
    return x


REFERENCES: dict[str, tuple[Callable[..., Arrays], float]] = {
    "gd": (stepped(sgd), 0.03),
    "sgd": (stepped(sgd), 0.03),
    "momentum": (stepped(momentum), 0.03),
    "nesterov": (stepped(nesterov), 0.03),
    "adagrad": (stepped(adagrad), 0.1),
    "rmsprop": (stepped(rmsprop), 0.01),
    "rmsprop(centered=True)": (stepped(centred), 0.01),
    "adadelta": (stepped(adadelta), 1.0),
    "adam": (stepped(adam), 0.03),
    "adamw": (stepped(adamw), 0.03),
    "nadam": (stepped(nadam), 0.03),
    "lars(trust=0.05)": (stepped(lars), 0.2),
    "lamb": (stepped(lamb), 0.03),
    "sam": (stepped(sgd, up(0.05)), 0.03),
    "sam(rho=0.2, base=adamw)": (stepped(adamw, up(0.2)), 0.03),
    "asam": (stepped(sgd, up(0.5, adaptive=True)), 0.03),
    "lookahead_sam": (stepped(sgd, up(0.05, ahead=1.0)), 0.03),
    "lookahead_sam(ahead=0.0)": (stepped(sgd, up(0.05)), 0.03),
    "schedule_free": (schedule_free, 0.03),
}


@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("form", REFERENCES)
def test_formula(form: str, decay: float) -> None:
    reference, lr = REFERENCES[form]
    error = 1e-6 if form == "nadam" else 1e-10  # torch keeps nadam's product of rates in float32
    for found, expected in zip(ours(form, lr, decay), reference(lr, decay), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, rtol=error, atol=1e-2 * error)


def test_every_optimiser_has_a_statement() -> None:
    elsewhere = {"muon", "lbfgs", "bfgs", "newton"}
    assert {form.partition("(")[0] for form in REFERENCES} | elsewhere == set(catalogue)


TORCH = {
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.1, betas=(B1, B2), eps=EPS),
}


@pytest.mark.parametrize("name", TORCH)
def test_torchs_own_is_used(name: str) -> None:
    x = [nn.Parameter(torch.from_numpy(v.copy())) for v in START]
    optimizer = TORCH[name](x)
    for _ in range(12):
        optimizer.step(closure_of(optimizer, x))
    for a, b in zip(ours(name, optimizer.param_groups[0]["lr"], 0.0), x, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12)


def test_muon_is_torchs_for_hidden_matrices_and_adamw_for_the_rest() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2)
    )
    twin = nn.Sequential(*(nn.Linear(m.in_features, m.out_features) if isinstance(m, nn.Linear) else m for m in net))
    twin.load_state_dict(net.state_dict())
    x = torch.randn(20, 6)
    weights, biases = [p for p in net.parameters() if p.ndim > 1], [p for p in net.parameters() if p.ndim < 2]
    groups = [{"params": weights, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0}]
    whole = catalogue.build("muon(momentum=0.9)", groups, Optim(lr=0.02))
    theirs = list(twin.parameters())
    muon = torch.optim.Muon(theirs[2:5:2], lr=0.02, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    others = [{"params": [theirs[0], theirs[6]], "weight_decay": 0.1}, {"params": theirs[1::2], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(others, lr=0.02, fused=True)
    for _ in range(5):
        for model, optimizers in ((net, [whole]), (twin, [muon, adamw])):
            model.zero_grad()
            model(x).square().sum().backward()
            for optimizer in optimizers:
                optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def orthogonal(g: np.ndarray) -> np.ndarray:
    """Five steps of Newton and Schulz: the singular values of `g` are brought to about 1."""
    x = g / np.linalg.norm(g)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


def test_muon_formula() -> None:
    """torch carries the products out in bfloat16, so the sum of the steps agrees to a hundredth."""
    lr, decay, mu = 0.02, 0.1, 0.9
    x = [nn.Parameter(torch.from_numpy(RANDOM.normal(size=(6, 9)))) for _ in range(3)]
    start, m = x[1].detach().numpy().copy(), np.zeros((6, 9))
    optimizer = catalogue.build("muon(momentum=0.9)", [{"params": x, "weight_decay": decay}], Optim(lr=lr))
    expected = start.copy()
    for _ in range(4):
        gradients = [torch.from_numpy(RANDOM.normal(size=(6, 9))) for _ in x]
        for p, gradient in zip(x, gradients, strict=True):
            p.grad = gradient
        optimizer.step()
        g = gradients[1].numpy()
        m = mu * m + (1 - mu) * g
        expected = (1 - lr * decay) * expected - lr * 0.2 * np.sqrt(9) * orthogonal((1 - mu) * g + mu * m)
    moved = np.linalg.norm(expected - start)
    assert np.linalg.norm(x[1].detach().numpy() - expected) < 0.015 * moved


@pytest.mark.parametrize("name", ["lars(trust=0.05)", "lamb"])
@pytest.mark.parametrize("cached", [1, 40, 1 << 18])
def test_trust_ratios_are_those_of_single_tensors_however_many_are_computed_together(
    name: str, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layerwise, "CACHED", cached)
    reference, lr = REFERENCES[name]
    for found, expected in zip(ours(name, lr, 0.05), reference(lr, 0.05), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("weights", [0.0, 1e-3, 5.0, 1e3])
@pytest.mark.parametrize("gradient", [0.0, 1e-20, 1.0])
@pytest.mark.parametrize("processor", [True, False])
def test_the_ratio_of_lamb_is_one_for_norms_of_zero_and_ten_at_most(
    processor: bool, weights: float, gradient: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layerwise, "on_processor", lambda p: processor)
    start, g = np.full((3, 2), weights), np.full((3, 2), gradient)
    x = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = catalogue.build("lamb", [{"params": [x], "weight_decay": 0.0}], Optim(lr=0.1))
    x.grad = torch.from_numpy(g)
    optimizer.step()
    u = g / (np.sqrt(g**2) + 1e-8)
    r = 1.0 if weights == 0 or gradient == 0 else min(weights / u[0, 0], 10.0)
    np.testing.assert_allclose(x.detach().numpy(), start - 0.1 * r * u, rtol=1e-10)


@pytest.mark.parametrize("processor", [True, False])
def test_lars_without_a_gradient_decays_at_the_plain_rate(processor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A norm is 0, so the ratio is 1: θ ← θ − lr·λθ."""
    monkeypatch.setattr(layerwise, "on_processor", lambda p: processor)
    x = nn.Parameter(torch.full((3, 2), 2.0, dtype=torch.float64))
    x.grad = torch.zeros_like(x)
    catalogue.build("lars", [{"params": [x], "weight_decay": 0.5}], Optim(lr=0.1)).step()
    np.testing.assert_allclose(x.detach().numpy(), np.full((3, 2), 1.9), rtol=1e-12)


@pytest.mark.parametrize("name", ["lars(trust=0.05)", "lamb"])
def test_on_a_device_the_ratios_are_tensors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that no number leaves the device, run on the processor."""
    monkeypatch.setattr(layerwise, "on_processor", lambda p: False)
    reference, lr = REFERENCES[name]
    for found, expected in zip(ours(name, lr, 0.05), reference(lr, 0.05), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_weights_in_another_layout_move_alike() -> None:
    for name in ("lars", "lamb"):
        torch.manual_seed(0)
        plain = nn.Conv2d(3, 4, 3, bias=False)
        other = nn.Conv2d(3, 4, 3, bias=False).to(memory_format=torch.channels_last)
        other.load_state_dict(plain.state_dict())
        x = torch.randn(2, 3, 5, 5)
        for net in (plain, other):
            optimizer = catalogue.build(name, [{"params": list(net.parameters()), "weight_decay": 0.1}], Optim(lr=0.1))
            for _ in range(3):
                net.zero_grad()
                net(x).square().sum().backward()
                optimizer.step()
        np.testing.assert_allclose(plain.weight.detach(), other.weight.detach(), rtol=2e-5)
