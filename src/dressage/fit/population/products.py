"""Forward and backward of K chains at once: one product for a layer that all give the same rows, K in a batch elsewhere.

Features come first and rows last, `(K, F, B)`: so K layers on the same rows are one matrix `(K·F, D)` times `(D, B)`, and a
softmax over classes runs along memory (20 times faster for 10 classes than over the last dimension).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain as joined
from typing import Any

import torch
from torch import Tensor, nn

from dressage.data.batches import in_order
from dressage.fit.population.inputs import Given, Inputs
from dressage.fit.population.loss import Losses
from dressage.fit.population.stack import Stack
from dressage.fit.validate import EVALUATION_BATCH
from dressage.layers.dropped import VanillaDropout
from dressage.layers.noise import GaussianNoise

BIG = 500_000
"""Multiplications of a member's layer from which on its gradient is a product of its own: no copy of it is made, which then
costs more than a call.
"""


class Products:
    """The chains of a stack."""

    def __init__(self, stack: Stack, inputs: Inputs) -> None:
        members = [member for _, member in stack.members]
        self.stack, self.losses = stack, Losses(members)
        self.layers = [_shared(stack, layers) for layers in zip(*(c.layers for c in inputs.chains), strict=True)]
        self.vanilla = _kept_shares(inputs)
        names = _names(stack, inputs)
        weights = stack.parameters(stack.weights)
        self.weights = [[weights[name].requires_grad_() for name in own] for own in names]
        grads = stack.parameters(stack.grads)
        self.grads = [grads[name] for own in names for name in own]
        self.leaves = list(joined(*self.weights))
        self.of = dict(zip(self.leaves, self.grads, strict=True))
        self.ones = torch.ones(len(stack), dtype=self.leaves[0].dtype, device=self.leaves[0].device)
        averages = weights if stack.averages is None else stack.parameters(stack.averages)
        self.averages = [[averages[name].detach() for name in own] for own in names]

    def back_propagated(self, given: Given) -> Tensor:
        """`(K,)`: the losses; their gradients are left in the stack."""
        outputs = self._outputs(self.weights, _features_first(given.x, given.is_shared), given.noise)
        losses = self.losses(outputs, given.y, given.is_shared)
        found = torch.autograd.grad(losses, self.leaves, self.ones, allow_unused=True)
        pairs = [(grad, own) for grad, own in zip(self.grads, found, strict=True) if own is not None]
        torch._foreach_copy_([grad for grad, _ in pairs], [own for _, own in pairs])
        return losses.detach()

    @torch.no_grad()
    def validated(self) -> Tensor:
        """`(K, C, N)` float32: what the members, or their averages, say of the validation part."""
        member = self.stack.members[0][1]
        assert member.validation is not None
        pieces = []
        for batch in in_order(member.validation, EVALUATION_BATCH, self.stack.weights.device):
            pieces.append(self._outputs(self.averages, _features_first(member.plan.cast(batch.x), True), None).float())
        return torch.cat(pieces, 2)

    def _outputs(
        self,
        weights: Sequence[Sequence[Tensor]],
        x: Tensor,
        noise: Mapping[int, Sequence[tuple[type[nn.Module], Tensor]]] | None,
    ) -> Tensor:
        """`(K, C, B)` of `x` `(D, B)` or `(K, D, B)`; `noise` None: in evaluation mode."""
        x = self._disturbed(-1, x, noise)
        for at, (layer, own) in enumerate(zip(self.layers, weights, strict=True)):
            if layer is not None:
                x = layer(x)
            elif x.dim() == 2 and own[0].requires_grad and own[0][0].numel() * x.shape[1] >= BIG:
                x = _EachGradient.apply(  # type: ignore[no-untyped-call]
                    own[0], own[1] if len(own) > 1 else None, x, self.of[own[0]]
                )
            else:
                x = _linear(x, *own)
            x = self._disturbed(at, x, noise)
        return x

    def _disturbed(
        self, at: int, x: Tensor, noise: Mapping[int, Sequence[tuple[type[nn.Module], Tensor]]] | None
    ) -> Tensor:
        if noise is None:
            return x * self.vanilla[at] if at in self.vanilla else x
        for kind, drawn in noise.get(at, ()):
            x = x + drawn if issubclass(kind, GaussianNoise) else x * drawn
        return x


class _EachGradient(torch.autograd.Function):
    """`_linear` on rows that all share; in the way back a product for each member, which leaves its gradient in the stack."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, x: Tensor, grads: Tensor) -> Tensor:
        ctx.rows, ctx.grads, ctx.has_bias = x.t(), grads, bias is not None
        return _linear(x, weight) if bias is None else _linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[None, Tensor | None, None, None]:
        for own, grad in zip(above[0], ctx.grads, strict=True):
            torch.mm(own, ctx.rows, out=grad)
        return None, above[0].sum(2) if ctx.has_bias else None, None, None


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`(K, F, B)` of weights `(K, F, D)`, biases `(K, F)`."""
    k, features, inputs = weight.shape
    if x.dim() == 2:
        flat = weight.reshape(k * features, inputs)
        out = flat @ x if bias is None else torch.addmm(bias.reshape(-1, 1), flat, x)
        return out.view(k, features, -1)
    return torch.bmm(weight, x) if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, x)


def _features_first(x: Tensor, shared: bool) -> Tensor:
    return x.flatten(1).t() if shared else x.flatten(2).transpose(1, 2)


def _shared(stack: Stack, layers: Sequence[nn.Module]) -> nn.Module | None:
    """An activation, which has no parameters; None for a linear layer."""
    return None if isinstance(layers[0], nn.Linear) else layers[0]


def _names(stack: Stack, inputs: Inputs) -> list[list[str]]:
    """The names of each layer's parameters."""
    names = {id(p): name for name, p in stack.states[0].model.named_parameters()}
    return [[names[id(p)] for p in layer.parameters()] for layer in inputs.chains[0].layers]


def _kept_shares(inputs: Inputs) -> dict[int, Tensor]:
    """`(K, 1, 1)`: what vanilla dropout multiplies by in evaluation mode, by its place."""
    found = {}
    for i, (at, kind) in enumerate(zip(inputs.places, inputs.kinds, strict=True)):
        if issubclass(kind, VanillaDropout):
            weight = inputs.members[0].state.weights[0]
            kept = [1 - float(slots[i].p) for slots in inputs.slots]  # type: ignore[union-attr, arg-type]
            found[at] = torch.tensor(kept, dtype=weight.dtype, device=weight.device)[:, None, None]
    return found
