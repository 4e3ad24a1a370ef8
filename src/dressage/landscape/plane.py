"""The loss over a plane in the space of weights: around one network, or through two or three."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dressage.augment.draw import key
from dressage.ensemble.soup import Bowl, Weights, mixed

MARGIN = 0.3
"""Of the box around the networks, left free on each side."""
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plane:
    """Loss and error on a grid: `loss[j][i]` at `(x[i], y[j])`; NaN where it is not finite."""

    kind: str
    """random: coordinates in lengths of the filters; runs: in Euclidean lengths."""
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]
    error: tuple[tuple[float, ...], ...]
    points: Mapping[str, tuple[float, float]]
    """Where the networks lie."""

    def to_json(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


def plane_around(network: nn.Module, bowl: Bowl, name: str, points: int, span: float, seed: int, told: Told) -> Plane:
    """L(θ + a·d₁ + b·d₂), a and b from −span to span, in two filter-normalised directions; batch norms keep their statistics.

    Li et al. 2018.
    """
    start, moved = network.state_dict(), copy.deepcopy(network)
    directions = [filter_normalised(network, key(seed, "landscape", "direction", i)) for i in range(2)]

    def at(a: float, b: float) -> tuple[float, float]:
        places = {k: start[k] + a * directions[0][k] + b * directions[1][k] for k in directions[0]}
        moved.load_state_dict({**start, **places})
        return bowl.judge(moved)

    values = tuple(float(v) for v in torch.linspace(-span, span, points, dtype=torch.float64))
    return Plane("random", values, values, *_grid(values, values, at, told), {name: (0.0, 0.0)})


def filter_normalised(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """A direction N(0, 1) whose filters have the lengths of the network's: d_f ← d_f/‖d_f‖·‖θ_f‖. Li et al. 2018.

    A filter is all that leads to one unit: `θ[f]` of a weight of two or more dimensions. Biases, norms and frozen weights rest.
    """
    generator, made = torch.Generator().manual_seed(seed), {}
    for name, weight in network.named_parameters():
        if weight.requires_grad and weight.ndim > 1:
            drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float32).to(weight)
            lengths = [t.flatten(1).norm(dim=1).clamp_min(1e-30) for t in (weight.detach(), drawn)]
            made[name] = drawn * (lengths[0] / lengths[1]).view(-1, *[1] * (weight.ndim - 1))
    return made


@dataclass(frozen=True, slots=True)
class Axes:
    """The plane through three networks: θ₁ + x·û + y·v̂, û along θ₂ − θ₁, v̂ along what of θ₃ − θ₁ is left. Garipov et al. 2018."""

    along: float
    """‖θ₂ − θ₁‖."""
    third: tuple[float, float]
    """Where θ₃ lies."""

    def place(self, shares: Sequence[float]) -> tuple[float, float]:
        """Where Σ s_k θ_k of shares `(s₁, s₂, s₃)` of sum 1 lies."""
        return shares[1] * self.along + shares[2] * self.third[0], shares[2] * self.third[1]

    def shares(self, x: float, y: float) -> tuple[float, float, float]:
        """The same the other way round."""
        third = y / self.third[1]
        second = (x - third * self.third[0]) / self.along
        return 1 - second - third, second, third


def axes_through(networks: Sequence[Weights], names: Sequence[str]) -> Axes | None:
    """The axes through three networks, measured over the weights of these names; None where they lie on one line."""
    first, *others = (torch.cat([n[k].double().reshape(-1) for k in names]) for n in networks)
    u, w = others[0] - first, others[1] - first
    along = float(u.norm())
    across = float(w @ u) / along if along else 0.0
    rest = float((w - across * u / along).norm()) if along else 0.0
    return Axes(along, (across, rest)) if rest > 1e-6 * along > 0 else None


def plane_through(
    networks: Mapping[str, Weights], axes: Axes, like: nn.Module, bowl: Bowl, points: int, told: Told
) -> Plane:
    """The loss over the plane of three networks; batch-norm statistics are measured anew at every place."""
    moved, ends = copy.deepcopy(like), list(networks.values())
    corners = [axes.place([float(i == k) for i in range(3)]) for k in range(3)]

    def at(x: float, y: float) -> tuple[float, float]:
        moved.load_state_dict(mixed(ends, axes.shares(x, y)))
        return bowl.look(moved)

    x, y = (_reach([corner[i] for corner in corners], points) for i in range(2))
    return Plane("runs", x, y, *_grid(x, y, at, told), dict(zip(networks, corners, strict=True)))


def _reach(values: Sequence[float], points: int) -> tuple[float, ...]:
    low, high = min(values), max(values)
    room = MARGIN * (high - low)
    return tuple(float(v) for v in torch.linspace(low - room, high + room, points, dtype=torch.float64))


Grid = tuple[tuple[float, ...], ...]


def _grid(
    x: Sequence[float], y: Sequence[float], at: Callable[[float, float], tuple[float, float]], told: Told
) -> tuple[Grid, Grid]:
    rows = []
    for done, b in enumerate(y):
        told(done * len(x), len(x) * len(y))
        rows.append([at(a, b) for a in x])
    told(len(x) * len(y), len(x) * len(y))
    loss, error = (tuple(tuple(_finite(cell[i]) for cell in row) for row in rows) for i in range(2))
    return loss, error


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
