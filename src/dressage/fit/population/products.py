"""Forward and backward of K chains at once: one product for a layer that all give the same rows, K in a batch elsewhere.

Features come first and rows last, `(K, F, B)`: so K layers on the same rows are one matrix `(K·F, D)` times `(D, B)`, and a
softmax over classes runs along memory (20 times faster for 10 classes than over the last dimension). The way back is written
out, since of small networks autograd's bookkeeping would take longer than the products; the loss is differentiated by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dressage.data.batches import in_order
from dressage.fit.population.chain import Chain
from dressage.fit.population.inputs import Given, Inputs
from dressage.fit.population.loss import Losses
from dressage.fit.population.stack import LARGE, Stack
from dressage.layers.dropped import VanillaDropout
from dressage.layers.noise import GaussianNoise

Drawn = Mapping[int, Sequence[tuple[type[nn.Module], Tensor]]]
BIG = 500_000
"""Multiplications of a member's layer from which on its gradient is a product of its own: it goes to its place without a copy,
which is then worth a call.
"""

ROWS = 128
"""Rows of a validation batch: turned to columns they stay in the cache (of 512 rows of 3,072 numbers that took as long as a
product for four members)."""
SPARE = 1.1
"""Times its own numbers that the first layer may be computed with, so that all members are one matrix."""


class Linear(NamedTuple):
    """A linear layer of all members, or its gradients."""

    weight: Tensor
    """`(K, F, D)`."""
    bias: Tensor | None
    """`(K, F)`."""
    column: Tensor | None
    """`(K, F, 1)`: the biases."""
    turned: Tensor
    """`(K, D, F)`."""
    each: Sequence[Tensor]
    """K times `(F, D)`."""
    joint: Tensor | None
    """`(K·R, D)`: the weights of all members and what lies between them as one matrix, if they are so spaced."""


class Products:
    """The chains of a stack."""

    def __init__(self, stack: Stack, inputs: Inputs) -> None:
        members = [member for _, member in stack.members]
        self.stack, self.losses = stack, Losses(members)
        chain = inputs.forms[0]
        assert isinstance(chain, Chain)
        self.layers = chain.layers
        self.first = next(at for at, layer in enumerate(self.layers) if isinstance(layer, nn.Linear))
        self.vanilla = _kept_shares(inputs)
        names = {id(p): name for name, p in stack.states[0].model.named_parameters()}
        own = [[names[id(p)] for p in layer.parameters()] for layer in self.layers]
        self.weights, self.grads = _by_layer(stack, stack.weights, own), _by_layer(stack, stack.grads, own)
        self.averages = self.weights if stack.averages is None else _by_layer(stack, stack.averages, own)
        self.is_joint = self.first == 0 and self.weights[0].joint is not None
        """Whether the first layers are one matrix, which takes rows as they come."""

    @torch.no_grad()
    def back_propagated(self, given: Given) -> Tensor:
        """`(K,)`: the losses; their gradients are left in the stack."""
        seen: list[tuple[Tensor, Tensor]] = []
        x = given.x.flatten(1).t() if given.is_shared else given.x.flatten(2).transpose(1, 2)
        is_taken = self.is_joint and given.is_shared and -1 not in given.noise
        outputs = self._outputs(self.weights, x if is_taken else x.contiguous(), given.noise, seen)
        losses, above = self.losses(outputs, given.y, given.is_shared)
        for at in range(len(self.layers) - 1, self.first - 1, -1):
            for kind, drawn in given.noise.get(at, ()):
                above = above if issubclass(kind, GaussianNoise) else above * drawn
            layer, (x, out) = self.layers[at], seen[at]
            if not isinstance(layer, nn.Linear):
                above = _through(layer, above, x, out)
                continue
            self._keep(self.grads[at], x, above)
            if at > self.first:
                above = torch.bmm(self.weights[at].turned, above)
        return losses

    @torch.no_grad()
    def validated(self) -> Tensor:
        """`(K, C, N)` float32: what the members, or their averages, say of the validation part."""
        member = self.stack.members[0][1]
        assert member.validation is not None
        pieces = []
        for batch in in_order(member.validation, ROWS, self.stack.weights.device):
            x = member.plan.cast(batch.x).flatten(1).t()
            is_taken = self.is_joint and -1 not in self.vanilla
            pieces.append(self._outputs(self.averages, x if is_taken else x.contiguous(), None).float())
        return torch.cat(pieces, 2)

    def _outputs(
        self,
        weights: Mapping[int, Linear],
        x: Tensor,
        noise: Drawn | None,
        seen: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """`(K, C, B)` of `x` `(D, B)` or `(K, D, B)`; `noise` None: in evaluation mode. `seen` gets what each took and gave."""
        x = self._disturbed(-1, x, noise)
        for at, layer in enumerate(self.layers):
            if isinstance(layer, nn.Linear):
                out = _linear(x, weights[at])
            else:  # what a linear layer gave is looked at by nobody else
                is_free = at > 0 and isinstance(self.layers[at - 1], nn.Linear)
                out = x.relu_() if is_free and isinstance(layer, nn.ReLU) else layer(x)
            if seen is not None:
                seen.append((x, out))
            x = self._disturbed(at, out, noise)
        return x

    def _disturbed(self, at: int, x: Tensor, noise: Drawn | None) -> Tensor:
        if noise is None:
            return x * self.vanilla[at] if at in self.vanilla else x
        for kind, drawn in noise.get(at, ()):
            x = x + drawn if issubclass(kind, GaussianNoise) else x * drawn
        return x

    def _keep(self, grads: Linear, x: Tensor, above: Tensor) -> None:
        """The gradients of a linear layer, of the gradient `(K, F, B)` of what it gave."""
        if grads.bias is not None:
            torch.sum(above, 2, out=grads.bias)
        if x.dim() == 3:
            grads.weight.copy_(torch.bmm(above, x.transpose(1, 2)))
        elif grads.weight[0].numel() * x.shape[1] < BIG:
            grads.weight.copy_((above.reshape(-1, above.shape[2]) @ x.t()).view_as(grads.weight))
        else:
            rows = x.t()
            for own, grad in zip(above.unbind(), grads.each, strict=True):
                torch.mm(own, rows, out=grad)


def _linear(x: Tensor, layer: Linear) -> Tensor:
    """`(K, F, B)`; `x` is in columns, or rows turned round for weights that are joint."""
    members, features, _ = layer.weight.shape
    if x.dim() == 2 and not x.is_contiguous() and layer.joint is not None:
        out = (layer.joint @ x).view(members, -1, x.shape[1])[:, :features]
        return out.contiguous() if layer.column is None else out + layer.column
    x = x.expand(members, *x.shape) if x.dim() == 2 else x
    return torch.bmm(layer.weight, x) if layer.column is None else torch.baddbmm(layer.column, layer.weight, x)


def _joint(weight: Tensor) -> Tensor | None:
    """What `Linear` has of weights, or of their gradients."""
    members, features, inputs = weight.shape
    is_large = features * inputs >= LARGE // 2
    is_spaced = weight.stride(0) % inputs == 0 and weight.stride(1) == inputs and not weight.storage_offset()
    if not is_large or not is_spaced or weight.stride(0) > SPARE * features * inputs:
        return None
    return weight.as_strided((members * weight.stride(0) // inputs, inputs), (inputs, 1))


def _through(layer: nn.Module, above: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """The gradient of what an activation took, by torch's own kernel where it is a common one."""
    if isinstance(layer, nn.ReLU):
        return torch.ops.aten.threshold_backward.grad_input(above, out, 0, grad_input=above)  # type: ignore[no-any-return]
    if isinstance(layer, nn.Tanh):
        return torch.ops.aten.tanh_backward(above, out)  # type: ignore[no-any-return]
    with torch.enable_grad():
        taken = x.detach().requires_grad_()
        return torch.autograd.grad(layer(taken), taken, above)[0]


def _by_layer(stack: Stack, tensor: Tensor, names: Sequence[Sequence[str]]) -> dict[int, Linear]:
    """The linear layers by their places, of the weights, their gradients or averages."""
    parameters, found = stack.parameters(tensor), {}
    for at, own in enumerate(names):
        if own:
            weight, bias = parameters[own[0]], parameters[own[1]] if len(own) > 1 else None
            column = None if bias is None else bias.unsqueeze(2)
            found[at] = Linear(weight, bias, column, weight.transpose(1, 2), weight.unbind(), _joint(weight))
    return found


def _kept_shares(inputs: Inputs) -> dict[int, Tensor]:
    """`(K, 1, 1)`: what vanilla dropout multiplies by in evaluation mode, by its place."""
    found = {}
    for i, (at, kind) in enumerate(zip(inputs.places, inputs.kinds, strict=True)):
        if issubclass(kind, VanillaDropout):
            weight = inputs.members[0].state.weights[0]
            kept = [1 - float(slots[i].p) for slots in inputs.slots]  # type: ignore[union-attr, arg-type]
            found[at] = torch.tensor(kept, dtype=weight.dtype, device=weight.device)[:, None, None]
    return found
