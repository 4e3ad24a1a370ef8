"""Losses between views: one pair at a time in NumPy, a queue that forgets its oldest, and a network that learns by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dressage.errors import RecipeError
from dressage.objective.contrastive import Queue, info_nce, nt_xent

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(6, 5)), RANDOM.normal(size=(6, 5))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("temperature", [0.5, 0.1])
def test_nt_xent_formula(temperature: float) -> None:
    rows, n, costs = np.concatenate([A, B]), len(A), []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = sum(np.exp(cosine(rows[i], rows[k]) / temperature) for k in range(2 * n) if k != i)
        costs.append(-np.log(np.exp(cosine(rows[i], rows[j]) / temperature) / others))
    first = torch.from_numpy(A).requires_grad_()
    loss = nt_xent(first, torch.from_numpy(B), temperature)
    assert loss.item() == pytest.approx(np.mean(costs), rel=1e-10)
    assert nt_xent(torch.from_numpy(B), first, temperature).item() == pytest.approx(loss.item(), rel=1e-12)
    assert torch.autograd.gradcheck(lambda a: nt_xent(a, torch.from_numpy(B), temperature), (first,))


def test_info_nce_formula_and_keys_get_no_gradient() -> None:
    held, costs = RANDOM.normal(size=(9, 5)), []
    for q, k in zip(A, B, strict=True):
        own = np.exp(cosine(q, k) / 0.2)
        costs.append(-np.log(own / (own + sum(np.exp(cosine(q, other) / 0.2) for other in held))))
    queries, keys = torch.from_numpy(A).requires_grad_(), torch.from_numpy(B).requires_grad_()
    loss = info_nce(queries, keys, torch.from_numpy(held), 0.2)
    assert loss.item() == pytest.approx(np.mean(costs), rel=1e-10)
    loss.backward()
    assert keys.grad is None and queries.grad.any()


def test_free_places_of_a_queue_are_left_out() -> None:
    queue = Queue(5, 4).double()
    queries, keys = (torch.from_numpy(np.random.default_rng(i).normal(size=(3, 4))).requires_grad_() for i in (0, 1))
    nothing = info_nce(queries, keys, queue.keys)
    nothing.backward()
    assert nothing.item() == 0 and torch.equal(queries.grad, torch.zeros(3, 4).double())
    queue.push(keys[:2])
    assert info_nce(queries, keys, queue.keys).item() == pytest.approx(
        info_nce(queries, keys, keys[:2]).item(), rel=1e-12
    )


def test_the_queue_forgets_its_oldest_keys_first() -> None:
    queue, told = Queue(5, 3), np.eye(3)[[0, 1, 2, 0, 1, 2, 0]] * 4.0
    for start, stop in ((0, 2), (2, 4), (4, 7)):
        queue.push(torch.from_numpy(told[start:stop]))
    expected = np.array([told[5], told[6], told[2], told[3], told[4]]) / 4
    np.testing.assert_allclose(queue.keys.numpy(), expected)
    assert queue.place.item() == 2
    queue.push(torch.from_numpy(np.eye(3)[[0] * 7 + [1] * 5]))  # more than it holds: the last
    np.testing.assert_allclose(queue.keys.numpy(), np.eye(3)[[1] * 5])
    other = Queue(5, 3)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.keys, queue.keys) and torch.equal(other.place, queue.place)


@pytest.mark.parametrize("which", ["nt_xent", "info_nce"])
def test_half_precision_gives_a_float32_loss_and_any_device_is_kept(which: str) -> None:
    a, b = (torch.from_numpy(x).bfloat16().requires_grad_() for x in (A, B))
    loss = nt_xent(a, b) if which == "nt_xent" else info_nce(a, b, torch.randn(4, 5))
    loss.backward()
    assert loss.dtype == torch.float32 and a.grad is not None
    a, b, held = (torch.empty(4, 5, device="meta") for _ in range(3))
    assert (nt_xent(a, b) if which == "nt_xent" else info_nce(a, b, held)).device.type == "meta"


@pytest.mark.parametrize("which", ["nt_xent", "info_nce"])
def test_views_of_a_sample_come_together_by_it(which: str) -> None:
    """Two noisy views of 32 points: after 150 steps a view's nearest is its other view more often than at the start."""
    torch.manual_seed(0)
    points, queue = torch.randn(32, 8), Queue(64, 4)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def found() -> float:
        generator = torch.Generator().manual_seed(9)
        a, b = (model(points + 0.3 * torch.randn(32, 8, generator=generator)) for _ in range(2))
        return (
            (nn.functional.cosine_similarity(a[:, None], b[None], dim=2).argmax(1) == torch.arange(32))
            .float()
            .mean()
            .item()
        )

    before = found()
    for _ in range(150):
        a, b = (model(points + 0.3 * torch.randn(32, 8)) for _ in range(2))
        loss = nt_xent(a, b, 0.2) if which == "nt_xent" else info_nce(a, b, queue.keys, 0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        queue.push(b)
    assert found() > before + 0.1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: nt_xent(torch.zeros(2, 3), torch.zeros(2, 4)),
            r"nt_xent: views of shape \(2, 3\) and \(2, 4\); .+; .+",
        ),
        (lambda: nt_xent(torch.zeros(1, 3), torch.zeros(1, 3)), r"nt_xent: one sample given; .+; .+"),
        (lambda: nt_xent(torch.zeros(2, 3), torch.zeros(2, 3), 0.0), r"nt_xent\.temperature: 0\.0 given; .+; .+"),
        (
            lambda: info_nce(torch.zeros(2, 3), torch.zeros(3, 3), torch.zeros(4, 3)),
            r"info_nce: views of shape .+; .+; .+",
        ),
        (
            lambda: info_nce(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(4, 2)),
            r"info_nce: a queue of shape .+; .+; .+",
        ),
        (
            lambda: info_nce(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(4, 3), -1.0),
            r"info_nce\.temperature: .+; .+; .+",
        ),
        (lambda: Queue(0, 3), r"Queue: size 0 and dim 3 given; .+; .+"),
    ],
)
def test_what_does_not_fit_is_refused_in_three_parts(call, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        call()
