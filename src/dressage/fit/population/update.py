"""What becomes of the members' gradients: penalty, clipping, the optimiser's step, the average; each with its own strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dressage.catalogue import parse
from dressage.fit.population.member import Member
from dressage.fit.population.stack import LARGE, Stack
from dressage.fit.state import State

DESCENDING = ("gd", "sgd", "momentum", "nesterov")
"""By torch's SGD."""


class Rates(NamedTuple):
    """The learning rates of one step."""

    each: Sequence[float]
    """Of each member."""
    column: Tensor
    """`(K, 1)`."""


class Update:
    """The hyper-parameters of a stack as columns `(K, 1)`, and what is done with them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        members = [member for _, member in stack.members]
        groups = [member.state.optimizer.param_groups for member in members]
        self.name = parse(members[0].recipe.optim.name)[0]
        self.decay = [self._column([each[i]["weight_decay"] for each in groups]) for i in range(len(stack.spans))]
        self.momentum = self._column([each[0].get("momentum", 0.0) for each in groups])
        self.clip_value = self._limits([member.recipe.optim.clip_value for member in members])
        self.clip_norm = self._limits([member.recipe.optim.clip_norm for member in members])
        self.square = [self._column([_strength(m, "square", b) for m in members]) for b in _are_biases(stack)]
        self.absolute = [self._column([_strength(m, "absolute", b) for m in members]) for b in _are_biases(stack)]
        self.average = members[0].plan.average
        self.clock = stack.counters["step"][0, 0] if "step" in stack.counters else None
        self.move = self._way()
        self.kernels = [_kernels(self.name, state) for state in stack.states] if self.move == self._by_kernels else []
        self.moved = torch.empty_like(stack.weights) if self.move == self._adapt else stack.weights[:0]
        """Room for the steps of adam."""

    def at(self, rates: Tensor) -> list[Rates]:
        """The steps of an epoch at rates `(steps, K)`."""
        columns = rates.to(self.stack.weights).unsqueeze(2)
        return [Rates(*step) for step in zip(rates.tolist(), columns.unbind(), strict=True)]

    def __call__(self, losses: Tensor, rates: Rates) -> Tensor:
        """Moves the members; their losses `(K,)` with what penalties cost."""
        stack = self.stack
        for span, strength in zip(stack.spans, self.square, strict=True):
            if strength is not None:
                weights = stack.weights[:, span]
                losses = losses + 0.5 * strength[:, 0] * weights.square().sum(1)
                stack.grads[:, span].addcmul_(weights, strength)
        if (limit := self.clip_value) is not None:
            torch.clamp(stack.grads, -limit, limit, out=stack.grads)
        if self.clip_norm is not None:
            norms = torch.linalg.vector_norm(stack.grads, dim=1, keepdim=True)
            stack.grads.mul_(torch.clamp(self.clip_norm / (norms + 1e-6), max=1.0))
        self.move(rates)
        for span, strength in zip(stack.spans, self.absolute, strict=True):
            if strength is not None:
                weights, within = stack.weights[:, span], rates.column * strength
                weights.sub_(torch.maximum(torch.minimum(weights, within), -within))
        if self.average is not None and stack.averages is not None:
            self.average.update([stack.weights], [stack.averages], stack.step)
        stack.step += 1
        return losses

    def _way(self) -> Callable[[Rates], None]:
        """By one call for all where their sizes and the state of the optimiser allow it.

        Of large ones torch's kernel is called for each: a call costs less than another pass over memory.
        """
        is_large = self.stack.weights.shape[1] >= LARGE
        if self.name in DESCENDING and (self.momentum is None or self.stack.slots):
            return self._by_kernels if is_large else self._descend
        if self.name in ("adam", "adamw") and self.stack.slots:
            return self._by_kernels if is_large else self._adapt
        return self._each

    def _each(self, rates: Rates) -> None:
        """The optimisers' own steps."""
        for state, rate in zip(self.stack.states, rates.each, strict=True):
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            kernel = state.kernel()
            if kernel is None or not kernel.step(rate):
                state.optimizer.step()

    def _by_kernels(self, rates: Rates) -> None:
        """The kernels that the optimisers' own steps call."""
        if "step" in self.stack.counters:
            self.stack.counters["step"].add_(1)
        for own, rate in zip(self.kernels, rates.each, strict=True):
            for kernel in own:
                kernel(lr=rate)

    def _descend(self, rates: Rates) -> None:
        """torch's SGD: g ← g + λθ; v ← ρv + g; θ ← θ − lr·v, or θ − lr·(g + ρv) of nesterov."""
        weights, grads = self.stack.weights, self.stack.grads
        self._decay_in_gradient()
        if self.momentum is not None:
            running = self.stack.slots["momentum_buffer"]
            torch.addcmul(grads, running, self.momentum, out=running)
            grads = grads.addcmul_(running, self.momentum) if self.name == "nesterov" else running
        weights.addcmul_(grads, rates.column, value=-1)

    def _adapt(self, rates: Rates) -> None:
        """torch's fused Adam at rate 1 takes m̂/(√v̂ + ε) from 0, of adamw from −λθ; each member then goes by its own rate."""
        stack, group, moved = self.stack, self.stack.states[0].optimizer.param_groups[0], self.moved
        is_decoupled = self.name == "adamw"
        if not is_decoupled:
            self._decay_in_gradient()
        for span, decay in zip(stack.spans, self.decay, strict=True):
            if decay is not None and is_decoupled:
                torch.mul(stack.weights[:, span], -decay, out=moved[:, span])
            else:
                moved[:, span].zero_()
        assert self.clock is not None
        stack.counters["step"].add_(1)
        torch._fused_adam_(
            [moved],
            [stack.grads],
            [stack.slots["exp_avg"]],
            [stack.slots["exp_avg_sq"]],
            [],
            [self.clock],
            lr=1.0,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )
        stack.weights.addcmul_(moved, rates.column)

    def _decay_in_gradient(self) -> None:
        for span, decay in zip(self.stack.spans, self.decay, strict=True):
            if decay is not None:
                self.stack.grads[:, span].addcmul_(self.stack.weights[:, span], decay)

    def _column(self, values: Sequence[float]) -> Tensor | None:
        """None where all are 0."""
        made = torch.tensor(values, dtype=torch.float64).to(self.stack.weights)
        return made.unsqueeze(1) if bool(made.any()) else None

    def _limits(self, values: Sequence[float]) -> Tensor | None:
        """Where 0 is no limit; None where nobody has one."""
        return self._column([value or math.inf for value in values]) if any(values) else None


def _kernels(name: str, state: State) -> list[Callable[..., object]]:
    """For each flat buffer the kernel of torch's fused optimiser, which takes the rate."""
    found: list[Callable[..., object]] = []
    for group in state.optimizer.param_groups:
        for flat in group["params"]:
            kept = state.optimizer.state.get(flat, {})
            whole = {"weight_decay": group["weight_decay"], "maximize": False}
            if name in DESCENDING:
                momentum, more = group["momentum"], {"dampening": 0.0, "is_first_step": False}
                buffers = [kept["momentum_buffer"]] if momentum else []
                whole |= {"momentum": momentum, "nesterov": group["nesterov"], **more}
                found.append(partial(torch._fused_sgd_, [flat], [flat.grad], buffers, **whole))
                continue
            kernel = torch._fused_adamw_ if name == "adamw" else torch._fused_adam_
            betas = {"beta1": group["betas"][0], "beta2": group["betas"][1], "eps": group["eps"], "amsgrad": False}
            averages, steps = ([kept["exp_avg"]], [kept["exp_avg_sq"]]), [kept["step"]]
            found.append(partial(kernel, [flat], [flat.grad], *averages, [], steps, **whole, **betas))
    return found


def _are_biases(stack: Stack) -> list[bool]:
    """For each flat buffer whether it is that of biases: one dimension, and no decay."""
    places = {int(p.storage_offset()): p.ndim <= 1 for p in stack.states[0].model.parameters()}
    return [next(flat for at, flat in places.items() if span.start <= at < span.stop) for span in stack.spans]


def _strength(member: Member, kind: Literal["square", "absolute"], biases: bool) -> float:
    """λ of weights, or of biases."""
    told: list[tuple[float, bool]] = [getattr(technique, kind) for technique in member.plan.regularize]
    return sum(strength for strength, also_biases in told if also_biases or not biases)
