"""What tells a network of the user's own from another one, without keeping or running any of its code."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from types import CodeType
from typing import Any

from torch import nn

Likeness = dict[str, str | list[str]]


def likeness(model: nn.Module) -> Likeness:
    """The layers as torch prints them, and a digest of the code of classes that are not torch's.

    Comments, line numbers and docstrings do not count; the digest is comparable within one minor version of Python.
    """
    digest = hashlib.sha256()
    for kind in sorted({type(m) for m in model.modules()}, key=lambda kind: kind.__qualname__):
        if not kind.__module__.startswith("torch."):
            for name, function in sorted(vars(kind).items()):
                code = getattr(function, "__code__", None)
                if isinstance(code, CodeType):
                    digest.update("\0".join([kind.__qualname__, name, *_said(code)]).encode(errors="replace"))
    return {"layers": str(model).splitlines(), "code": digest.hexdigest(), "python": _python()}


def unlike(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two networks, a phrase each."""
    lines = zip_longest(then.get("layers", ()), now.get("layers", ()), fillvalue="nothing")
    found = [f"{b.strip()}, was {a.strip()}" for a, b in lines if a != b]
    if not found and then.get("python") == now.get("python") and then.get("code") != now.get("code"):
        found = ["the same layers, but other code in its methods"]
    return found


def _said(code: CodeType) -> Iterator[str]:
    """What a function does, without where it stands."""
    yield from (code.co_code.hex(), *code.co_names, *code.co_varnames, *code.co_freevars)
    for number, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            yield from _said(constant)
        elif number or not isinstance(constant, str):  # the first text is the docstring
            yield repr(constant)


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])
