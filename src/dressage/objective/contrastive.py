"""Losses between two views of the same samples, from which a network learns without labels.

A recipe names `nt_xent`: its batches then hold both views of each sample in neighbouring rows. In a loop of your own

    loss = nt_xent(network(first_view), network(second_view))

    queue = Queue(4096, 128)                       # MoCo: the key network is an average of the query network
    loss = info_nce(queries, keys, queue.keys)
    queue.push(keys)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dressage.errors import RecipeError
from dressage.objective.objective import Objective, at_least_float32, no_smoothing, positive

METRIC = "contrastive_accuracy"
AMONG = 512
"""Samples at most among which a view is looked for when a network is judged: the same whatever batches it is trained on."""


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """−log (e^{s(i,j)/τ} / Σ_{k≠i} e^{s(i,k)/τ}) over all 2N rows i, j its other view, s the cosine; their mean, a scalar.

    `first` and `second` `(N, D)`: row n of both is of sample n. Every other row of either is a negative. Raises RecipeError for
    shapes that differ, fewer than two samples, or a temperature that is not above 0.
    Source: Chen et al. 2020 (SimCLR, equation 1).
    """
    positive("nt_xent.temperature", temperature, "nt_xent(temperature=0.5)")
    _require_pairs("nt_xent", first, second)
    if len(first) < 2:
        raise RecipeError.of(
            "nt_xent", "one sample given", "expected two or more", "there must be others to be told from"
        )
    return F.cross_entropy(*_likeness(first, second, temperature))


def _likeness(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """`(2N, 2N)`: the cosine of each two rows over τ, of a row with itself −∞; and the row of each one's other view."""
    rows = F.normalize(at_least_float32(torch.cat([first, second])), dim=1)
    likeness = rows @ rows.T / temperature
    likeness = likeness.masked_fill(torch.eye(len(rows), dtype=torch.bool, device=rows.device), -torch.inf)
    return likeness, torch.arange(len(rows), device=rows.device).roll(len(first))


def told_apart(outputs: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Of each of N samples, `(N,)`: NT-Xent of its two views, and the share of them whose other view is the most alike of all.

    `outputs (2N, D)`: a sample's views in neighbouring rows. They are looked for among `AMONG` samples at most, in groups of
    the same size but for one.
    """
    losses, found = [], []
    for views in torch.tensor_split(outputs.view(len(outputs) // 2, 2, -1), _groups(len(outputs) // 2)):
        likeness, other = _likeness(views[:, 0], views[:, 1], temperature)
        losses.append(F.cross_entropy(likeness, other, reduction="none").view(2, -1).mean(0))
        found.append((likeness.argmax(1) == other).to(likeness.dtype).view(2, -1).mean(0))
    return torch.cat(losses), torch.cat(found)


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 0.07) -> Tensor:
    """−log (e^{q·k/τ} / (e^{q·k/τ} + Σ_j e^{q·k_j/τ})), the mean over queries, a scalar; all of length 1.

    `queries` and `keys` `(N, D)`: row n of both is of sample n. `queue` `(K, D)`: keys of other samples. Keys get no gradient.
    Raises RecipeError for shapes that do not fit, or a temperature that is not above 0.
    Source: He et al. 2020 (MoCo), van den Oord et al. 2018.
    """
    positive("info_nce.temperature", temperature, "info_nce(temperature=0.07)")
    _require_pairs("info_nce", queries, keys)
    if queue.ndim != 2 or queue.shape[1] != keys.shape[1]:
        found = f"a queue of shape {tuple(queue.shape)} for keys of shape {tuple(keys.shape)}"
        raise RecipeError.of("info_nce", found, "expected (K, D)", "make it Queue(size, D)")
    q, k = (F.normalize(at_least_float32(x), dim=1) for x in (queries, keys.detach()))
    own = (q * k).sum(1, keepdim=True)
    others = q @ F.normalize(queue.detach().to(q.dtype), dim=1).T
    return F.cross_entropy(torch.cat([own, others], 1) / temperature, q.new_zeros(len(q), dtype=torch.long))


class Queue(nn.Module):
    """The last `size` keys, `(size, dim)` of length 1, oldest replaced first; at the start random directions.

    Keys and place are buffers, so they are saved with a network that holds the queue. Raises RecipeError for sizes below 1.
    """

    keys: Tensor
    place: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise RecipeError.of(
                "Queue", f"size {size} and dim {dim} given", "expected 1 or more", "e.g. Queue(4096, 128)"
            )
        self.register_buffer("keys", F.normalize(torch.randn(size, dim), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Puts `keys (N, dim)` in the place of the N oldest; of more than `size` the last."""
        size = len(self.keys)
        last = F.normalize(keys.detach()[-size:].to(self.keys.dtype), dim=1)
        places = (self.place + torch.arange(len(last), device=self.place.device)) % size
        self.keys[places] = last
        self.place.copy_((self.place + len(last)) % size)


def samples_in_a_group(samples: int) -> int:
    """Samples of the largest group."""
    return -(-samples // _groups(samples))


def _groups(samples: int) -> int:
    return max(1, -(-samples // AMONG))


@dataclass(frozen=True, slots=True)
class Contrastive(Objective):
    """A loss of two views of each sample, in neighbouring rows of the outputs; it looks at no target."""

    each: Callable[[Tensor], tuple[Tensor, Tensor]] = field(kw_only=True)
    """Of outputs `(2N, D)` the loss and the metric of each sample, `(N,)`."""


def nt_xent_by_name(label_smoothing: float = 0.0, *, temperature: float = 0.5, dim: int = 128) -> Objective:
    """`nt_xent` of the views of a batch; metric: the share of views whose other view is the most alike of all.

    `dim`: outputs of the network. Raises RecipeError for label smoothing and for options out of bounds.
    """
    no_smoothing("nt_xent", label_smoothing, "it looks at no label")
    positive("nt_xent.temperature", temperature, "nt_xent(temperature=0.5)")
    if not 2 <= dim <= 65536:
        raise RecipeError.of("nt_xent.dim", f"{dim} given", "expected 2 to 65536 outputs", "e.g. nt_xent(dim=128)")
    each = partial(told_apart, temperature=temperature)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return nt_xent(outputs[0::2], outputs[1::2], temperature)

    def plain(outputs: Tensor, targets: Tensor) -> Tensor:
        return each(outputs)[0].mean()

    def score(outputs: Tensor, targets: Tensor) -> Tensor:
        return each(outputs)[1].sum()

    return Contrastive(loss, plain, score, METRIC, float, True, views=2, outputs=dim, each=each)


def info_nce_by_name(label_smoothing: float = 0.0, *, temperature: float = 0.07) -> Objective:
    """Raises RecipeError: a recipe's training keeps no key network and no queue."""
    found, expected = "'info_nce' given", "it needs a key network and a queue, which a recipe's training does not keep"
    repair = "use nt_xent, or call dressage.objective.contrastive.info_nce in a loop of your own"
    raise RecipeError.of("loss.name", found, expected, repair)


def _require_pairs(name: str, first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or first.shape != second.shape:
        found = f"views of shape {tuple(first.shape)} and {tuple(second.shape)}"
        raise RecipeError.of(name, found, "expected two of (N, D)", "give one row a sample in both")
