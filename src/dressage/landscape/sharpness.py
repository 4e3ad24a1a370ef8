"""How sharp a minimum is: the ends of the Hessian's spectrum, its trace, and how far the loss rises nearby."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from dressage.augment.draw import key
from dressage.data.npz import available_memory
from dressage.landscape.surface import Surface

STEPS, PROBES, CLIMBS = 60, 20, 10
"""Products with the Hessian at most for its largest eigenvalue, those for its trace, gradients for the rise."""
TOLERANCE = 0.01
"""Of both ends: the residual over the largest eigenvalue."""
SETTLED = 1e-3
"""Of the rise: the share by which a further climb must raise it."""
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Both ends of a Hessian's spectrum, and how far from each number an eigenvalue lies at most."""

    largest: float
    residual: float
    smallest: float
    smallest_residual: float
    products: int
    """Products with the Hessian that it took."""

    @property
    def has_converged(self) -> bool:
        """Whether both residuals are at most 1 % of the largest."""
        return max(self.residual, self.smallest_residual) <= TOLERANCE * abs(self.largest)


@dataclass(frozen=True, slots=True)
class Sharpness:
    """What a minimum is like, by the loss of some rows."""

    rows: int
    weights: int
    loss: float
    slope: float
    """‖∇L‖: 0 at a minimum."""
    spectrum: Spectrum
    trace: float
    trace_error: float
    """Standard error of the trace over the probes."""
    probes: int
    rho: float
    rise: float
    """max L(θ+ε) − L(θ) over ‖ε‖ ≤ ρ, from below."""
    first_rise: float
    """L(θ + ρg/‖g‖) − L(θ): what SAM's one step finds."""

    @property
    def highest_rate(self) -> float:
        """2/λ: at a higher rate plain gradient descent leaves the minimum (Cohen et al. 2021); infinite for λ ≤ 0."""
        return 2 / self.spectrum.largest if self.spectrum.largest > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {**asdict(self), "highest_rate": self.highest_rate, "has_converged": self.spectrum.has_converged}


def sharpness(
    surface: Surface, rho: float, seed: int = 0, told: Callable[[str, int, int], None] | None = None
) -> Sharpness:
    """Sharpness of the network of a surface at its weights. Raises RunError for a layer without second derivative."""

    def telling(what: str) -> Told:
        return lambda done, total: told(what, done, total) if told is not None else None

    loss, slope = surface.gradient(surface.start)
    spectrum = ends_of_spectrum(surface, seed, telling("largest eigenvalue"))
    trace, error = trace_of(surface, seed, telling("trace"))
    first, rise = rise_within(surface, rho, seed, telling("rise nearby"))
    size = float(slope.double().norm())
    return Sharpness(surface.rows, surface.size, loss, size, spectrum, trace, error, PROBES, rho, rise, first)


def ends_of_spectrum(
    surface: Surface, seed: int = 0, told: Told | None = None, steps: int = STEPS, tolerance: float = TOLERANCE
) -> Spectrum:
    """Lanczos: HQ ≈ QT with T tridiagonal; the ends of T's spectrum are those of H's. Golub & Van Loan, chapter 10.

    The residual ‖Hv − λv‖ is |β_k s_k|, s_k the last number of T's eigenvector. It stops at the tolerance, or where memory
    for the basis ends. Every vector is made orthogonal to all before it, twice.
    """
    vector = torch.randn(surface.size, generator=_generator(seed, "lanczos"), dtype=torch.float32).to(surface.start)
    vector /= vector.norm()
    basis, diagonal, beside = [vector], list[float](), list[float]()
    steps = max(2, min(steps, surface.size, available_memory() // 2 // max(1, vector.nbytes)))
    while True:
        turned = surface.product(basis[-1])
        diagonal.append(float(turned @ basis[-1]))
        for _ in range(2):
            for each in basis:
                turned -= (turned @ each) * each
        length = float(turned.norm())
        values, residuals = _ritz(diagonal, beside, length, torch.finfo(vector.dtype).eps)
        if told is not None:
            told(len(diagonal), steps)
        small = length <= 1e-7 * max(abs(values[0]), abs(values[-1])) or not math.isfinite(length)
        if small or len(diagonal) >= steps or max(residuals[0], residuals[-1]) <= tolerance * abs(values[-1]):
            return Spectrum(values[-1], residuals[-1], values[0], residuals[0], len(diagonal))
        beside.append(length)
        basis.append(turned / length)


def _ritz(diagonal: list[float], beside: list[float], length: float, exact: float) -> tuple[list[float], list[float]]:
    """Eigenvalues of T, rising, and the residual of each; it is known no better than to `exact` of the largest."""
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if beside:
        off = torch.tensor(beside, dtype=torch.float64)
        matrix += torch.diag(off, 1) + torch.diag(off, -1)
    if not matrix.isfinite().all():
        return [math.nan], [math.nan]
    values, vectors = torch.linalg.eigh(matrix)
    return values.tolist(), (length * vectors[-1].abs()).clamp_min(exact * float(values.abs().max())).tolist()


def trace_of(surface: Surface, seed: int = 0, told: Told | None = None, probes: int = PROBES) -> tuple[float, float]:
    """E[vᵀHv] over signs v ∈ {−1, 1}^P, and the standard error of the mean. Hutchinson 1990."""
    generator, found = _generator(seed, "trace"), list[float]()
    for done in range(probes):
        signs = torch.randint(0, 2, (surface.size,), generator=generator).mul_(2).sub_(1).to(surface.start)
        found.append(float(signs.double() @ surface.product(signs).double()))
        if told is not None:
            told(done + 1, probes)
    each = torch.tensor(found, dtype=torch.float64)
    return float(each.mean()), float(each.std() / math.sqrt(probes))


def rise_within(
    surface: Surface, rho: float, seed: int = 0, told: Told | None = None, climbs: int = CLIMBS
) -> tuple[float, float]:
    """max L(θ+ε) − L(θ) over ‖ε‖₂ ≤ ρ: by SAM's one step ε = ρg/‖g‖ (Foret et al. 2021), and by several.

    ε ← ρ∇L(θ+ε)/‖∇L(θ+ε)‖ never lowers a convex L, and in a bowl it is the power iteration. The highest place that was seen
    counts, so both are lower bounds.
    """
    start = surface.start
    before, slope = surface.gradient(start)
    if not float(slope.norm()):  # on a flat top every direction is as good
        slope = torch.randn(surface.size, generator=_generator(seed, "rise"), dtype=torch.float32).to(start)
    rises = list[float]()
    while True:
        loss, slope = surface.gradient(start + rho * slope / slope.norm())
        rises.append(loss - before)
        if told is not None:
            told(len(rises), climbs)
        settled = len(rises) > 1 and rises[-1] <= max(rises[:-1]) + SETTLED * abs(max(rises[:-1]))
        if settled or len(rises) >= climbs or not float(slope.norm()) > 0:
            return rises[0], max(rises)


def _generator(seed: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(key(seed, "landscape", purpose))
