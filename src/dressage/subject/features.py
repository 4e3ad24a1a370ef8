"""Inputs of any shape as a few standardised columns, on which simple models are fitted and distances taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]
COLUMNS = 256
FAR = 8.0  # standard deviations at which a value is cut: one broken cell does not rule every distance
WIDE = 1024  # columns above which they are mixed at random before their principal axes are found
TOKENS = 192  # the most frequent tokens, which are counted
PLACES = 64  # the first places of a sequence, whose token is a column


def reader_of(x: Tensor) -> Callable[[Tensor], Array]:
    """A function from inputs like `x` `(N, ...)` to `(N, D)` float32, D ≤ 256; centre, scale and axes are those of `x`.

    Images and series are averaged over neighbouring places, sequences of tokens are counted, wide tables are turned
    to their principal axes. Values that are not finite become 0 before anything else.
    """
    if is_tokens(x):
        return _token_reader(x)
    flat = _narrow(x)
    centre, scale = centre_and_scale(flat, shared=shares_a_scale(x))
    standard = _cut((flat - centre) / scale)
    axes = _axes(standard) if standard.shape[1] > COLUMNS else None

    def read(inputs: Tensor) -> Array:
        values = _cut((_narrow(inputs) - centre) / scale)
        return values if axes is None else (values @ axes).astype(np.float32)

    return read


def is_tokens(x: Tensor) -> bool:
    """Whether the inputs are numbers of things and not quantities: whole numbers that are not bytes."""
    return x.ndim == 2 and x.dtype in (torch.int16, torch.int32, torch.int64) and x.shape[1] > 0


def shares_a_scale(x: Tensor) -> bool:
    """Whether all columns measure the same: pixels and series, or most columns begin at the same smallest value."""
    if x.ndim > 2 or x.dtype == torch.uint8:
        return True
    if x.ndim < 2 or x.shape[1] < 16:
        return False
    lowest = x.float().amin(0)
    return bool((lowest == lowest.median()).float().mean() >= 0.5)


def flat_of(x: Tensor) -> Array:
    """`(N, D)` float32 of inputs of any shape and kind; what is not finite becomes 0."""
    values = x.detach().cpu()
    values = values.abs() if values.is_complex() else values
    return np.asarray(torch.nan_to_num(values.reshape(len(x), -1).float(), 0.0, 0.0, 0.0).numpy(), dtype=np.float32)


def centre_and_scale(values: Array, *, shared: bool) -> tuple[Array, Array]:
    """Mean and sd of each column `(1, D)`, or one of both for all columns; a constant column has scale 1."""
    exact = values.astype(np.float64)
    axis = None if shared else 0
    centre, scale = exact.mean(axis, keepdims=True), exact.std(axis, keepdims=True)
    scale = np.where(scale <= 1e-7 * np.maximum(np.abs(centre), 1e-20), 1.0, scale)
    return centre.astype(np.float32), scale.astype(np.float32)


def nearest(
    queries: Array, rows: Array, count: int, *, same: bool = False, block: int = 512
) -> tuple[Array, NDArray[np.int64]]:
    """Distances and numbers `(Q, count)` of the nearest rows, nearest first; `same`: a row is not its own neighbour."""
    count = max(1, min(count, len(rows) - same))
    lengths = np.square(rows).sum(1)
    distances = np.empty((len(queries), count), np.float32)
    numbers = np.empty((len(queries), count), np.int64)
    for start in range(0, len(queries), block):
        part = queries[start : start + block]
        squared = np.square(part).sum(1)[:, None] + lengths - 2 * part @ rows.T
        if same:
            squared[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        chosen = np.argpartition(squared, count - 1, axis=1)[:, :count]
        exact = np.square(rows[chosen] - part[:, None]).sum(2)  # the short form above loses small distances
        order = np.argsort(exact, axis=1, kind="stable")
        numbers[start : start + len(part)] = np.take_along_axis(chosen, order, 1)
        distances[start : start + len(part)] = np.sqrt(np.take_along_axis(exact, order, 1))
    return distances, numbers


def _narrow(x: Tensor) -> Array:
    """`(N, D)`: places of images and series averaged until at most `COLUMNS` values are left."""
    values = torch.nan_to_num((x.detach().cpu().abs() if x.is_complex() else x.detach().cpu()).float(), 0.0, 0.0, 0.0)
    if values.ndim > 2 and values[0].numel() > COLUMNS:
        sides = list(values.shape[1:])
        places = sorted(sorted(range(len(sides)), key=lambda i: -sides[i])[:2])
        if len(sides) == 2 and min(sides) * 4 < max(sides):  # a series of a few quantities: time alone is averaged
            places = [int(np.argmax(sides))]
        kept = values[0].numel() // int(np.prod([sides[i] for i in places]))
        side = max(1, int((COLUMNS / max(1, kept)) ** (1 / len(places))))
        moved = values.movedim([1 + i for i in places], list(range(-len(places), 0)))
        moved = moved.reshape(len(moved), -1, *moved.shape[moved.ndim - len(places) :])
        size = [min(side, sides[i]) for i in places]
        pool = torch.nn.functional
        values = (
            pool.adaptive_avg_pool2d(moved, (size[0], size[-1]))
            if len(size) == 2
            else pool.adaptive_avg_pool1d(moved, size[0])
        )
    return np.asarray(values.reshape(len(x), -1).numpy(), dtype=np.float32)


def _cut(values: Array) -> Array:
    return np.clip(values, -FAR, FAR).astype(np.float32)


def _axes(values: Array) -> Array:
    """`(D, COLUMNS / 2)`: the principal axes, of a random mixture of columns when there are very many."""
    mix = None
    if values.shape[1] > WIDE:
        draw = np.random.default_rng(0).standard_normal((values.shape[1], WIDE // 2))
        mix = (draw / np.sqrt(WIDE // 2)).astype(np.float32)
        values = values @ mix
    centred = values - values.mean(0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, : COLUMNS // 2].astype(np.float32)
    return np.asarray(axes if mix is None else mix @ axes, dtype=np.float32)


def _token_reader(x: Tensor) -> Callable[[Tensor], Array]:
    found, counts = torch.unique(x.cpu(), return_counts=True)
    frequent = found[counts.argsort(descending=True, stable=True)[:TOKENS]].sort().values
    places = min(PLACES, x.shape[1], COLUMNS - len(frequent))

    def count(inputs: Tensor) -> Array:
        inputs = inputs.cpu().to(frequent.dtype)
        at = torch.searchsorted(frequent, inputs.contiguous()).clamp(max=len(frequent) - 1)
        hits = (frequent[at] == inputs).float()
        bag = torch.zeros(len(inputs), len(frequent)).scatter_add_(1, at, hits)
        return np.asarray(torch.cat([bag, inputs[:, :places].float()], 1).numpy(), dtype=np.float32)

    centre, scale = centre_and_scale(count(x), shared=False)
    return lambda inputs: _cut((count(inputs) - centre) / scale)
