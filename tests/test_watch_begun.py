"""How a training began, as validation rows or its own loss tell: embeddings, momentum, missing activations, floods of inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.watch.gap import begun_too_fast

USERS, FILMS, RATINGS = 120, 80, 4000


class Factors(nn.Module):
    """Users and films as vectors that are multiplied."""

    def __init__(self, sd: float) -> None:
        super().__init__()
        self.user, self.film = nn.Embedding(USERS, 16), nn.Embedding(FILMS, 16)
        for table in (self.user, self.film):
            nn.init.normal_(table.weight, std=sd)

    def forward(self, pair: Tensor) -> Tensor:
        out: Tensor = (self.user(pair[:, 0]) * self.film(pair[:, 1])).sum(1)
        return out


def ratings() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    pair = torch.stack(
        [torch.randint(n, (RATINGS,), generator=draw) for n in (USERS, FILMS)],
        1,
    )
    taste, kind = torch.randn(USERS, 3, generator=draw), torch.randn(FILMS, 3, generator=draw)
    likes = torch.randn(FILMS, generator=draw)
    y = 0.5 * (taste[pair[:, 0]] * kind[pair[:, 1]]).sum(1) + likes[pair[:, 1]]
    return pair, y + 0.3 * torch.randn(RATINGS, generator=draw)


def watched(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    losses: Iterator[Tensor],
    judge: Callable[[], Any] | None = None,
    **given: Any,
) -> Any:
    watch = dressage.watch(net, optimizer, seconds=20, **given)
    for step, loss in enumerate(losses, 1):
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        watch.step(loss)
        if judge is not None and step % 30 == 0:
            net.eval()
            with torch.no_grad():
                watch.validated(loss=judge())
            net.train()
    watch.diagnose()
    return watch


def named(watch: Any) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful]


@pytest.mark.parametrize("sd", [1.0, 0.1])
def test_embeddings_that_drown_what_the_rows_say(sd: float) -> None:
    """Told by validation rows; that a copy learns a few rows by heart does not say that the loop tears its pairs apart."""
    torch.manual_seed(0)
    x, y = ratings()
    net, cut = Factors(sd), 3400
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=1e-4)

    def losses() -> Iterator[Tensor]:
        for _ in range(20):
            for rows in torch.split(torch.randperm(cut), 128):
                yield F.mse_loss(net(x[rows]), y[rows])

    parts = [(x[:cut], y[:cut]), (x[cut:], y[cut:])]
    watch = watched(net, optimizer, losses(), train=parts[0], val=parts[1], loss_fn=nn.MSELoss())
    assert named(watch)[:1] == (["model.init_too_large"] if sd == 1 else []), str(watch)
    assert "data.shuffled_labels" not in named(watch)


def test_a_copy_that_learns_a_few_rows_by_heart_does_not_say_that_the_loop_tears_its_pairs() -> None:
    """Rows that say little of their class, most of them seen once: of those that were looked at a copy knows all soon."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(4, (26000,), generator=draw)
    x = 0.05 * torch.randn(4, 60, generator=draw)[y] + torch.randn(26000, 60, generator=draw)
    net = nn.Sequential(nn.Linear(60, 400), nn.ReLU(), nn.Linear(400, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)

    def losses() -> Iterator[Tensor]:
        for rows in torch.split(torch.randperm(26000), 256):
            yield F.cross_entropy(net(x[rows]), y[rows])

    watch = watched(net, optimizer, losses(), train=(x, y), loss_fn=nn.CrossEntropyLoss())
    assert "data.shuffled_labels" not in named(watch), str(watch)


@pytest.mark.parametrize("momentum", [0.99, 0.9])
def test_a_momentum_that_sums_too_much_where_nothing_is_given(momentum: float) -> None:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(10, (3000,), generator=draw)
    x = 0.35 * torch.randn(10, 40, generator=draw)[y] + torch.randn(3000, 40, generator=draw)
    net = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=momentum)

    def losses() -> Iterator[Tensor]:
        for _ in range(5):
            for rows in torch.split(torch.randperm(2400), 40):
                yield F.cross_entropy(net(x[rows]), y[rows])

    watch = watched(net, optimizer, losses(), lambda: float(F.cross_entropy(net(x[2400:]), y[2400:])))
    assert named(watch)[:1] == (["optim.momentum_too_high"] if momentum == 0.99 else []), str(watch)
    with watch.case.standing():  # also where the loss alone has made nobody ask
        found = begun_too_fast(watch.case, "the loss is high")
    assert [f.id for f in found] == (["optim.momentum_too_high"] if momentum == 0.99 else [])


def test_no_steps_are_too_large_by_a_score_that_is_none() -> None:
    """Of counts outputs are logarithms of a mean: R² of them tells nothing, however much a change moves it."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1200, 4, generator=draw)
    y = torch.poisson((0.3 * x[:, 0] - 1.5).exp(), generator=draw)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    losses = (F.poisson_nll_loss(net(x[rows]), y[rows]) for rows in torch.split(torch.randint(900, (9600,)), 64))
    parts = [(x[:900], y[:900]), (x[900:], y[900:])]
    watch = watched(net, optimizer, losses, train=parts[0], val=parts[1], loss_fn=nn.PoissonNLLLoss())
    assert not named(watch) and not watch.case.has_judge
    with watch.case.standing():
        assert not begun_too_fast(watch.case, "the loss is high")


class Coupling(nn.Module):
    """Half of a row, moved and scaled by what a small network makes of the other half."""

    def __init__(self, first: bool, between: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.net = nn.Sequential(nn.Linear(1, 32), between, nn.Linear(32, 32), between, nn.Linear(32, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (x[:, :1], x[:, 1:]) if self.first else (x[:, 1:], x[:, :1])
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat([a, b] if self.first else [b, a], 1), s[:, 0]


class Flow(nn.Module):
    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Coupling(k % 2 == 0, between) for k in range(4))

    def forward(self, x: Tensor) -> Tensor:
        moved = torch.zeros(len(x))
        for part in self.parts:
            x, more = part(x)
            moved = moved + more
        return -0.5 * x.square().sum(1) - math.log(2 * math.pi) + moved


@pytest.mark.parametrize("between", [nn.Identity(), nn.ReLU()])
def test_layers_with_nothing_between_where_only_the_loss_tells(between: nn.Module) -> None:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(2000, generator=draw)
    x = 1.4 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(2000, 2, generator=draw)
    net = Flow(between)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    losses = (-net(x[torch.randint(2000, (64,))]).mean() for _ in range(400))
    assert named(watched(net, optimizer, losses))[:1] == (
        ["model.missing_nonlinearity"] if isinstance(between, nn.Identity) else []
    )


@pytest.mark.parametrize(
    ("size", "weights", "expected"),
    [(300.0, 1.0, ["data.unscaled_inputs"]), (1.0, 300.0, ["model.init_too_large"]), (1.0, 1.0, [])],
)
def test_activations_at_their_ends_where_no_copy_can_be_trained(
    size: float, weights: float, expected: list[str]
) -> None:
    """Of a loss that is made of gradients of the outputs, as that of a law of physics."""
    torch.manual_seed(0)
    first = nn.Linear(2, 32)
    with torch.no_grad():
        first.weight.mul_(weights)
    net = nn.Sequential(first, nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

    def losses() -> Iterator[Tensor]:
        for _ in range(150):
            x = (size * torch.rand(64, 2)).requires_grad_()
            u = net(x)
            slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
            yield (slope[:, :1] * size + u).square().mean() + (
                net(torch.cat([x[:, :1], 0 * x[:, 1:]], 1)) - 1
            ).square().mean()

    assert named(watched(net, optimizer, losses()))[:1] == expected
