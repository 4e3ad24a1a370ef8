"""What several checks of the data ask of the same rows, worked out once and forgotten with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

from dressage.subject import Rows, Subject
from dressage.subject.baselines import Baselines, baselines
from dressage.subject.inputs import untold_columns

P = ParamSpec("P")
T = TypeVar("T")
_found: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def baselines_of(subject: Subject, deadline: float) -> Baselines | None:
    """The baselines of the subject's rows; None without data, for a task without them, or where the rows defeat them.

    Nor where the rows are numbers of nodes and no more.
    """
    if subject.train is None or subject.task is None:
        return None
    if subject.train.x.shape[1:] == (len(untold_columns(subject.model)),):
        return None
    held = (None, None) if subject.validation is None else (subject.validation.x, subject.validation.y)
    given = (subject.train.y, *held, subject.task)
    for known, kept in _found.get(subject.train.x, ()):  # type: ignore[no-untyped-call]
        if all(one is other for one, other in zip(known, given, strict=True)):
            return kept  # type: ignore[no-any-return]
    try:
        found = quietly(baselines, _untold(subject.train, subject.model), subject.task, deadline, subject.validation)
    except (ValueError, TypeError, IndexError, ArithmeticError, MemoryError, RuntimeError):
        return None
    if found is None or len(found.scores) == 4:  # all of them: the deadline cut none
        _found[subject.train.x] = ((given, found),)
    return found


def _untold(rows: Rows, model: nn.Module) -> Rows:
    """The rows without targets that the network is given, and without numbers of nodes: no simple model may use them."""
    columns = untold_columns(model)
    if not columns:
        return rows
    x = rows.x.clone()
    x[:, columns] = 0
    return replace(rows, x=x)


def quietly(run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call, without the warnings that the user's model or loss gives: the user's own run will give them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(*args, **kwargs)
