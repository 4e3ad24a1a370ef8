"""First weights that are kept for proofs, of a large network: in a file, so that they take no memory until they are read."""

from __future__ import annotations

import tempfile
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

LARGE = 64 << 20
"""Bytes of weights from which they are laid aside; below that the copy is small beside what torch itself takes."""


def lay_aside(model: nn.Module) -> bool:
    """Moves the tensors of a copy on the CPU into a file that is gone with it; False where they are few, or there is no room."""
    tensors = [t for t in chain(model.parameters(), model.buffers()) if _can_be_mapped(t)]
    if sum(t.nbytes for t in tensors) < LARGE:
        return False
    try:
        with tempfile.NamedTemporaryFile(prefix="dressage-") as file:
            for t in tensors:
                file.write(t.detach().reshape(-1).view(torch.uint8).numpy().data)
            file.flush()
            mapped = np.memmap(file.name, np.uint8, mode="c")  # copy on write: the mapping outlives the file's name
    except OSError:
        return False
    whole, at = torch.from_numpy(mapped), 0
    for t in tensors:
        t.data = whole[at : at + t.nbytes].view(t.dtype).view(t.shape)
        at += t.nbytes
    return True


def _can_be_mapped(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.is_contiguous() and tensor.numel() > 0 and tensor.nbytes % 8 == 0
