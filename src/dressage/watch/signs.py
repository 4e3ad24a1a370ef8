"""Symptoms that only the network and its scores show: constant outputs, a plateau, a gap, a validation that is too good."""

from __future__ import annotations

import math
from statistics import fmean

import torch

from dressage.findings import Finding
from dressage.subject import copy_of, outputs_of
from dressage.watch.case import RACED_ROWS, Case
from dressage.watch.rules.curves import still_falling

SAME = 1e-3
"""Spread of an output over rows, beside that of what the targets would have it at, below which all rows are answered alike."""
GAP = 0.1
"""Points of the metric between training and validation rows that are worth a word."""
TOO_GOOD = 0.05
"""Points by which validation rows are answered better than training rows, which they are not in an honest split."""
SETTLED = 0.02
"""Share of the loss that the second half of a training on a plateau has still brought."""
LONG = 60
"""Losses from which a plateau can be told."""


def signs_at_the_end(case: Case, why: str) -> list[Finding]:
    """What is seen of the network as it is; `why` says that it does badly, without which a plateau is where it should be."""
    standing = plateau(case) if why else ""
    cause = "the loss has stopped falling above what is possible"
    return [
        *(_constant(case) if why else []),
        *([_sign(case, "sym.plateau", "loss", standing, cause)] if standing else []),
        *_between_splits(case),
    ]


def _constant(case: Case) -> list[Finding]:
    rows = case.subject.train
    if rows is None or len(rows) < 2:
        return []
    outputs = outputs_of(copy_of(case.model), rows.head(256).x).double()
    outputs = outputs.reshape(len(outputs), -1)
    spread = float(outputs.std(0).max())
    if not math.isfinite(spread) or spread > SAME * max(1.0, float(outputs.abs().mean())):
        return []
    told = (
        f"over {len(outputs)} rows the outputs differ by {spread:.2g}, at a size of {float(outputs.abs().mean()):.3g}"
    )
    return [_sign(case, "sym.constant_output", "outputs", told, "every row gets the same answer")]


def plateau(case: Case) -> str:
    """Whether the loss has stopped falling, in words; empty where it has not."""
    losses = [x for x in case.telemetry.losses if math.isfinite(x)]
    if len(losses) < LONG or still_falling(losses) > 0:
        return ""
    quarter = len(losses) // 4
    first, before, last = fmean(losses[:3]), fmean(losses[2 * quarter : 3 * quarter]), fmean(losses[-quarter:])
    if not first > 1.1 * last > 0 or abs(before - last) > SETTLED * abs(first - last):
        return ""
    return f"the loss fell from {first:.4g} to {before:.4g} in the first half, and is {last:.4g} at the end"


def _between_splits(case: Case) -> list[Finding]:
    (_, fitted), held, rows = case.now(), case.validation_metric(), case.subject.validation
    if rows is None or math.isnan(fitted) or math.isnan(held):
        return []
    count, p = min(len(rows), RACED_ROWS), min(max(held, 0.02), 0.98)
    error = math.sqrt(p * (1 - p) / max(1, count))
    told = f"training metric {fitted:.3f}, validation metric {held:.3f} ± {error:.3f} on {count} rows"
    if fitted - held > GAP + 2 * error:
        return [_sign(case, "sym.gap", "validation", told, "training rows are answered better than others")]
    if held - fitted > TOO_GOOD + 3 * error and _is_trained_and_judged_alike(case):
        return [
            _sign(
                case,
                "sym.val_metric_too_good",
                "validation",
                told,
                "rows that are new are answered better than known ones",
            )
        ]
    return []


def _is_trained_and_judged_alike(case: Case) -> bool:
    """Both scores are of eval mode, so dropout explains nothing; batch norm whose statistics lag may."""
    return not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in case.model.modules())


def _sign(case: Case, name: str, where: str, evidence: str, meaning: str) -> Finding:
    return Finding(name, "info", where, evidence, meaning, "see the causes named beside", step=case.telemetry.step)
