"""Nonlinearities, torch's own but for maxout. `catalogue[name].build()` gives a module that maps any shape to the same
shape; maxout alone gives one feature for `pieces` of them.

Beside each stands what is known of it (`Traits`), the gain that its layer's first weights need among it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from dressage.catalogue import Catalogue, Entry, parse
from dressage.errors import RecipeError
from dressage.layers.maxout import maxout, maxout_gain


@dataclass(frozen=True, slots=True)
class Traits:
    """What to expect of an activation."""

    range: str
    zero_centred: Literal["yes", "nearly", "no"]
    """Whether outputs for standard normal inputs have a mean of 0; nearly: below a fifth."""
    saturates: Literal["no", "below", "on both sides"]
    """Where its slope goes to 0."""
    can_die: bool
    """Whether a unit can come to have no gradient on any row."""
    gain: Callable[..., float]
    """Of its options: factor on the weights' 1/√fan_in that keeps E[x²]. 1/√E[f(z)²], z ~ N(0, 1), but for two: 5/3 for
    tanh, as torch has it, and 1 for sigmoid, whose slope of ¼ no gain makes up for without saturating it."""


class SigmoidGELU(nn.Module):
    """x·σ(1.702x), within 0.0203 of the exact GELU. (DR10 prints xα(1.702x): σ is meant.)"""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(1.702 * x) / 1.702


def leaky_relu(*, slope: float = 0.01) -> nn.Module:
    """max(x, slope·x). (The notes write a slope of 0.1 in one place and of 0.01 in others; here it is 0.01 unless given.)"""
    return nn.LeakyReLU(_slope("leaky_relu", slope))


def prelu(*, slope: float = 0.25) -> nn.Module:
    """max(0, x) + a·min(0, x) with one learned a a layer, which begins at `slope`; weight decay leaves it out."""
    return nn.PReLU(init=_slope("prelu", slope))


def elu(*, alpha: float = 1.0) -> nn.Module:
    """x above 0, alpha·(eˣ − 1) below."""
    if not 0 < alpha < math.inf:
        raise RecipeError.of("elu.alpha", f"{alpha} given", "expected more than 0", "e.g. elu(alpha=1.0)")
    return nn.ELU(alpha)


def gelu(*, form: str = "exact") -> nn.Module:
    """x·Φ(x); form exact by erf, or sigmoid: x·σ(1.702x)."""
    if form not in ("exact", "sigmoid"):
        raise RecipeError.of("gelu.form", f"'{form}' given", "expected exact or sigmoid", "e.g. gelu(form=sigmoid)")
    return nn.GELU() if form == "exact" else SigmoidGELU()


def gain(written: str) -> float:
    """The gain of an activation as it is written in a recipe, e.g. of `leaky_relu(slope=0.2)`."""
    catalogue.check(written)
    name, options = parse(written)
    return TRAITS[name].gain(**options)


def _slope(name: str, slope: float) -> float:
    if not 0 <= slope <= 1:
        raise RecipeError.of(f"{name}.slope", f"{slope} given", "expected 0 to 1", f"e.g. {name}(slope=0.01)")
    return slope


def _relu_gain() -> float:
    return math.sqrt(2)


def _leaky_gain(*, slope: float = 0.01) -> float:
    return math.sqrt(2 / (1 + slope**2))


def _prelu_gain(*, slope: float = 0.25) -> float:
    return _leaky_gain(slope=slope)


def _elu_gain(*, alpha: float = 1.0) -> float:
    below = math.e**2 * _normal(-2) - 2 * math.sqrt(math.e) * _normal(-1) + 0.5  # E[(eᶻ − 1)²; z < 0]
    return 1 / math.sqrt(0.5 + alpha**2 * below)


def _gelu_gain(*, form: str = "exact") -> float:
    return 1.5335304411955353 if form == "exact" else 1.5394587622988314


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


TRAITS = {
    "sigmoid": Traits("(0, 1)", "no", "on both sides", False, lambda: 1.0),
    "tanh": Traits("(−1, 1)", "yes", "on both sides", False, lambda: 5 / 3),
    "relu": Traits("[0, ∞)", "no", "below", True, _relu_gain),
    "leaky_relu": Traits("(−∞, ∞)", "no", "no", False, _leaky_gain),
    "prelu": Traits("(−∞, ∞)", "no", "no", False, _prelu_gain),
    "elu": Traits("(−alpha, ∞)", "nearly", "below", False, _elu_gain),
    "selu": Traits("(−1.758, ∞)", "yes", "below", False, lambda: 1.0),
    "gelu": Traits("[−0.170, ∞)", "no", "below", False, _gelu_gain),
    "silu": Traits("[−0.278, ∞)", "no", "below", False, lambda: 1.6765324703310913),
    "maxout": Traits("(−∞, ∞)", "no", "no", False, maxout_gain),
}


def _entry(name: str, build: Callable[..., nn.Module], summary: str, formula: str, source: str) -> Entry[nn.Module]:
    traits = TRAITS[name]
    facts = {
        "range": traits.range,
        "zero-centred": traits.zero_centred,
        "saturates": traits.saturates,
        "can die": "yes" if traits.can_die else "no",
        "gain": f"{traits.gain():.4g}",
    }
    return Entry(name, build, summary, formula, source, facts)


catalogue: Catalogue[nn.Module] = Catalogue(
    "activation",
    _entry(
        "relu",
        nn.ReLU,
        "Zero below zero, the identity above: cheap, never saturates above, but a unit can die.",
        "max(0, x)",
        "L6, C784, R5, DR10; Nair & Hinton 2010",
    ),
    _entry(
        "leaky_relu",
        leaky_relu,
        "A relu that lets a small share through below zero, so that no unit dies.",
        "max(x, slope·x)",
        "L6, C784, R5, DR10; Maas et al. 2013",
    ),
    _entry(
        "prelu",
        prelu,
        "A leaky relu whose slope is learned, one a layer.",
        "max(0, x) + a·min(0, x)",
        "L6, C784; He et al. 2015",
    ),
    _entry(
        "elu",
        elu,
        "Smooth below zero, where it goes to −alpha: outputs nearly centred, noise below zero damped.",
        "x for x > 0, alpha·(eˣ − 1) else",
        "L6, C784, DR10; Clevert et al. 2016",
    ),
    _entry(
        "selu",
        nn.SELU,
        "An elu scaled so that mean 0 and variance 1 are kept through deep networks without a norm; init he has its gain, 1.",
        "1.0507·(x for x > 0, 1.6733·(eˣ − 1) else)",
        "DR10; Klambauer et al. 2017",
    ),
    _entry(
        "gelu",
        gelu,
        "x times the probability that a standard normal number is below x: a smooth relu; form exact (by erf) or sigmoid.",
        "½x (1 + erf(x/√2)); x·σ(1.702x)",
        "DR10; Hendrycks & Gimpel 2016",
    ),
    _entry(
        "silu",
        nn.SiLU,
        "x times its sigmoid: a smooth relu that dips below zero, also called swish.",
        "x / (1 + e⁻ˣ)",
        "DR10; Elfwing et al. 2018, Ramachandran et al. 2017",
    ),
    _entry(
        "maxout",
        maxout,
        "The largest of k linear pieces: neither saturates nor dies; k times the parameters of the layer before it.",
        "max over p of (W_p x + b_p), p = 1 … pieces",
        "C784, R5; Goodfellow et al. 2013",
    ),
    _entry(
        "tanh",
        nn.Tanh,
        "From −1 to 1, centred at zero; saturates on both sides.",
        "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
        "L6, C784, R5; LeCun 1991",
    ),
    _entry(
        "sigmoid",
        nn.Sigmoid,
        "From 0 to 1; saturates on both sides and is not centred at zero.",
        "1 / (1 + e⁻ˣ)",
        "L6, C784, R5",
    ),
)
