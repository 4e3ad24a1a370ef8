"""Where no copy of the network can be run the losses speak: a fall without end, and first steps that throw the training out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import dressage
from dressage.watch import LoopWatch
from dressage.watch.rules.runaway import falls_without_end, thrown_out
from dressage.watch.telemetry import Probe, Telemetry, WeightNumbers


class Likely(nn.Module):
    """A mean and a spread for each row; gives the log-likelihood of the targets, or its negative."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign, self.body, self.head = sign, nn.Sequential(nn.Linear(4, 16), nn.Tanh()), nn.Linear(16, 2)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        mean, spread = self.head(self.body(x)).unbind(1)
        return self.sign * Normal(mean, nn.functional.softplus(spread) + 0.1).log_prob(y).mean()


class Scale(nn.Module):
    """Distances between rows are to be those of the inputs; the loss is a function of the loop's own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)  # type: ignore[no-any-return]


def rows() -> tuple[Tensor, Tensor]:
    x = torch.randn(400, 4, generator=torch.Generator().manual_seed(1))
    return x, x[:, 0] - x[:, 1].abs()


def harmful(watch: LoopWatch) -> list[str]:
    watch.diagnose()
    return [f.id for f in watch.findings if f.is_harmful]


@pytest.mark.parametrize(("sign", "cause"), [(1.0, ["loss.wrong_sign"]), (-1.0, [])])
def test_a_likelihood_that_is_made_small(sign: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    model, (x, y) = Likely(sign), rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watch = dressage.watch(model, optimizer, train=(x, y), seconds=2)
    for _ in range(300):
        some = torch.randint(0, 400, (32,))
        loss = model(x[some], y[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert harmful(watch) == cause, str(watch)


@pytest.mark.parametrize(("rate", "cause"), [(2.0, ["optim.lr_too_high"]), (3e-3, [])])
def test_steps_that_throw_a_training_out_at_once(rate: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    model, (x, _) = Scale(), rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    watch = dressage.watch(model, optimizer, seconds=2)
    for _ in range(200):
        some = x[torch.randint(0, 400, (32,))]
        z = model(some)
        loss = (torch.pdist(z) - torch.pdist(some)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert harmful(watch) == cause, str(watch)


@pytest.mark.parametrize(
    "losses",
    [
        [3 - 700 * (1 - math.exp(-i / 60)) for i in range(300)],  # many densities, summed
        [-0.01 * 1.03**i for i in range(300)],  # what an actor earns, while it is learned what that is worth
        [-1.0 - 40 * i for i in range(300)],  # steadily: a line
        [2.0 + math.sin(i) for i in range(300)],
    ],
)
def test_losses_below_zero_that_are_no_run_away(losses: list[float]) -> None:
    assert not falls_without_end(Telemetry(step=len(losses), losses=losses))


@pytest.mark.parametrize(
    ("worst", "last", "ratio", "told"), [(900, 0.9, 0.3, 1), (900, 0.05, 0.3, 0), (900, 0.9, 0.01, 0), (5, 0.9, 0.3, 0)]
)
def test_a_leap_is_harm_where_it_was_large_and_is_not_made_good(
    worst: float, last: float, ratio: float, told: int
) -> None:
    probes = [Probe(step=i, weights=(WeightNumbers("w", 1.0, 1.0, ratio),), rate=0.1) for i in (1, 2, 3, 6)]
    seen = Telemetry(step=200, losses=[1.0, worst, *[last] * 198], probes=probes)
    assert [f.id for f in thrown_out(seen)] == ["optim.lr_too_high"] * told
