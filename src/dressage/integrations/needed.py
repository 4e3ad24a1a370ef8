"""Libraries that are not part of dressage: found, or asked for with the command that installs them."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from dressage.errors import DressageError


class MissingPackage(DressageError, ImportError):
    """A library that is not installed."""


def needed(*names: str, extra: str, where: str = "") -> Any:
    """The first of the modules whose library is there, those in use before others. Raises MissingPackage.

    `where`: what asked for it, as a person writes it; else the module of dressage that was imported.
    """
    libraries = {name: name.partition(".")[0] for name in names}
    there = [name for name in names if libraries[name] in sys.modules or find_spec(libraries[name])]
    if not there:
        raise MissingPackage.of(
            where or f"dressage.integrations.{extra}",
            f"{libraries[names[0]]} is not installed",
            f"expected {' or '.join(libraries.values())}",
            f"pip install 'dressage[{extra}]'",
        )
    return import_module(min(there, key=lambda name: libraries[name] not in sys.modules))
