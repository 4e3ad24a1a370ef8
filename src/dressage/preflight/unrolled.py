"""Networks that multiply by one matrix step after step: what the gradient becomes on its way back to the first step."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from dressage.findings import Finding
from dressage.preflight.given import Given, given, race
from dressage.subject import Lab, Subject, evaluated, first_output

STEPS = 8  # of a sequence, from which a matrix that is a little too large tells
EXPLODES = 70.0  # gradient at the first step beside that at the last, or at the largest after it
FADES = 1e-3  # the same, of a gradient that does not arrive: as between the first and the last layer of a deep network
HARM, STUCK = 0.15, 0.75
"""Share of the loss that matrices of the right size must save; share of a loss that knows nothing that is left without."""


def exploding_through_time(found: Given, neutral: float, lab: Lab, deadline: float) -> Finding | None:
    """A gradient that grows from step to step back through a sequence, and a copy with smaller recurrent weights that learns."""
    x = found.x
    if x.ndim != 3 or not x.is_floating_point() or x.shape[1] < STEPS:
        return None
    matrices = recurrent(found.model, x[:4])
    growth = _growth(found) if matrices else 1.0
    if not growth > EXPLODES:
        return None
    factor = growth ** (-1 / (x.shape[1] - 1))

    def edit(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        every = dict(model.named_parameters())
        with torch.no_grad():
            for name in matrices:
                every[name].mul_(factor)

    calmer = lab.changed(edit)
    if not _growth(replace(found, model=evaluated(calmer.model))) < growth**0.5:
        return None  # a series that is read from its end, and a gradient that vanishes on its way
    gained = race(lab, calmer, deadline, steps=200)
    harmful = gained.gain >= HARM and not gained.left < STUCK * neutral
    return Finding(
        "optim.exploding_gradients",
        "warning" if harmful else "info",
        matrices[0],
        f"the gradient grows {growth:.3g}-fold back through {x.shape[1]} steps; with recurrent weights {factor:.2g} times as "
        f"large {gained}",
        "each step multiplies the state, and through many steps that multiplies again and again",
        "begin with an orthogonal matrix of gain 1, clip the gradient, or take a GRU or an LSTM",
        edit={"optim.clip_norm": 1.0},
        code=f"nn.init.orthogonal_({matrices[0]}); clip_grad_norm_(model.parameters(), 1.0)",
        confidence=0.85,
        numbers={"growth": growth, "gain": gained.gain},
    )


def faded(subject: Subject, most: float = FADES) -> tuple[str, float, int] | None:
    """A recurrent matrix, how little of the gradient at a sequence's last steps its first ones get, and how many there are.

    None where that is more than `most`, or cannot be had: sequences of words have no gradient.
    """
    found = given(subject, 256)
    if found.x.ndim != 3 or not found.x.is_floating_point() or found.x.shape[1] < STEPS:
        return None
    matrices = recurrent(found.model, found.x[:4])
    growth = _growth(found) if matrices else 1.0
    return (matrices[0], growth, found.x.shape[1]) if growth < most else None


def recurrent(model: nn.Module, x: Tensor) -> list[str]:
    """Names of square weights that a pass multiplies by at least half as often as the sequence has steps."""
    counts: dict[str, int] = {}

    def count(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1

    handles = [m.register_forward_hook(lambda *_, name=n: count(name)) for n, m in model.named_modules()]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for name, module in model.named_modules():
        many = isinstance(module, nn.RNN) or counts.get(name, 0) >= x.shape[1] / 2
        for own, p in module.named_parameters(recurse=False):
            square = p.ndim == 2 and p.shape[0] == p.shape[1] and "weight_ih" not in own
            if many and square and p.requires_grad:
                found.append(f"{name}.{own}" if name else own)
    return found


def _growth(found: Given) -> float:
    """Gradient of the loss at the inputs of the first steps over that of the last ones; 1 where it cannot be had."""
    x = found.x.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        loss = found.loss_fn(first_output(found.model(x)), found.y).mean()
        if not loss.requires_grad:
            return 1.0
        (gradient,) = torch.autograd.grad(loss, [x], allow_unused=True)
    if gradient is None:
        return 1.0
    sizes = gradient.double().square().sum((0, 2)).sqrt()
    few = max(1, len(sizes) // 8)
    last = float(sizes[-few:].mean())
    return float(sizes[:few].mean()) / last if last > 0 and bool(sizes.isfinite().all()) else 1.0
