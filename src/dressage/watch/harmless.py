"""Hooks that stand in the passes of a user's own network: what goes wrong in one never ends the pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")


def harmless(hook: Callable[P, None], failed: list[Exception]) -> Callable[P, None]:
    """The hook, with what it raises put into a list in place of being raised in somebody's training."""

    @wraps(hook)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:
            failed.append(error)

    return tried
