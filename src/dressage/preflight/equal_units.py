"""Units that start equal and stay equal: weights of layers, and matrices that a network holds as bare parameters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dressage.findings import Finding
from dressage.preflight.given import race
from dressage.preflight.reinit import linear_layers
from dressage.subject import Lab, advance

STAYS = 10  # steps after which equal units are still equal
LEAST = 0.05  # share of the loss that units drawn at random must rid
COMPARED = 512  # columns by which two rows of weights are held to be equal


def twins(weight: Tensor) -> float:
    """Share of the rows of `(out, in, ...)` that equal another row up to rounding, on some `COMPARED` of its columns at most."""
    rows = weight.detach().flatten(1)
    rows = rows[:, :: max(1, rows.shape[1] // COMPARED)].double()
    size = float(rows.abs().max())
    if size == 0:
        return 1.0
    _, counts = torch.unique((rows / size * 1e5).round(), dim=0, return_counts=True)
    return 1.0 - float((counts == 1).sum()) / len(rows)


def trained(lab: Lab, deadline: float) -> dict[str, Tensor]:
    """Every parameter, after ten steps."""
    model = advance(lab, STAYS, deadline=deadline).model
    return {} if model is None else {name: p.detach() for name, p in model.named_parameters()}


def alike(lab: Lab, deadline: float) -> Finding | None:
    """Bare matrices, those of recurrent layers, or tables of embeddings, whose units stay equal, and drawn at random learn."""
    words = _tables(lab.model)
    found = {name: most for name, p in bare_matrices(lab.model).items() if (most := _along_either(p)) > 0.5}
    found |= {name: most for name, p in words.items() if (most := twins(p.mT)) > 0.5}
    if not found:
        return None
    after = trained(lab, deadline)
    names = [n for n in found if n in after and (twins(after[n].mT) if n in words else _along_either(after[n])) > 0.5]
    if not names:
        return None

    gained = race(lab, lab.changed(lambda model, optimizer: redraw(model, set(found))), deadline, steps=200)
    if gained.gain < LEAST:
        return None
    return Finding(
        "model.symmetric_init",
        "warning",
        names[0],
        f"{found[names[0]]:.0%} of the units of {names[0]} have the weights of another one, and still after {STAYS} steps; "
        f"{gained}",
        "units that start equal get equal gradients and stay equal: the layer works like one unit",
        "draw the first weights at random (He or Xavier)",
        code=f"nn.init.xavier_normal_(model.{names[0]})",
        confidence=0.9,
        numbers={"equal": found[names[0]], "gain": gained.gain},
    )


def redraw(model: nn.Module, names: set[str]) -> None:
    """Xavier for these matrices of a copy, in place."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in names:
                p.copy_(math.sqrt(2 / sum(p.shape)) * torch.randn(p.shape, generator=draw))


def redraw_bare(model: nn.Module) -> None:
    """The matrices of a copy that belong to no layer drawn anew, and vectors of numbers beyond 1 beside them set to 0."""
    owned = {id(p) for m in model.modules() if hasattr(m, "reset_parameters") for p in m.parameters(recurse=False)}
    bare = {n: p for n, p in model.named_parameters() if id(p) not in owned and p.requires_grad}
    redraw(model, {n for n in bare_matrices(model) if n in bare})
    with torch.no_grad():
        for p in bare.values():
            if p.ndim == 1 and p.numel() and float(p.abs().max()) > 1:  # a bias far off; a scale is 1
                p.zero_()


def bare_matrices(model: nn.Module) -> dict[str, nn.Parameter]:
    """Trained matrices by name, of two rows and columns at least, that are no weights of linear layers or embeddings."""
    left = {id(weight) for _, _, weight in linear_layers(model)}
    left |= {id(p) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) for p in m.parameters()}
    return {
        n: p
        for n, p in model.named_parameters()
        if p.ndim == 2 and min(p.shape) > 1 and p.requires_grad and id(p) not in left
    }


def _tables(model: nn.Module) -> dict[str, Tensor]:
    """Trained tables of embeddings, of two numbers a word at least: their units are the columns, and words may be alike."""
    return {
        f"{name}.weight".lstrip("."): m.weight
        for name, m in model.named_modules()
        if isinstance(m, nn.Embedding | nn.EmbeddingBag) and min(m.weight.shape) > 1 and m.weight.requires_grad
    }


def _along_either(weight: Tensor) -> float:
    """Units may be rows or columns: which, only the code that multiplies knows."""
    return max(twins(weight), twins(weight.mT))
