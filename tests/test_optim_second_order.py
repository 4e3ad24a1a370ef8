"""lbfgs against torch's, bfgs and newton against the textbook's formulas in NumPy, float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dressage.optim import catalogue
from dressage.optim.newton import second_derivatives
from dressage.optim.quasi_newton import updated
from dressage.recipe import Optim
from optim_problem import CURVE, PULL, START, closure_of, loss_of, ours, slope


def test_lbfgs_is_torchs() -> None:
    x = [nn.Parameter(torch.from_numpy(v.copy())) for v in START]
    optimizer = torch.optim.LBFGS(x, lr=0.5, max_iter=4, history_size=3, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(x) + 0.5 * 0.05 * sum((v**2).sum() for v in x[:2])
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    for a, b in zip(ours("lbfgs(iterations=4, history=3)", 0.5, 0.05, steps=3), x, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-10)


def test_the_direction_of_lbfgs_is_that_of_the_pairs_it_keeps() -> None:
    """d = −Hg, H by the change of BFGS for each of the last pairs (s, y), from yᵀs/yᵀy·I on; Nocedal & Wright 2006, 7.2."""
    x = [nn.Parameter(torch.from_numpy(v.copy())) for v in START]
    optimizer = catalogue.build("lbfgs(iterations=6, history=3)", [{"params": x, "weight_decay": 0.0}], Optim(lr=1.0))
    optimizer.step(closure_of(optimizer, x))
    state = optimizer.state[x[0]]
    steps, turns = (np.stack([v.numpy() for v in state[name]]) for name in ("old_stps", "old_dirs"))
    assert len(steps) == 3
    inverse = np.eye(steps.shape[1]) * (steps[-1] @ turns[-1]) / (turns[-1] @ turns[-1])
    for s, y in zip(steps, turns, strict=True):
        turn = np.eye(len(s)) - np.outer(s, y) / (y @ s)
        inverse = turn @ inverse @ turn.T + np.outer(s, s) / (y @ s)
    np.testing.assert_allclose(state["d"].numpy(), -inverse @ state["prev_flat_grad"].numpy(), rtol=1e-8, atol=1e-12)


def test_bfgs_by_its_own_steps() -> None:
    """Direction −Hg, the strong Wolfe rules, and the change of H by the textbook's formula, which is of rank 2."""
    decay, c1, c2 = 0.05, 1e-4, 0.9
    points = [START]
    x = [nn.Parameter(torch.from_numpy(v.copy())) for v in START]
    groups = [{"params": x[:2], "weight_decay": decay}, {"params": x[2:], "weight_decay": 0.0}]
    optimizer = catalogue.build("bfgs", groups, Optim(lr=1.0))
    for _ in range(6):
        optimizer.step(closure_of(optimizer, x))
        points.append([p.detach().numpy().copy() for p in x])
    sizes = np.concatenate([np.full(v.size, decay if v.ndim > 1 else 0.0) for v in START])

    def value(p: np.ndarray) -> float:
        a, b = (np.concatenate([v.ravel() for v in c]) for c in (CURVE, PULL))
        return float((0.5 * (a + sizes) * p**2 + 0.25 * p**4 + b * p).sum())

    flat = [np.concatenate([v.ravel() for v in p]) for p in points]
    slopes = [np.concatenate([v.ravel() for v in slope(p)]) + sizes * f for p, f in zip(points, flat, strict=True)]
    inverse = None
    for k in range(6):
        s, y = flat[k + 1] - flat[k], slopes[k + 1] - slopes[k]
        d = -slopes[k] if inverse is None else -inverse @ slopes[k]
        length = s @ d / (d @ d)
        np.testing.assert_allclose(s, length * d, rtol=1e-8, atol=1e-12)
        assert value(flat[k + 1]) <= value(flat[k]) + c1 * slopes[k] @ s
        assert abs(slopes[k + 1] @ d) <= c2 * abs(slopes[k] @ d)
        if inverse is None:
            inverse = np.eye(len(s)) * (y @ s) / (y @ y)
        before, turn = inverse, np.eye(len(s)) - np.outer(s, y) / (y @ s)
        inverse = turn @ inverse @ turn.T + np.outer(s, s) / (y @ s)
        ours_after = updated(torch.from_numpy(before), torch.from_numpy(s), torch.from_numpy(y)).numpy()
        np.testing.assert_allclose(ours_after, inverse, rtol=1e-10, atol=1e-12)
        assert np.linalg.matrix_rank(inverse - before, tol=1e-9) == 2
        np.testing.assert_allclose(inverse @ y, s, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(optimizer.state[x[0]]["inverse"].numpy(), inverse, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_newton_by_its_formula(decay: float) -> None:
    damping, lr, x = 1e-3, 0.7, np.concatenate([v.ravel() for v in START])
    a, b = (np.concatenate([v.ravel() for v in c]) for c in (CURVE, PULL))
    decays = np.concatenate([np.full(v.size, decay if v.ndim > 1 else 0.0) for v in START])
    for _ in range(4):
        gradient, hessian = a * x + x**3 + b + decays * x, np.diag(a + 3 * x**2 + decays)
        x = x - lr * np.linalg.solve(hessian + damping * np.eye(len(x)), gradient)
        damping /= 3  # the function is convex, so each step goes down
    found = np.concatenate([p.numpy().ravel() for p in ours("newton", lr, decay, steps=4)])
    np.testing.assert_allclose(found, x, rtol=1e-10)


def test_the_hessian_is_exact() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3)
    )
    net = net.double()
    x, y = torch.randn(7, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    names, parameters = zip(*net.named_parameters(), strict=True)

    def of(*values: Tensor) -> Tensor:
        outputs = torch.func.functional_call(net, dict(zip(names, values, strict=True)), (x,))
        return nn.functional.cross_entropy(outputs, y)

    _, slopes, found = second_derivatives(of(*parameters), list(parameters))
    blocks = torch.autograd.functional.hessian(of, parameters)
    whole = torch.cat(
        [torch.cat([b.reshape(p.numel(), -1) for b in row], 1) for p, row in zip(parameters, blocks, strict=True)]
    )
    np.testing.assert_allclose(found.numpy(), whole.detach().numpy(), rtol=1e-9, atol=1e-12)
    assert [s.shape for s in slopes] == [p.shape for p in parameters]


def test_newton_is_damped_where_the_function_bends_down() -> None:
    """f = x⁴/4 − x²/2 at 0.1: H < 0, so the plain step would go up to 0."""
    x = nn.Parameter(torch.tensor([0.1], dtype=torch.float64))
    optimizer = catalogue.build("newton", [{"params": [x], "weight_decay": 0.0}], Optim(lr=1.0))
    losses = [float(optimizer.step(lambda backward=True: (x**4 / 4 - x**2 / 2).sum())) for _ in range(40)]
    assert all(b <= a for a, b in itertools.pairwise(losses))
    assert abs(x.item() - 1) < 1e-6
