"""Nonlinearities, torch's own. `catalogue[name].build()` gives a module that maps any shape to the same shape."""

from __future__ import annotations

from torch import nn

from dressage.catalogue import Catalogue, Entry

catalogue: Catalogue[nn.Module] = Catalogue(
    "activation",
    Entry(
        "relu",
        nn.ReLU,
        "Zero below zero, the identity above: cheap, never saturates above, but a unit can die.",
        "max(0, x)",
        "L6, C784, R5, DR10; Nair & Hinton 2010",
    ),
    Entry(
        "tanh",
        nn.Tanh,
        "From −1 to 1, centred at zero; saturates on both sides.",
        "(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)",
        "L6, C784, R5; LeCun 1991",
    ),
    Entry(
        "sigmoid",
        nn.Sigmoid,
        "From 0 to 1; saturates on both sides and is not centred at zero.",
        "1 / (1 + e⁻ˣ)",
        "L6, C784, R5",
    ),
    Entry(
        "gelu",
        nn.GELU,
        "x times the probability that a standard normal number is below x: a smooth relu (the exact form, by erf).",
        "½x (1 + erf(x/√2))",
        "DR10; Hendrycks & Gimpel 2016",
    ),
)
