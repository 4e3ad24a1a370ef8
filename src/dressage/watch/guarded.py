"""One examination of a watched training: what it raises is noted, and what it takes is counted."""

from __future__ import annotations

from collections.abc import Callable

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.watch.case import Case


def guarded(case: Case, rule: Callable[[Case], list[Finding]]) -> list[Finding]:
    """What a rule finds; what the user's model or loss raises in it is noted, and never reaches the loop."""
    if case.time_left() <= 0:
        return []
    before, case.running = case.running, case.running or (case.spent, work_seconds())
    try:
        return noted(case, rule)
    finally:
        case.spent, case.running = case.used(), before


def noted(case: Case, rule: Callable[[Case], list[Finding]]) -> list[Finding]:
    """What a rule finds that costs nothing worth counting, whatever time is left; what it raises is noted."""
    try:
        return rule(case)
    except Exception as error:
        case.notes.append(f"one examination failed ({type(error).__name__}: {str(error)[:160]})")
        return []
