"""From the rows of a data set to what the network is really given: a loop may scale, flatten or cast on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from dressage.subject import Rows

SAME = 1e-4  # relative difference of two numbers up to which they are one
Way = Callable[[Tensor], Tensor]
MANY = 16  # rows of a batch from which the spread of a column can be told


def align(rows: Rows, seen: Tensor) -> Rows | None:
    """`rows` as the network gets them, from one batch `seen (B, ...)` of its inputs; None when it cannot be told how."""
    found = way(rows.x, seen)
    return None if found is None else replace(rows, x=found(rows.x))


def way(x: Tensor, seen: Tensor) -> Way | None:
    """What a loop does to rows `x (N, ...)` before the network gets them, from one batch `seen` of its inputs.

    Reshaping and casting are followed, and an affine map of all numbers, or of each channel or column. None when it
    cannot be told.
    """
    reshape = _reshaping(x, seen)
    if reshape is None:
        return None

    def cast(rows: Tensor) -> Tensor:
        return reshape(rows).to(seen.dtype).cpu()

    given, seen = cast(x), seen.cpu()
    if not seen.is_floating_point() or _contains(given, seen) or _agree(given, seen):
        return cast
    affine = _by_one_row(given, seen) or _by_statistics(given, seen)
    return None if affine is None else lambda rows: affine(cast(rows))


def align_targets(y: Tensor, seen: Tensor) -> Tensor | None:
    """Targets in the shape and type in which a loss was given them; None when it cannot be told how."""
    if y.shape[1:] == seen.shape[1:]:
        return y.to(seen.dtype)
    if y[0].numel() == seen[0].numel():
        return y.reshape(-1, *seen.shape[1:]).to(seen.dtype)
    if (
        y.ndim == 1
        and seen.ndim == 2
        and not y.is_floating_point()
        and 0 <= int(y.min()) <= int(y.max()) < seen.shape[1]
    ):
        return torch.nn.functional.one_hot(y.long(), seen.shape[1]).to(seen.dtype)
    return None


def rows_in(x: Tensor, seen: Tensor) -> Tensor | None:
    """`(B,)` int64: which rows of `x` those of a batch are; None where one is not among them."""
    places = list[int]()
    for place in places_in(x, seen):
        if place is None:
            return None
        places.append(place)
    return torch.tensor(places)


def places_in(x: Tensor, seen: Tensor) -> Iterator[int | None]:
    """Which row of `x` each one of a batch is; None for one that is not among them."""
    flat = x.reshape(len(x), -1).cpu()
    for row in seen.reshape(len(seen), -1).to(flat.dtype).cpu():
        distance = (flat - row).abs().amax(1)
        place = int(distance.argmin())
        yield place if float(distance[place]) <= SAME * float(row.abs().amax().clamp_min(1e-6)) else None


def _reshaping(x: Tensor, seen: Tensor) -> Way | None:
    if x.shape[1:] == seen.shape[1:]:
        return lambda rows: rows
    if x.ndim == 4 and seen.ndim == 4 and x.movedim(-1, 1).shape[1:] == seen.shape[1:]:
        return lambda rows: rows.movedim(-1, 1).contiguous()
    if x[0].numel() == seen[0].numel():
        return lambda rows: rows.reshape(-1, *seen.shape[1:])
    return None


def fits(x: Tensor, seen: Tensor) -> bool:
    """Whether a batch may be of these rows: its first row is one of them, or its numbers have their mean and spread."""
    seen = seen.to(x.dtype).cpu()
    return _contains(x.cpu(), seen) or _agree(x.cpu(), seen)


def _contains(x: Tensor, seen: Tensor) -> bool:
    """Whether the first row seen is one of the rows."""
    row = seen[0].flatten()
    near = (x.flatten(1) - row).abs().amax(1) <= SAME * row.abs().amax().clamp_min(1e-6)
    return bool(near.any())


def _agree(x: Tensor, seen: Tensor) -> bool:
    """Whether both have the same mean and spread, as far as a batch can tell."""
    a, b = x.flatten().double(), seen.flatten().double()
    sd, other = float(a.std()), float(b.std())
    rows_means = seen.flatten(1).double().mean(1)
    error = float(rows_means.std() / len(seen) ** 0.5) if len(seen) > 1 else sd
    close = abs(float(a.mean() - b.mean())) <= 4 * error + 0.02 * sd
    return close and 0.7 * sd <= other <= 1.4 * max(sd, 1e-12)


def _by_one_row(x: Tensor, seen: Tensor) -> Way | None:
    """`a·x + b` of all numbers or of each channel, exactly: the first row seen is the row that goes with it entirely."""
    row = seen[0].double()
    if row.numel() < MANY or not bool(seen.isfinite().all()):
        return None
    dims = tuple(range(2, seen.ndim)) if seen.ndim == 4 else tuple(range(1, seen.ndim))
    mean = x.double().mean(dims, keepdim=True)
    centred, own_mean = x.double() - mean, row[None].mean(dims, keepdim=True)
    own = row[None] - own_mean
    squares = centred.square().sum(dims, keepdim=True)
    scale = (centred * own).sum(dims, keepdim=True) / squares.clamp_min(1e-30)
    left = (own - scale * centred).flatten(1).square().sum(1)
    place = int(left.argmin())
    if float(left[place]) > (SAME * float(own.abs().max())) ** 2 * row.numel() or not float(squares[place].min()) > 0:
        return None
    a = scale[place]
    b = own_mean[0] - a * mean[place]
    b = torch.where(b.abs() > 1e-6 * own.abs().max(), b, torch.zeros_like(b))  # what rounding has left
    return lambda rows: (a * rows.double() + b).to(seen.dtype)


def _by_statistics(x: Tensor, seen: Tensor) -> Way | None:
    """Each channel of images, each column of rows, else all numbers: as scalers do it, or to the moments of `seen`."""
    if seen.ndim == 4 and len(seen) >= 2:
        dims: tuple[int, ...] = (0, 2, 3)
    elif seen.ndim == 2 and len(seen) >= MANY:
        dims = (0,)
    else:
        dims = tuple(range(seen.ndim))
    mean, low = x.mean(dims, keepdim=True), x.amin(dims, keepdim=True)
    sd = x.std(dims, keepdim=True)
    for centre, scale in (
        (mean, sd),
        (mean, x.std(dims, correction=0, keepdim=True)),
        (low, x.amax(dims, keepdim=True) - low),
    ):
        usual = _scaler(centre, scale)
        if _contains(usual(x), seen):
            return usual
    if not bool((sd > 0).any()) or not bool(seen.isfinite().all()):
        return None
    new_mean, new_sd = seen.mean(dims, keepdim=True), seen.std(dims, keepdim=True)
    factor = torch.where(sd > 0, new_sd / sd.clamp_min(1e-12), torch.ones_like(sd))
    return lambda rows: (rows - mean) * factor + new_mean


def _scaler(centre: Tensor, scale: Tensor) -> Way:
    span = torch.where(scale > 0, scale, torch.ones_like(scale))
    return lambda rows: (rows - centre) / span
