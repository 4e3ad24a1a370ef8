"""Functions of two numbers on which the paths of optimisers can be seen, each with its known lowest places."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dressage.catalogue import Catalogue, Entry
from dressage.optim.common import check_positive

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Surface:
    """f(x, y), the window in which it is looked at, where paths begin, and where it is lowest."""

    height: Callable[[Tensor, Tensor], Tensor]
    x: tuple[float, float]
    y: tuple[float, float]
    start: Place
    lowest: tuple[Place, ...]


def ravine(*, steep: float = 100.0) -> Surface:
    """½(x² + steep·y²). Raises RecipeError for steep ≤ 0."""
    check_positive("ravine.steep", steep, "ravine(steep=100)")
    return Surface(lambda x, y: 0.5 * (x**2 + steep * y**2), (-10.0, 4.0), (-2.5, 2.5), (-9.0, 1.5), ((0.0, 0.0),))


def rosenbrock(*, steep: float = 100.0) -> Surface:
    """(1 − x)² + steep·(y − x²)². Raises RecipeError for steep ≤ 0."""
    check_positive("rosenbrock.steep", steep, "rosenbrock(steep=100)")
    return Surface(
        lambda x, y: (1 - x) ** 2 + steep * (y - x**2) ** 2, (-2.0, 2.0), (-1.0, 3.0), (-1.5, 2.0), ((1.0, 1.0),)
    )


def saddle() -> Surface:
    """½x² − ½y² + ¼y⁴."""
    return Surface(
        lambda x, y: 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4,
        (-2.0, 2.0),
        (-1.6, 1.6),
        (-1.8, 0.001),
        ((0.0, 1.0), (0.0, -1.0)),
    )


def plateau() -> Surface:
    """1 − e^{−(x² + y²)/2}."""
    return Surface(lambda x, y: 1 - (-(x**2 + y**2) / 2).exp(), (-4.0, 2.0), (-2.5, 2.5), (-3.2, 1.5), ((0.0, 0.0),))


def beale() -> Surface:
    """(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²."""

    def height(x: Tensor, y: Tensor) -> Tensor:
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    return Surface(height, (-1.0, 4.0), (-1.5, 2.0), (0.5, 1.5), ((3.0, 0.5),))


def himmelblau() -> Surface:
    """(x² + y − 11)² + (x + y² − 7)²."""
    lowest = ((3.0, 2.0), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127))
    return Surface(
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, (-5.5, 5.5), (-5.0, 5.0), (-0.5, -1.0), lowest
    )


def rastrigin() -> Surface:
    """20 + x² − 10 cos 2πx + y² − 10 cos 2πy."""

    def height(x: Tensor, y: Tensor) -> Tensor:
        return 20 + x**2 + y**2 - 10 * ((2 * math.pi * x).cos() + (2 * math.pi * y).cos())

    return Surface(height, (-3.5, 2.5), (-2.5, 2.5), (-2.7, 1.8), ((0.0, 0.0),))


catalogue: Catalogue[Surface] = Catalogue(
    "surface",
    Entry(
        "ravine",
        ravine,
        "A valley `steep` times as steep across as along: plain descent swings from wall to wall.",
        "f = ½(x² + steep·y²), lowest at (0, 0)",
        "L6, C784; Polyak 1964",
    ),
    Entry(
        "rosenbrock",
        rosenbrock,
        "A narrow bent valley: its floor is found at once, and followed slowly.",
        "f = (1 − x)² + steep·(y − x²)², lowest at (1, 1)",
        "Rosenbrock 1960",
    ),
    Entry(
        "saddle",
        saddle,
        "A saddle at (0, 0) between two minima: the gradient is almost 0 where the way down begins.",
        "f = ½x² − ½y² + ¼y⁴, lowest at (0, ±1)",
        "L6, C784; Dauphin et al. 2014",
    ),
    Entry(
        "plateau",
        plateau,
        "A hole in a plain: far from it the gradient vanishes.",
        "f = 1 − e^{−(x² + y²)/2}, lowest at (0, 0)",
        "L6",
    ),
    Entry(
        "beale",
        beale,
        "Steep walls at the corners, a flat valley between them.",
        "f = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)², lowest at (3, 0.5)",
        "Beale 1958",
    ),
    Entry(
        "himmelblau",
        himmelblau,
        "Four minima of one height: which is found depends on the way.",
        "f = (x² + y − 11)² + (x + y² − 7)², lowest at (3, 2) and three more",
        "Himmelblau 1972",
    ),
    Entry(
        "rastrigin",
        rastrigin,
        "A bowl full of holes: many local minima around the lowest.",
        "f = 20 + x² − 10 cos 2πx + y² − 10 cos 2πy, lowest at (0, 0)",
        "Rastrigin 1974",
    ),
)
