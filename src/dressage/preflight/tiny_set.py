"""A tiny set: what learns at all fits 20 rows, by the user's own optimiser or by a rate that suits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight.first_loss import neutral_loss
from dressage.preflight.given import Given, loss_given, outputs_given, rows_given
from dressage.preflight.result import Seen
from dressage.subject import Subject, copy_of, first_output, generators_kept, labels_of
from dressage.subject.continuation import stepped

ROWS, STEPS = 20, 300
FITTED = 0.1  # share of the implied loss below which the set counts as fitted
RATES = (1e-3, 1e-2, 1e-4)


def tiny_set(subject: Subject, deadline: float) -> list[Finding]:
    """Fits 20 rows by the user's optimiser and by Adam, without dropout, decay or penalty. C784, CS231n."""
    loss_fn = loss_given(subject)
    x, y = tiny_rows(subject)
    plain = copy_of(subject.model).eval()
    found = Given(plain, x, y, loss_fn)
    outputs = outputs_given(found)
    first, neutral = float(loss_fn(outputs, y).mean()), neutral_loss(found, outputs)
    level = neutral if math.isfinite(neutral) and neutral > 0 else abs(first)
    own = math.nan
    if subject.optimizer is not None:
        model, optimizer = subject.fresh()
        assert optimizer is not None
        own = _least(fit_rows(model, optimizer, loss_fn, x, y, STEPS, FITTED * level / 4, deadline))
    tried: dict[float, float] = {}
    for rate in RATES:
        if own < FITTED * level or min(tried.values(), default=math.inf) < FITTED * level or work_seconds() > deadline:
            break
        model = copy_of(subject.model)
        model.requires_grad_(True)
        adam = torch.optim.Adam(model.parameters(), rate)
        tried[rate] = _least(fit_rows(model, adam, loss_fn, x, y, STEPS, FITTED * level / 4, deadline))
    return _judged(subject, (x, y), first, level, own, tried)


def fit_rows(
    model: nn.Module,
    optimizer: Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Any],
    x: Tensor,
    y: Tensor,
    steps: int,
    until: float = -math.inf,
    deadline: float = math.inf,
) -> list[float]:
    """Losses of full-batch steps that move `model`, with dropout and weight decay off, until one is below `until`."""
    for group in optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = 0.0
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    losses: list[float] = []

    def closure(backward: bool = True) -> Tensor:
        loss: Tensor = loss_fn(first_output(model(x)), y).mean()
        if not backward:  # asked for by optimisers that derive the loss themselves
            return loss
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    with generators_kept(), torch.enable_grad():
        while len(losses) < steps and work_seconds() < deadline:
            losses.append(stepped(optimizer, closure))
            if not math.isfinite(losses[-1]) or losses[-1] < until:
                break
    return losses


def tiny_rows(subject: Subject, count: int = ROWS) -> tuple[Tensor, Tensor]:
    """`count` rows, as many of each class as can be, on the model's device."""
    rows = rows_given(subject)
    chosen = torch.arange(min(count, len(rows)))
    if subject.task in ("classification", "binary") and labels_of(rows.y, subject.task).ndim == 1:
        labels = labels_of(rows.y, subject.task)
        turn = torch.zeros(len(labels), dtype=torch.int64)
        for label in torch.unique(labels):
            own = (labels == label).nonzero().flatten()
            turn[own] = torch.arange(len(own))
        chosen = torch.argsort(turn, stable=True)[:count].sort().values
    return rows.x[chosen].to(subject.device), rows.y[chosen].to(subject.device)


def _judged(
    subject: Subject, rows: tuple[Tensor, Tensor], first: float, level: float, own: float, tried: dict[float, float]
) -> list[Finding]:
    count = len(rows[0])
    best = min([v for v in (own, *tried.values()) if math.isfinite(v)], default=math.nan)
    said = f"{count} rows: loss {first:.4g}" + ("" if math.isnan(own) else f", {own:.3g} by your optimiser")
    said += "".join(f", {v:.3g} by Adam at {r:g}" for r, v in tried.items())
    if own < FITTED * level or (math.isnan(own) and best < FITTED * level) or not tried:
        return Seen(said=said)
    if best < FITTED * level:
        rate = min(tried, key=lambda r: tried[r])
        return Seen(
            [_symptom("info", said, f"your optimiser at its rate does not fit {count} rows, Adam at {rate:g} does")],
            said,
        )
    if math.isfinite(best) and level - best > 0.1 * level:
        return Seen(said=said)
    fit = _linear_fit(*rows, subject)
    if fit < 0.5:
        return Seen(said=said)
    seen = f"{said}; a linear fit explains {fit:.0%} of these targets"
    return Seen(
        [_symptom("warning", seen, f"{count} rows are not fitted at any rate: the network cannot learn as it is")], said
    )


def _symptom(severity: str, evidence: str, cause: str) -> Finding:
    return Finding(
        "sym.loss_not_decreasing",
        severity,  # type: ignore[arg-type]
        "tiny set",
        evidence,
        cause,
        "look at the findings beside this one; else at the first weights, the loss and the rate",
        confidence=0.6,
    )


def _least(losses: list[float]) -> float:
    if not losses or not all(map(math.isfinite, losses)):
        return math.inf
    return min(losses)


def _linear_fit(x: Tensor, y: Tensor, subject: Subject) -> float:
    """R² of the least-squares fit of the targets (one-hot for classes) on standardised inputs."""
    if not x.is_floating_point():
        return 0.0
    x = x.double().flatten(1).cpu()
    x = torch.cat([(x - x.mean(0)) / x.std(0).clamp_min(1e-9), torch.ones(len(x), 1, dtype=x.dtype)], 1)
    if subject.task == "classification":
        labels = labels_of(y, "classification").cpu()
        t = torch.nn.functional.one_hot(labels.flatten(), subject.classes)[: len(x)].double()
    else:
        t = y.double().reshape(len(y), -1).cpu()
    left = t - x @ torch.linalg.lstsq(x, t, driver="gelsd").solution
    return 1 - float(left.square().sum() / (t - t.mean(0)).square().sum().clamp_min(1e-12))
