"""A batch, as it goes from the data through the augmentation to the network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from dressage.augment.draw import widest
from dressage.errors import RecipeError


class Batch(NamedTuple):
    """Samples that are trained on in one step."""

    x: Tensor
    """`(N, H, W, C)` images, uint8 or float on the scale 0..255; `(N, ...)` other arrays."""
    y: Tensor
    """`(N,)` int64 class numbers or float targets; `(N, C)` probabilities or `(N, T)` targets."""
    rows: Tensor
    """`(N,)` int64: the row of the source that each sample is; the key of its draws."""


def in_views(batch: Batch, views: int) -> Batch:
    """The batch with each sample in so many neighbouring rows; each row has draws of its own, keyed by row · views + view."""
    if views == 1:
        return batch
    x, y, rows = (t.repeat_interleave(views, 0) for t in batch)
    return Batch(x, y, rows * views + torch.arange(views, device=rows.device).repeat(len(batch.rows)))


def images(name: str, batch: Batch) -> Tensor:
    """The batch's images, contiguous. Raises RecipeError where they are none."""
    if batch.x.ndim != 4:
        raise RecipeError.of("augment", f"'{name}' given", "the data has no images", "leave it out")
    return batch.x.contiguous()


def planar(x: Tensor) -> Tensor:
    """Images `(N, H, W, C)` as float `(N, C, H, W)`, contiguous: float64 stays, all else becomes float32."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    return x.permute(0, 3, 1, 2).to(wide, memory_format=torch.contiguous_format, copy=True)


def as_stored(values: Tensor, dtype: torch.dtype) -> Tensor:
    """`(N, C, H, W)` floats, cut to 0..255, as images `(N, H, W, C)` of `dtype`; uint8 is rounded to, halves up.

    `values` is overwritten.
    """
    values = values.clamp_(0, 255)
    if dtype == torch.uint8:
        values = values.add_(0.5).to(torch.int16).to(torch.uint8)  # by way of int16: twice as fast as at once
    return values.to(dtype).permute(0, 2, 3, 1).contiguous()


BLOCK = 100_000
"""Values that are computed at a time: as floats they and a few copies fit a core's second cache."""


def mean_levels(x: Tensor) -> Tensor:
    """`(N, C)`: the mean of each channel of images `(N, H, W, C)`, in the widest format of the device."""
    return blockwise(_mean_levels, x)


def _mean_levels(x: Tensor) -> Tensor:
    n, height, width, channels = x.shape
    wide = widest(x.device)
    # Whole rows first: sums over neighbours of three in memory are slow. Whole numbers are exact in float32.
    columns = x.view(n, height, -1).sum(1, dtype=torch.float32 if x.dtype == torch.uint8 else wide)
    return columns.view(n, width, channels).sum(1, dtype=wide) / (height * width)


WIDE = (torch.complex128, torch.int64, torch.int32, torch.int16, torch.uint8)


def blockwise(change: Callable[..., Tensor], x: Tensor, *values: Tensor) -> Tensor:
    """`change(x, *values)`, which treats each sample by itself; on a processor in blocks that stay in its cache.

    That is several times faster than the whole batch at once: large temporaries are given back to the system and
    fetched anew, page by page, for every operation.
    """
    size = max(1, BLOCK // max(1, x[0].numel()))
    if x.device.type != "cpu" or len(x) <= size:
        return change(x, *values)
    return torch.cat([change(*block) for block in zip(*(torch.split(t, size) for t in (x, *values)), strict=True)])


def where(chosen: Tensor, change: Callable[..., Tensor], x: Tensor, *values: Tensor) -> Tensor:
    """`x` with the samples that are `chosen (N,)` replaced by `change(x, *values)`, which treats each sample by itself.

    `x`, contiguous, is used up. On a processor only the chosen are computed. Elsewhere all are: finding them would make
    the host wait for the device.
    """
    if x.device.type != "cpu":
        return torch.where(chosen.view(-1, *[1] * (x.ndim - 1)), change(x, *values), x)
    rows = chosen.nonzero()[:, 0]
    if len(rows):
        changed = change(x.index_select(0, rows), *(v.index_select(0, rows) for v in values))
        _wide(x).index_copy_(0, rows, _wide(changed.contiguous()))
    return x


def _wide(x: Tensor) -> Tensor:
    """The samples as rows of the largest numbers that fit: they are copied as such up to twenty times faster than as bytes."""
    rows = x.view(len(x), -1)
    size = rows.shape[1] * x.element_size()
    return rows.view(next(wide for wide in WIDE if size % wide.itemsize == 0))


@cache
def constant(values: tuple[object, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Fixed numbers on a device, copied there once: another copy in each step would make the host wait. Not to be changed."""
    return torch.tensor(values, dtype=dtype, device=device)
