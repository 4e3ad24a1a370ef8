"""Forward and backward of K networks of any kind at once: `torch.func.vmap` over their weights, and one way back by autograd.

(The way back of the mapped forward takes half the time of `vmap` of `grad_and_value`, measured on small networks.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import vmap

from dressage.data.batches import in_order
from dressage.fit.population.inputs import Given, Inputs
from dressage.fit.population.loss import Losses
from dressage.fit.population.network import Network
from dressage.fit.population.stack import Stack
from dressage.fit.validate import EVALUATION_BATCH


class Mapped:
    """The networks of a stack; all are the same function of their weights and noise."""

    def __init__(self, stack: Stack, inputs: Inputs) -> None:
        network = inputs.forms[0]
        assert isinstance(network, Network)
        self.stack, self.network = stack, network
        self.losses = Losses([member for _, member in stack.members])
        self.weights, grads = stack.parameters(stack.weights), stack.parameters(stack.grads)
        self.grads = list(grads.values())
        self.averages = self.weights if stack.averages is None else stack.parameters(stack.averages)

    def back_propagated(self, given: Given) -> Tensor:
        """`(K,)`: the losses; their gradients are left in the stack."""
        self.network.skeleton.train()
        leaves = {name: weights.detach().requires_grad_() for name, weights in self.weights.items()}
        drawn = [pair for at in sorted(given.noise) for pair in given.noise[at]]
        kinds = [kind for kind, _ in drawn]
        noise = [tensor.movedim(-1, 1).expand(len(self.stack), *([-1] * (tensor.dim() - 1))) for _, tensor in drawn]
        with torch.enable_grad():
            outputs = self._outputs(leaves, kinds, noise, given.x, given.is_shared)
        losses, above = self.losses(outputs.detach().transpose(1, 2), given.y, given.is_shared)
        given_back = above.transpose(1, 2)
        # What the forward leaves out has the gradient 0, as alone: its decay goes on.
        grads = torch.autograd.grad(outputs, list(leaves.values()), given_back, materialize_grads=True)
        torch._foreach_copy_(self.grads, grads)
        return losses

    @torch.no_grad()
    def validated(self) -> Tensor:
        """`(K, C, N)` float32: what the members, or their averages, say of the validation part."""
        member = self.stack.members[0][1]
        assert member.validation is not None
        self.network.skeleton.eval()
        pieces = []
        for batch in in_order(member.validation, EVALUATION_BATCH, self.stack.weights.device):
            outputs = self._outputs(self.averages, [], [], member.plan.cast(batch.x), True)
            pieces.append(outputs.transpose(1, 2).float())
        return torch.cat(pieces, 2)

    def _outputs(
        self,
        weights: Mapping[str, Tensor],
        kinds: Sequence[type[nn.Module]],
        noise: Sequence[Tensor],
        x: Tensor,
        is_shared: bool,
    ) -> Tensor:
        """`(K, B, C)` of rows `(B, ...)` that are shared, or `(K, B, ...)`."""

        def one(own: Mapping[str, Tensor], noise: Sequence[Tensor], x: Tensor) -> Tensor:
            return self.network(own, list(zip(kinds, noise, strict=True)), x)

        return vmap(one, (0, 0, None if is_shared else 0))(dict(weights), list(noise), x)
