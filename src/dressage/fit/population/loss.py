"""The losses and the metrics of K members at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dressage.catalogue import parse
from dressage.fit.population.member import Member, is_smoothed
from dressage.fit.validate import judged

MAPPED = ("mse", "huber", "logistic")
"""Losses of torch that `vmap` takes whole."""


class Losses:
    """The training losses of members whose losses are of one kind."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.plans = [member.plan for member in members]
        self.is_smoothed = is_smoothed(members[0].recipe)
        share = torch.tensor([member.recipe.loss.label_smoothing for member in members], dtype=torch.float64)
        self.smoothing = share.to(members[0].state.weights[0])[:, None, None] if bool(share.any()) else None
        name = parse(members[0].recipe.loss.name)[0]
        self.is_mapped = name in MAPPED

    def __call__(self, outputs: Tensor, y: Tensor, shared: bool) -> tuple[Tensor, Tensor]:
        """`(K,)` of outputs `(K, C, B)` against targets `(B, ...)`, or `(K, B, ...)` of their own; and the outputs' gradient."""
        if self.is_smoothed:
            return self._cross_entropies(outputs, y.unsqueeze(0) if shared else y)
        with torch.enable_grad():
            losses = self._by_torch(outputs.requires_grad_(), y, shared)
            (above,) = torch.autograd.grad(losses.sum(), outputs)
        return losses.detach(), above

    def _by_torch(self, outputs: Tensor, y: Tensor, shared: bool) -> Tensor:
        if self.is_mapped:
            one = torch.func.vmap(self.plans[0].objective.loss, (0, None if shared else 0))
            return one(outputs.transpose(1, 2), y)
        targets = [y] * len(outputs) if shared else list(y)
        return torch.stack([p.objective.loss(o.t(), t) for p, o, t in zip(self.plans, outputs, targets, strict=True)])

    def _cross_entropies(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """L = −Σ t·log p of shares t = (1 − ε)·y + ε/C, the mean over rows; y `(1 or K, B)`, or shares `(1 or K, B, C)`."""
        classes, rows = outputs.shape[1:]
        if y.is_floating_point():
            down = y.transpose(1, 2).to(outputs.dtype).mul(-1 / rows).expand_as(outputs)
        else:
            at = y.unsqueeze(1).expand(len(outputs), 1, rows)
            down = torch.zeros_like(outputs).scatter_(1, at, -1 / rows)
        if self.smoothing is not None:
            down = torch.lerp(down, down.new_full((), -1 / (classes * rows)), self.smoothing)
        logs = outputs.log_softmax(1)
        above = torch._log_softmax_backward_data(down.contiguous(), logs, 1, logs.dtype)
        return (logs * down).sum((1, 2)), above


def metrics_of(members: Sequence[Member], outputs: Tensor) -> list[dict[str, float]]:
    """What validation says of each member, of its outputs `(K, C, N)`."""
    part, plan = members[0].validation, members[0].plan
    assert part is not None
    y = part.targets.to(outputs.device)
    if not is_smoothed(members[0].recipe) or plan.objective.metric != "accuracy" or y.is_floating_point():
        return [judged(m.plan, o.t(), y) for m, o in zip(members, outputs, strict=True)]
    losses = F.cross_entropy(outputs, y.expand(len(outputs), -1), reduction="none").mean(1)
    right = (outputs.argmax(1) == y).sum(1)
    told = zip(losses.tolist(), right.tolist(), strict=True)
    return [{"val_loss": loss, "val_accuracy": plan.objective.finish(n / len(y)) * plan.unit} for loss, n in told]
