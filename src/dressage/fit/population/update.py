"""What becomes of the members' gradients: penalty, clipping, the optimiser's step, the average; each with its own strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from dressage.catalogue import parse
from dressage.fit.population.member import Member
from dressage.fit.population.stack import Stack

LARGE = 32_768
"""Numbers of a member from which on the fused kernel is called for each: a call costs less than another pass over memory."""


class Update:
    """The hyper-parameters of a stack as columns `(K, 1)`, and what is done with them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        members = [member for _, member in stack.members]
        weights = stack.weights[0]

        def column(values: Sequence[float]) -> Tensor | None:
            made = torch.tensor(values, dtype=torch.float64).to(weights)
            return made.unsqueeze(1) if bool(made.any()) else None

        groups = [member.state.optimizer.param_groups for member in members]
        self.decay = [column([each[i]["weight_decay"] for each in groups]) for i in range(len(stack.weights))]
        self.momentum = column([each[0].get("momentum", 0.0) for each in groups])
        self.clip_value = column(
            [m.recipe.optim.clip_value or float("inf") for m in members if _any(members, "clip_value")]
        )
        self.clip_norm = column(
            [m.recipe.optim.clip_norm or float("inf") for m in members if _any(members, "clip_norm")]
        )
        self.square = [column([_strength(m, "square", b) for m in members]) for b in _biases(stack)]
        self.absolute = [column([_strength(m, "absolute", b) for m in members]) for b in _biases(stack)]
        self.average = members[0].plan.average
        self.name = parse(members[0].recipe.optim.name)[0]
        self.move = self._way()

    def __call__(self, losses: Tensor, rates: Tensor, column: Tensor) -> Tensor:
        """Moves the members at their rates, `(K,)` float64 and as a column `(K, 1)`; their losses with what penalties cost."""
        stack = self.stack
        for weights, grads, strength in zip(stack.weights, stack.grads, self.square, strict=True):
            if strength is not None:
                losses = losses + 0.5 * strength[:, 0] * weights.square().sum(1)
                grads.addcmul_(weights, strength)
        self._clip(stack.grads)
        self.move(rates, column)
        for weights, strength in zip(stack.weights, self.absolute, strict=True):
            if strength is not None:
                within = column * strength
                weights.sub_(torch.maximum(torch.minimum(weights, within), -within))
        if self.average is not None:
            self.average.update(stack.weights, stack.averages, stack.step)
        stack.step += 1
        return losses

    def _clip(self, grads: Sequence[Tensor]) -> None:
        if (limit := self.clip_value) is not None:
            for g in grads:
                torch.clamp(g, -limit, limit, out=g)
        if self.clip_norm is not None:
            norms = torch.stack([torch.linalg.vector_norm(g, dim=1) for g in grads]).norm(dim=0).unsqueeze(1)
            scale = torch.clamp(self.clip_norm / (norms + 1e-6), max=1.0)
            for g in grads:
                g.mul_(scale)

    def _way(self) -> Callable[[Tensor, Tensor], None]:
        """By one call for all where their sizes and the state of the optimiser allow it."""
        if self.name in ("gd", "sgd", "momentum", "nesterov") and (self.momentum is None or self.stack.slots[0]):
            return self._descend
        size = sum(weights.shape[1] for weights in self.stack.weights)
        if self.name in ("adam", "adamw") and size < LARGE and self.stack.slots[0]:
            return self._adapt
        return self._each

    def _each(self, rates: Tensor, column: Tensor) -> None:
        """The optimisers' own steps."""
        for state, rate in zip(self.stack.states, rates.tolist(), strict=True):
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            kernel = state.kernel()
            if kernel is None or not kernel.step(rate):
                state.optimizer.step()

    def _descend(self, rates: Tensor, column: Tensor) -> None:
        """torch's SGD: g ← g + λθ; v ← ρv + g; θ ← θ − lr·v, or θ − lr·(g + ρv) of nesterov."""
        for i, (weights, grads) in enumerate(zip(self.stack.weights, self.stack.grads, strict=True)):
            if (decay := self.decay[i]) is not None:
                grads.addcmul_(weights, decay)
            moved = grads
            if self.momentum is not None:
                running = self.stack.slots[i]["momentum_buffer"]
                torch.addcmul(grads, running, self.momentum, out=running)
                moved = grads.addcmul_(running, self.momentum) if self.name == "nesterov" else running
            weights.addcmul_(moved, column, value=-1)

    def _adapt(self, rates: Tensor, column: Tensor) -> None:
        """torch's fused Adam at rate 1 on zeros gives −m̂/(√v̂ + ε) of all members; each then goes by its own rate."""
        stack, group = self.stack, self.stack.states[0].optimizer.param_groups[0]
        steps = [torch.zeros_like(weights) for weights in stack.weights]
        counters = [slots["step"] for slots in stack.slots]
        torch._foreach_add_(counters, 1)
        for weights, grads, decay in zip(stack.weights, stack.grads, self.decay, strict=True):
            if decay is not None and self.name == "adam":
                grads.addcmul_(weights, decay)
            elif decay is not None:
                weights.mul_(1 - column * decay)
        torch._fused_adam_(
            steps,
            stack.grads,
            [slots["exp_avg"] for slots in stack.slots],
            [slots["exp_avg_sq"] for slots in stack.slots],
            [],
            [counter[0] for counter in counters],
            lr=1.0,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )
        for weights, step in zip(stack.weights, steps, strict=True):
            weights.addcmul_(step, column)


def _any(members: Sequence[Member], name: str) -> bool:
    return any(getattr(member.recipe.optim, name) for member in members)


def _biases(stack: Stack) -> list[bool]:
    """For each flat buffer whether it is that of biases: one dimension, and no decay."""
    first = stack.states[0]
    found = [False] * len(first.weights)
    for p in first.model.parameters():
        i = next(i for i, flat in enumerate(first.weights) if _within(p, flat))
        found[i] = p.ndim <= 1
    return found


def _within(p: Tensor, flat: Tensor) -> bool:
    same = p.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()
    return same and flat.storage_offset() <= p.storage_offset() < flat.storage_offset() + flat.numel()


def _strength(member: Member, kind: Literal["square", "absolute"], biases: bool) -> float:
    """λ of weights, or of biases."""
    told: list[tuple[float, bool]] = [getattr(technique, kind) for technique in member.plan.regularize]
    return sum(strength for strength, also_biases in told if also_biases or not biases)
