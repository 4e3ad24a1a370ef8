"""Numbers that a loop tells, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def number_of(value: Tensor | float | None) -> float | None:
    """A number that may lie on a device, or not have been told."""
    return None if value is None else float(value.detach() if isinstance(value, Tensor) else value)


def numbers_of(losses: Iterable[Tensor | float]) -> list[float]:
    """Each loss as a number; a device is waited for once."""
    losses = list(losses)
    if not any(isinstance(x, Tensor) for x in losses):
        return [float(x) for x in losses]
    scalars = [x if isinstance(x, Tensor) and x.ndim == 0 else torch.as_tensor(x).float().mean() for x in losses]
    if all(x.device.type == "cpu" for x in scalars):
        return [x.item() for x in scalars]  # half the time of a stack
    values: list[float] = torch.stack(scalars).tolist()
    return values
