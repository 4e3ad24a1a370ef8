"""Clipping of the gradient by its norm (Pascanu, Mikolov & Bengio 2013; CMU3)."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_norm_(grads: list[Tensor], limit: float) -> Tensor:
    """Scales `grads` in place so that their common norm is at most `limit`; returns the norm before, on the device.

    g ← g · min(1, limit/(‖g‖₂ + 1e-6)), as torch does it. A norm that is not finite spoils the gradients: check it
    first.
    """
    total: Tensor = torch.nn.utils.get_total_norm(grads)
    scale = torch.clamp(limit / (total + 1e-6), max=1.0)
    torch._foreach_mul_(grads, scale)
    return total
