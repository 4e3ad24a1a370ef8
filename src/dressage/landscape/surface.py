"""The loss of a network as a function of its weights: value, gradient, and products with its Hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from dressage.errors import RunError
from dressage.subject import first_output

Loss = Callable[[Tensor, Tensor], Tensor]


class Surface:
    """L(θ) = (1/N) Σ_n l(f_θ(x_n), y_n), θ the P weights that are trained; nothing is added for decay.

    The network is in evaluation mode: no dropout, and batch norms with the statistics that it keeps. It is moved to and fro:
    give a copy. `batches` of `(x, y)` are gone through one by one; `loss` is the mean over a batch.
    Raises RunError for a network without a weight that is trained.
    """

    def __init__(self, network: nn.Module, loss: Loss, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
        self.network, self._loss, self._batches = network.eval(), loss, batches
        self.weights = [p for p in network.parameters() if p.requires_grad]
        self.size, self.rows = sum(p.numel() for p in self.weights), sum(len(x) for x, _ in batches)
        if not self.size:
            raise RunError.of("network", "no weight is trained", "expected one or more", "unfreeze some")
        self.start = gathered(self.weights)

    def put(self, place: Tensor) -> None:
        """Moves the weights to `place (P,)`."""
        with torch.no_grad():
            for p, part in zip(self.weights, self._cut(place), strict=True):
                p.copy_(part.view_as(p))

    def loss(self, place: Tensor) -> float:
        """L at `place (P,)`."""
        self.put(place)
        with torch.no_grad():
            return float(self._mean(lambda loss: loss.detach().double()))

    def gradient(self, place: Tensor) -> tuple[float, Tensor]:
        """L and ∇L `(P,)` at `place (P,)`."""
        self.put(place)

        def both(loss: Tensor) -> Tensor:
            return torch.cat([gathered(self._slopes(loss, graph=False)), loss.detach().reshape(1)])

        found = self._mean(both)
        return float(found[-1]), found[:-1]

    def product(self, direction: Tensor) -> Tensor:
        """∇²L·v `(P,)` at the weights where the network was given, v `(P,)`: the gradient of ∇L·v, Pearlmutter 1994.

        Of a network with kinks (relu, max pooling) it is that of the smooth piece in which the weights lie.
        Raises RunError for a layer that has no second derivative.
        """
        self.put(self.start)
        parts = [part.view_as(p) for p, part in zip(self.weights, self._cut(direction), strict=True)]

        def turned(loss: Tensor) -> Tensor:
            slopes = self._slopes(loss, graph=True)
            pairs = [(g * v).sum() for g, v in zip(slopes, parts, strict=True) if g.requires_grad]
            if not pairs:
                return torch.zeros_like(direction)
            return gathered(self._slopes(torch.stack(pairs).sum(), graph=False))

        try:
            with sdpa_kernel(SDPBackend.MATH):  # the fast kernels of attention have no second derivative
                return self._mean(turned)
        except RuntimeError as error:
            found = f"a layer has no second derivative ({str(error)[:150]})"
            raise RunError.of("Hessian", found, "expected one", "look at its plane alone: --rho 0") from error

    def _slopes(self, value: Tensor, *, graph: bool) -> tuple[Tensor, ...]:
        return torch.autograd.grad(value, self.weights, create_graph=graph, materialize_grads=True)

    def _mean(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        """The mean of `of(loss)` over the rows."""
        total: Tensor | float = 0.0
        for x, y in self._batches:
            total = total + of(self._loss(first_output(self.network(x)), y)) * (len(x) / self.rows)
        assert isinstance(total, Tensor)
        return total

    def _cut(self, flat: Tensor) -> tuple[Tensor, ...]:
        return torch.split(flat, [p.numel() for p in self.weights])


def gathered(tensors: Sequence[Tensor]) -> Tensor:
    """`(P,)`: the tensors one after the other, without graph."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])
