"""What several checks of the data ask of the same rows, worked out once and forgotten with them."""

from __future__ import annotations

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from dressage.subject import Subject
from dressage.subject.baselines import Baselines, baselines

_found: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def baselines_of(subject: Subject, deadline: float) -> Baselines | None:
    """The baselines of the subject's rows; None without data, for a task without them, or where the rows defeat them."""
    if subject.train is None or subject.task is None:
        return None
    held = None if subject.validation is None else subject.validation.x
    for y, x_held, task, kept in _found.get(subject.train.x, ()):  # type: ignore[no-untyped-call]
        if _same(y, subject.train.y) and _same(x_held, held) and task == subject.task:
            return kept  # type: ignore[no-any-return]
    try:
        found = baselines(subject.train, subject.task, deadline, subject.validation)
    except (ValueError, FloatingPointError, ArithmeticError, MemoryError, RuntimeError):
        return None
    if found is None or len(found.scores) == 4:  # all of them: the deadline cut none
        _found[subject.train.x] = ((subject.train.y, held, subject.task, found),)
    return found


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other
