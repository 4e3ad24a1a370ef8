"""Norms that keep the running statistics they have: what `model.train()` says to all modules does not reach them.

A layer that is frozen has to give what it gave when it was trained. A batch norm in training mode would standardise by each
batch and move its statistics, whether its weights are frozen or not.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class Held:
    """What is put before the class of a norm."""

    def train(self, mode: bool = True) -> Any:
        """Evaluation mode, whatever is asked for."""
        return super().train(False)  # type: ignore[misc]


def keeps_statistics(module: nn.Module) -> bool:
    """Whether a module has running statistics that training moves."""
    return isinstance(module, _NormBase) and module.track_running_stats


def hold(module: nn.Module) -> None:
    """Puts a norm into evaluation mode, to stay. It is of a subclass then, which copies of it are too."""
    if not isinstance(module, Held):
        module.__class__ = _held(type(module))
        module.eval()


def release(module: nn.Module) -> None:
    """Undoes `hold`; the mode is the one that the next `train()` or `eval()` asks for."""
    if isinstance(module, Held):
        module.__class__ = next(kind for kind in type(module).__bases__ if kind is not Held)


def _held(kind: type[nn.Module]) -> type[nn.Module]:
    if kind not in _KINDS:
        _KINDS[kind] = type(f"Held{kind.__name__}", (Held, kind), {})
    return _KINDS[kind]


_KINDS: dict[type[nn.Module], type[nn.Module]] = {}
"""One class of each, so that copies are alike."""
