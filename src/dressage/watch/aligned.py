"""From the rows of a data set to what the network is really given: a loop may scale, flatten or cast on the way."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dressage.subject import Rows

SAME = 1e-4  # relative difference of two numbers up to which they are one
MANY = 16  # rows of a batch from which the spread of a column can be told


def align(rows: Rows, seen: Tensor) -> Rows | None:
    """`rows` as the network gets them, from one batch `seen (B, ...)` of its inputs; None when it cannot be told how.

    Reshaping and casting are followed, and an affine map of all numbers, or of each channel or column.
    """
    x = _reshaped(rows.x, seen)
    if x is None:
        return None
    if not seen.is_floating_point():
        return replace(rows, x=x.to(seen.dtype))
    x, seen = x.to(seen.dtype).cpu(), seen.cpu()
    if _contains(x, seen) or _agree(x, seen):
        return replace(rows, x=x)
    mapped = _affine(x, seen)
    return None if mapped is None else replace(rows, x=mapped)


def align_targets(y: Tensor, seen: Tensor) -> Tensor | None:
    """Targets in the shape and type in which a loss was given them; None when it cannot be told how."""
    if y.shape[1:] == seen.shape[1:]:
        return y.to(seen.dtype)
    if y[0].numel() == seen[0].numel():
        return y.reshape(-1, *seen.shape[1:]).to(seen.dtype)
    if y.ndim == 1 and seen.ndim == 2 and not y.is_floating_point() and int(y.max()) < seen.shape[1]:
        return torch.nn.functional.one_hot(y.long(), seen.shape[1]).to(seen.dtype)
    return None


def rows_in(x: Tensor, seen: Tensor) -> Tensor | None:
    """`(B,)` int64: which rows of `x` those of a batch are; None where one is not among them."""
    flat, places = x.flatten(1).cpu(), []
    for row in seen.flatten(1).to(flat.dtype).cpu():
        distance = (flat - row).abs().amax(1)
        place = int(distance.argmin())
        if float(distance[place]) > SAME * float(row.abs().amax().clamp_min(1e-6)):
            return None
        places.append(place)
    return torch.tensor(places)


def _reshaped(x: Tensor, seen: Tensor) -> Tensor | None:
    if x.shape[1:] == seen.shape[1:]:
        return x
    if x.ndim == 4 and seen.ndim == 4 and x.movedim(-1, 1).shape[1:] == seen.shape[1:]:
        return x.movedim(-1, 1).contiguous()
    if x[0].numel() == seen[0].numel():
        return x.reshape(-1, *seen.shape[1:])
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


def _affine(x: Tensor, seen: Tensor) -> Tensor | None:
    """`a·x + b` with the moments of `seen`: of each channel of images, each column of rows, else of all numbers."""
    if seen.ndim == 4 and len(seen) >= 2:
        dims: tuple[int, ...] = (0, 2, 3)
    elif seen.ndim == 2 and len(seen) >= MANY:
        dims = (0,)
    else:
        dims = tuple(range(seen.ndim))
    mean, sd = x.mean(dims, keepdim=True), x.std(dims, keepdim=True)
    new_mean, new_sd = seen.mean(dims, keepdim=True), seen.std(dims, keepdim=True)
    if not bool((sd > 0).any()) or not bool(seen.isfinite().all()):
        return None
    scale = torch.where(sd > 0, new_sd / sd.clamp_min(1e-12), torch.ones_like(sd))
    return (x - mean) * scale + new_mean
