"""Copies of compiled networks are run as they were written: nothing is compiled for an examination."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from dressage.compiler import is_imported


def uncompiled() -> AbstractContextManager[object]:
    """Meanwhile what torch has compiled runs eagerly, and nothing is compiled; free where torch's compiler was not imported."""
    return torch.compiler.set_stance("force_eager") if is_imported() else nullcontext()
