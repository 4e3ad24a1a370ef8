"""Inputs or targets that are not finite: one such number makes every weight NaN in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import Rows, Subject

NAMED = 5  # rows and columns that are named


def nonfinite(subject: Subject, deadline: float) -> list[Finding]:
    """NaN or infinity in inputs or targets of either split, by row and column."""
    found = []
    for rows, split in ((subject.train, "training"), (subject.validation, "validation")):
        if rows is None:
            continue
        found += _of(rows, rows.x, f"{split} inputs", list(subject.names))
        found += _of(rows, rows.y, f"{split} targets", [])
    return found


def _of(rows: Rows, values: Tensor, where: str, names: list[str]) -> list[Finding]:
    if not (values.is_floating_point() or values.is_complex()):
        return []
    bad = ~torch.isfinite(values.reshape(len(values), -1)).cpu()
    if not bad.any():
        return []
    at, columns = rows.index[bad.any(1).nonzero()[:, 0]].tolist(), bad.any(0).nonzero()[:, 0].tolist()
    named = [names[c] if len(names) == bad.shape[1] else str(c) for c in columns]
    seen = f"{int(bad.sum())} values are NaN or infinite: rows {_list(at)}"
    seen += f"; columns {_list(named)}" if bad.shape[1] > 1 else ""
    cause = "the data holds numbers that are not finite, and the first batch with one makes loss and weights NaN"
    remedy = "fill the missing values in from the training rows, or drop these rows"
    code = "x = torch.where(torch.isfinite(x), x, x.nanmedian(0).values)"
    numbers = {"values": float(bad.sum()), "rows": float(len(at))}
    return [Finding("data.nonfinite", "critical", where, seen, cause, remedy, code=code, numbers=numbers)]


def _list(items: list[object] | list[str] | list[int]) -> str:
    rest = len(items) - NAMED
    return ", ".join(map(str, items[:NAMED])) + (f" and {rest} more" if rest > 0 else "")


CHECKS = (("data.nonfinite", "numbers that are not finite in inputs and targets", nonfinite),)
