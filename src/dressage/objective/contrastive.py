"""Losses between two views of the same samples, from which a network learns without labels.

A recipe names `nt_xent` or `info_nce`: its batches then hold both views of each sample in neighbouring rows, and for
`info_nce` the state of the training holds a key network and a queue (`fit/keys.py`). In a loop of your own

    loss = nt_xent(network(first_view), network(second_view))

    queue = Queue(4096, 128)                       # MoCo: the key network is an average of the query network
    loss = info_nce(queries, keys, queue.keys)
    queue.push(keys)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 0.2) -> Tensor:
    """−log (e^{q·k/τ} / (e^{q·k/τ} + Σ_j e^{q·k_j/τ})), the mean over queries, a scalar; all of length 1.

    `queries` and `keys` `(N, D)`: row n of both is of sample n. `queue` `(K, D)`: keys of other samples; rows of zeros are
    places that are still free and are left out. Keys get no gradient. Raises RecipeError for shapes that do not fit, or a
    temperature that is not above 0. Source: He et al. 2020 (MoCo), van den Oord et al. 2018; Chen, Fan et al. 2020 for τ.
    """
    positive("info_nce.temperature", temperature, "info_nce(temperature=0.2)")
    _require_pairs("info_nce", queries, keys)
    if queue.ndim != 2 or queue.shape[1] != keys.shape[1]:
        found = f"a queue of shape {tuple(queue.shape)} for keys of shape {tuple(keys.shape)}"
        raise RecipeError.of("info_nce", found, "expected (K, D)", "make it Queue(size, D)")
    q, k = (F.normalize(at_least_float32(x), dim=1) for x in (queries, keys.detach()))
    own = (q * k).sum(1, keepdim=True)
    held = F.normalize(queue.detach().to(q.dtype), dim=1)
    others = (q @ held.T).masked_fill(~held.any(1), -torch.inf)
    return F.cross_entropy(torch.cat([own, others], 1) / temperature, q.new_zeros(len(q), dtype=torch.long))


class Queue(nn.Module):
    """The last `size` keys, `(size, dim)` of length 1, oldest replaced first; at the start none, which is zeros.

    (MoCo's own begins with random directions: from them all keys flee to one place, from which they part slowly.)
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
        self.register_buffer("keys", torch.zeros(size, dim))
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
    """A loss of two views of each sample; it looks at no target.

    With `queue` 0 both are in neighbouring rows of the outputs. Else the outputs `(N, D)` are of the first views alone, and
    in the place of targets stand N keys of the second and those of the queue, `(N + K, D)`.
    """

    each: Callable[[Tensor], tuple[Tensor, Tensor]] = field(kw_only=True)
    """Of outputs `(2N, D)` of held-out rows the loss and the metric of each sample, `(N,)`."""
    queue: int = 0
    """Keys of other samples that a view's own key is told from."""
    momentum: float = 0.0
    """What the key network keeps of itself in a step."""


def nt_xent_by_name(label_smoothing: float = 0.0, *, temperature: float = 0.5, dim: int = 128) -> Objective:
    """`nt_xent` of the views of a batch; metric: the share of views whose other view is the most alike of all.

    `dim`: outputs of the network. Raises RecipeError for label smoothing and for options out of bounds.
    """
    _require("nt_xent", label_smoothing, temperature, dim)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return nt_xent(outputs[0::2], outputs[1::2], temperature)

    return _contrastive(loss, temperature, dim)


def info_nce_by_name(
    label_smoothing: float = 0.0,
    *,
    temperature: float = 0.2,
    dim: int = 128,
    queue: int = 1024,
    momentum: float = 0.99,
) -> Objective:
    """`info_nce` of a batch's first views, against keys of the second and a queue of `queue` earlier ones.

    Validation, loss and metric, is that of `nt_xent` at the same temperature: it needs no queue. `momentum`: of the key
    network, near 1: the age of keys tells them apart where it follows too fast, and all answers become alike. Raises
    RecipeError for label smoothing and for options out of bounds.
    """
    _require("info_nce", label_smoothing, temperature, dim)
    if not 1 <= queue <= 2**20:
        raise RecipeError.of("info_nce.queue", f"{queue} given", "expected 1 to 1048576 keys", "e.g. queue=1024")
    if not 0 <= momentum < 1:
        raise RecipeError.of(
            "info_nce.momentum", f"{momentum} given", "expected 0 or more, below 1", "e.g. momentum=0.99"
        )

    def loss(outputs: Tensor, against: Tensor) -> Tensor:
        return info_nce(outputs, against[: len(outputs)], against[len(outputs) :], temperature)

    return replace(_contrastive(loss, temperature, dim), queue=queue, momentum=momentum)


def _require(name: str, label_smoothing: float, temperature: float, dim: int) -> None:
    no_smoothing(name, label_smoothing, "it looks at no label")
    positive(f"{name}.temperature", temperature, f"{name}(temperature=0.5)")
    if not 2 <= dim <= 65536:
        raise RecipeError.of(f"{name}.dim", f"{dim} given", "expected 2 to 65536 outputs", f"e.g. {name}(dim=128)")


def _contrastive(loss: Callable[[Tensor, Tensor], Tensor], temperature: float, dim: int) -> Contrastive:
    """With the views of held-out rows judged alike, whatever the loss of the training is."""
    each = partial(told_apart, temperature=temperature)

    def plain(outputs: Tensor, targets: Tensor) -> Tensor:
        return each(outputs)[0].mean()

    def score(outputs: Tensor, targets: Tensor) -> Tensor:
        return each(outputs)[1].sum()

    return Contrastive(loss, plain, score, METRIC, float, True, views=2, outputs=dim, each=each)


def _require_pairs(name: str, first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or first.shape != second.shape:
        found = f"views of shape {tuple(first.shape)} and {tuple(second.shape)}"
        raise RecipeError.of(name, found, "expected two of (N, D)", "give one row a sample in both")
