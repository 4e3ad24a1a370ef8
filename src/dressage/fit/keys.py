"""The second network of a training on keys (MoCo): an average of the trained one, and the queue of its last answers."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dressage.objective import catalogue, learns_without_labels
from dressage.objective.contrastive import Contrastive, Queue
from dressage.optim.averages import Ema
from dressage.recipe import Recipe


class Keys(nn.Module):
    """θ_k ← d·θ_k + (1 − d)·θ after each step, d the `momentum` from the first on; statistics of norms alike.

    It answers in evaluation mode: with the statistics of a batch, in which both views of a sample are, a network could know
    a view by them and not by what it shows. So no batch needs to be shuffled.
    Source: He et al. 2020 (MoCo); Cai et al. 2021 (averaged statistics).
    """

    def __init__(self, model: nn.Module, size: int, dim: int, momentum: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(model).requires_grad_(False).eval()
        device = next(model.parameters()).device
        self.queue = Queue(size, dim).to(device)
        self.average = Ema(momentum, warmup=False)

    @torch.no_grad()
    def asked(self, x: Tensor, autocast: torch.dtype | None) -> tuple[Tensor, Tensor]:
        """Of `x (2N, …)`, views in neighbouring rows: the first of each, `(N, …)`, and what they are held against.

        That is `(N + K, D)`: the key of each one's other view, then the K keys of the queue.
        """
        with torch.autocast(x.device.type, autocast, enabled=autocast is not None):
            keys = self.network(x[1::2].contiguous())
        return x[0::2].contiguous(), torch.cat([F.normalize(keys.float(), dim=1), self.queue.keys])

    @torch.no_grad()
    def follow(self, model: nn.Module, keys: Tensor, step: int) -> None:
        """After the update of `step` (from 0): nearer to `model`, and `keys (N, D)` in the place of the oldest."""
        self.average.update(list(model.parameters()), list(self.network.parameters()), step)
        for own, theirs in zip(self.network.buffers(), model.buffers(), strict=True):
            if own.is_floating_point():
                self.average.update([theirs], [own], step)
            else:
                own.copy_(theirs)
        self.queue.push(keys)


def keys_of(model: nn.Module, recipe: Recipe) -> Keys | None:
    """The key network that the recipe's loss asks for, at its beginning; None where it asks for none."""
    if not learns_without_labels(recipe.loss.name):
        return None
    objective = catalogue.build(recipe.loss.name, recipe.loss.label_smoothing)
    if not isinstance(objective, Contrastive) or objective.queue == 0:
        return None
    return Keys(model, objective.queue, objective.outputs, objective.momentum)
