"""Hooks that stand in the passes of a user's own network: what goes wrong in one never ends the pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import torch

from dressage.compiler import is_imported

P = ParamSpec("P")


def harmless(hook: Callable[P, None], failed: list[Exception]) -> Callable[P, None]:
    """The hook, with what it raises put into a list in place of being raised in somebody's training."""

    @wraps(hook)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:
            failed.append(error)

    return untraced(tried)


def untraced(hook: Callable[P, None]) -> Callable[P, None]:
    """The hook, which torch's compiler leaves alone where it compiles a pass in which it stands."""
    if not is_imported():
        return hook
    left_alone: Callable[P, None] = torch.compiler.disable(hook)  # type: ignore[no-untyped-call]
    return left_alone
