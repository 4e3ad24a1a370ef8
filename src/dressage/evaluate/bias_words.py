"""The bias/variance recipe in words: what the gaps say, what to do next, and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dressage.evaluate.bias_variance import Diagnosis, Gap, Name, diagnose
from dressage.evaluate.words import digits, targets_of

PARTS = {"target": "target", "train": "training", "train_dev": "train-dev", "validation": "validation", "test": "test"}
NAMES: Mapping[Name, str] = {
    "avoidable_bias": "avoidable bias",
    "variance": "variance",
    "data_mismatch": "mismatch of the data",
    "validation_overfit": "overfitting to the validation part",
}
NEXT: Mapping[Name, tuple[str, ...]] = {
    "avoidable_bias": (
        "a larger network (model.width, model.depth)",
        "longer training (train.epochs)",
        "another optimiser or rate (optim.name, optim.lr)",
        "another architecture (model.name)",
        "less regularisation",
    ),
    "variance": (
        "more training data",
        "regularisation (regularize.weight_decay, regularize.dropout)",
        "augmentation (augment)",
        "another architecture (model.name)",
    ),
    "data_mismatch": (
        "training data that is like what the network is used on",
        "making such data (synthesis, augment)",
        "another architecture (model.name)",
    ),
    "validation_overfit": ("more validation data (data.validation)", "fewer choices made by the validation part"),
}
"""What helps, the first first (R5)."""


def said(found: Diagnosis) -> str:
    """Which gap is largest, in a sentence."""
    top = found.largest
    if top is None:
        told = "; ".join(f"{NAMES[g.name]} {_span(g)}" for g in found.gaps)
        return f"no gap is beyond its noise: {told}"
    if top.name != "avoidable_bias" or found.is_target_known:
        rivals = " and ".join(f"{NAMES[g.name]} {_span(g)}" for g in found.rivals)
        return f"largest gap: {_told(top)}" + (f"; {rivals} cannot be told from it" if rivals else "")
    train, second = found.errors["train"], next((g for g in found.real if g is not top), None)
    if second is None:
        none = "no gap between the parts is beyond its noise; " if len(found.gaps) > 1 else ""
        return f"{none}training {_error(found)} {_span(top)} is avoidable bias as far as less can be reached"
    least = digits(train.value - second.value)
    return (
        f"{_told(second)}; avoidable bias is at most {digits(train.value)}, and the larger of the two if an "
        f"{_error(found)} below {least} can be reached"
    )


def advice(found: Diagnosis) -> list[str]:
    """What to do next: a line for each gap beyond its noise, the largest first."""
    return [f"against {NAMES[gap.name]}: {'; '.join(NEXT[gap.name])}" for gap in found.real]


def notes(found: Diagnosis) -> list[str]:
    """What could not be told, and what would tell it."""
    told, real = [], {gap.name: gap for gap in found.real}
    if not found.is_target_known and "train" in found.errors:
        given = "what a person gets wrong" if _error(found) == "error" else "how exactly the target can be measured"
        told.append(
            f"no target error given: bias is measured from 0; give --evaluate.target_error, for example {given}"
        )
    if "variance" in real and real["variance"].end != "train_dev":
        other = PARTS[real["variance"].end]
        told.append(
            f"it may be that the {other} rows are of another kind, and not variance; --data.train_dev 0.1 sets training "
            "rows aside that tell"
        )
    if "validation_overfit" in real:
        told.append("it may be that the test rows are of another kind than the validation rows, and not overfitting")
    told += [
        f"the {PARTS[name]} score is of the network that was trained again on all rows: no gap is formed with it"
        for name in found.left_out
    ]
    for gap in found.gaps:
        if gap.high < 0 and gap.start != "target":
            told.append(
                f"the {PARTS[gap.end]} rows are easier than the {PARTS[gap.start]} rows: {_error(found)} lower by "
                f"{digits(-gap.value)} ({digits(-gap.high)} to {digits(-gap.low)}); see how the parts were made"
            )
    return told


def to_json(found: Diagnosis) -> dict[str, Any]:
    """As evaluation.json has it; described in `dressage.evaluate`."""
    return {
        "unit": found.unit,
        "target_known": found.is_target_known,
        "errors": {
            name: {"value": e.value, "low": e.low, "high": e.high, "n": e.n} for name, e in found.errors.items()
        },
        "gaps": [
            {"name": g.name, "from": g.start, "to": g.end, "value": g.value, "low": g.low, "high": g.high}
            | {"beyond_noise": g.is_beyond_noise}
            for g in found.gaps
        ],
        "largest": found.largest.name if found.largest else None,
        "rivals": [g.name for g in found.rivals],
        "said": said(found),
        "next": advice(found),
        "notes": notes(found),
    }


def _told(gap: Gap) -> str:
    """`variance 0.062 (0.031 to 0.093), from training to validation`."""
    return f"{NAMES[gap.name]} {_span(gap)}, from {PARTS[gap.start]} to {PARTS[gap.end]}"


def _span(gap: Gap) -> str:
    return f"{digits(gap.value)} ({digits(gap.low)} to {digits(gap.high)})"


def _error(found: Diagnosis) -> str:
    return "error" if found.unit == "share wrong" else "RMSE"


def gaps_of(evaluation: Mapping[str, Any], target_error: float = 0.0) -> dict[str, Any]:
    """What the gaps between the errors of the parts say, as evaluation.json has it; empty where nothing can be compared.

    Of several targets each has its own, in `each`, and is told after its name; a target error is none of theirs.
    """
    targets = next((list(targets_of(e)) for e in evaluation.values() if isinstance(e, Mapping) and targets_of(e)), [])
    if not targets:
        found = diagnose(evaluation, target_error)
        return to_json(found) if found else {}
    each = {name: gaps for name in targets if (gaps := gaps_of(of_target(evaluation, name)))}
    if not each:
        return {}
    notes = dict.fromkeys(note for gaps in each.values() for note in gaps["notes"])
    return {
        "each": each,
        "said": "; ".join(f"{name}: {gaps['said']}" for name, gaps in each.items()),
        "next": [f"{name}: {line}" for name, gaps in each.items() for line in gaps["next"]],
        "notes": list(notes),
    }


def of_target(evaluation: Mapping[str, Any], target: str) -> dict[str, Any]:
    """The evaluation of one of several targets, part by part, as that of one is."""
    parts = {part: e for part, e in evaluation.items() if isinstance(e, Mapping) and target in targets_of(e)}
    return {
        part: {**targets_of(e)[target], **({"network": e["network"]} if "network" in e else {})}
        for part, e in parts.items()
    }
