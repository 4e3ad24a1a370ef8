"""dressage trains neural networks by the whole procedure, watches it, and explains it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from dressage.version import __version__

if TYPE_CHECKING:
    from dressage.diagnose import diagnose as diagnose
    from dressage.ensemble import ensemble as ensemble
    from dressage.ensemble import load as load
    from dressage.errors import DressageError as DressageError
    from dressage.fit import fit as fit
    from dressage.graph import trace as trace
    from dressage.landscape import landscape as landscape
    from dressage.models.fused import fuse as fuse
    from dressage.preflight import preflight as preflight
    from dressage.prepare import prepare as prepare
    from dressage.range_test import range_test as range_test
    from dressage.recipe import Recipe as Recipe
    from dressage.repair import repair as repair
    from dressage.run import Run as Run
    from dressage.search import Search as Search
    from dressage.search import search as search
    from dressage.search.tune import tune as tune
    from dressage.statistics import activation_statistics as activation_statistics
    from dressage.train import reproduce as reproduce
    from dressage.train import resume as resume
    from dressage.train import train as train
    from dressage.watch import watch as watch

# Public name -> the module that holds it. Imported on first use, so that `import dressage` needs no torch.
_HOMES = {
    "DressageError": "dressage.errors",
    "Recipe": "dressage.recipe",
    "Run": "dressage.run",
    "activation_statistics": "dressage.statistics",
    "diagnose": "dressage.diagnose",
    "ensemble": "dressage.ensemble",
    "fit": "dressage.fit",
    "fuse": "dressage.models.fused",
    "landscape": "dressage.landscape",
    "load": "dressage.ensemble",
    "preflight": "dressage.preflight",
    "prepare": "dressage.prepare",
    "range_test": "dressage.range_test",
    "repair": "dressage.repair",
    "Search": "dressage.search",
    "reproduce": "dressage.train",
    "resume": "dressage.train",
    "search": "dressage.search",
    "trace": "dressage.graph",
    "train": "dressage.train",
    "tune": "dressage.search.tune",
    "watch": "dressage.watch",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dressage' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # also takes the place of a submodule of the same name (dressage.train, dressage.fit)
    return value


class _Package(ModuleType):
    """Keeps `dressage.train` the function when the import system puts the module of that name in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, getattr(value, name) if name in _HOMES and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
