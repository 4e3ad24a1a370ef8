"""torch's compiler, imported when something is compiled.

torch's optimisers import it (0.8 to 1.5 s of each start) only to tell it what to leave alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


def import_late() -> None:
    """From now on torch's compiler is imported by the first use of it that is not to be left alone by it.

    For processes of dressage's own: called before torch is imported. Where the compiler was imported before, nothing changes.
    """
    sys.modules.setdefault(NAME, _Later(NAME))


def is_imported() -> bool:
    """Whether anything can have been compiled in this process."""
    return not isinstance(sys.modules.get(NAME), _Later | None)


class _Later(ModuleType):
    """Stands for the compiler's module until more is asked of it than to leave something alone."""

    def graph_break(self, msg: str = "") -> None:
        """Nothing: no graph is being made."""

    def disable(self, fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The function, left alone by the compiler from its import on."""
        if not callable(fn) or isinstance(fn, type):
            return _imported().disable(fn, *args, **kwargs)
        left_alone: list[Callable[..., Any]] = []

        @wraps(fn)
        def call(*of: Any, **named: Any) -> Any:
            if not left_alone and is_imported():
                left_alone.append(sys.modules[NAME].disable(fn, *args, **kwargs))
            return (left_alone[0] if left_alone else fn)(*of, **named)

        return call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # as inspect asks every module for its file
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        return getattr(_imported(), name)


def _imported() -> Any:
    if not is_imported():
        sys.modules.pop(NAME, None)
    return import_module(NAME)
