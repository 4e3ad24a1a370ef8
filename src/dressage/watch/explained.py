"""Which of several findings are told: a cause once, and not beside what explains it."""

from __future__ import annotations

from dataclasses import replace

from dressage.findings import Finding

EXPLAINS = {
    "data.nonfinite": ("sym.", "optim.", "model.", "loss."),
    "loss.": ("optim.lr_too_high", "optim.lr_too_low", "model.", "eval.underfit", "data.shuffled_labels"),
    "data.unscaled_inputs": ("optim.lr_too", "optim.exploding", "model.saturated", "model.dead_relu", "model.init_too"),
    "data.all_positive_inputs": ("model.saturated",),
    "data.target_unscaled": (
        "optim.lr_too",
        "optim.exploding",
        "model.dead_relu",
        "model.wrong_output_size",
        "model.init_too",
    ),
    "model.wrong_output_activation": ("data.target_unscaled", "eval.underfit", "data.leakage"),
    "data.shuffled_labels": ("data.label_noise", "eval.", "optim.", "model."),
    "data.label_noise": ("eval.overfit",),
    "data.duplicates": ("eval.overfit",),
    "data.split_shift": ("eval.overfit",),
    "eval.preprocess_mismatch": ("eval.overfit",),
    "model.symmetric_init": (
        "model.init_too",
        "optim.lr_too",
        "optim.vanishing",
        "model.bottleneck",
        "eval.overfit",
        "eval.underfit",
    ),
    "model.init_too_small": ("optim.vanishing", "optim.lr_too", "eval.underfit"),
    "model.init_too_large": ("model.saturated", "optim.lr_too", "optim.exploding", "model.dead_relu"),
    "model.": ("eval.underfit",),
    "optim.no_zero_grad": ("optim.lr_too_high", "optim.momentum", "optim.exploding"),
    "optim.frozen_params": ("optim.lr_too_low", "eval.underfit", "optim.vanishing", "model.bottleneck"),
    "optim.": ("eval.underfit", "model.bottleneck"),
    "eval.train_mode_at_eval": ("optim.bn_small_batch",),
    "eval.eval_mode_in_training": ("model.dead_relu", "model.saturated", "optim.bn_small_batch"),
    "eval.e": ("eval.underfit",),
    "data.": ("eval.underfit",),
}
"""A cause on the left is the reason for those on the right where both are found: they are told as notes."""

ELSEWHERE = 0.9
"""Area under the curve of a classifier of splits, above which hardly a validation row has training rows around it."""


def explained(found: list[Finding]) -> list[Finding]:
    """Findings that another one explains, turned into notes."""
    harmful = [f.id for f in found if f.is_harmful]
    hidden = {
        other
        for cause, consequences in EXPLAINS.items()
        for one in harmful
        if one.startswith(cause)
        for other in harmful
        if other != one and other.startswith(consequences) and not other.startswith(cause)
    }
    told = [replace(f, severity="info", confidence=f.confidence * 0.5) if f.id in hidden else f for f in found]
    return _few_not_moved(_moved_not_shuffled(_prepared_not_shuffled(told)))


def joined(found: list[Finding], proven: list[Finding]) -> list[Finding]:
    """Each cause once: a proof takes the place of notes of its cause, and is not told beside harm that names it already."""
    new = [f for f in proven if not any(g.id == f.id and g.is_harmful for g in found)]
    return [*(f for f in found if f.is_harmful or f.id not in {g.id for g in new}), *new]


def _few_not_moved(found: list[Finding]) -> list[Finding]:
    """A few rows that stand again and again for a whole population lie a little apart from others of it: that is no shift."""
    if not any(f.id == "data.duplicates" and f.is_harmful for f in found):
        return found
    return [
        replace(f, severity="info") if f.id == "data.split_shift" and f.numbers.get("auc", 1.0) <= ELSEWHERE else f
        for f in found
    ]


def _moved_not_shuffled(found: list[Finding]) -> list[Finding]:
    """Of validation rows that lie elsewhere than the training rows, neighbours among these do not tell whether labels fit."""
    if not any(f.id == "data.split_shift" and f.is_harmful and f.numbers.get("auc", 0.0) > ELSEWHERE for f in found):
        return found
    return [
        replace(f, severity="info") if f.id == "data.shuffled_labels" and "validation" in f.where else f for f in found
    ]


def _prepared_not_shuffled(found: list[Finding]) -> list[Finding]:
    """Validation rows that an affine map brings back are not unpaired: the map is the cause, and the chance score its harm."""
    maps = [f for f in found if f.id == "eval.preprocess_mismatch"]
    unpaired = [f for f in found if f.id == "data.shuffled_labels" and f.is_harmful and "validation" in f.where]
    if not maps or not unpaired:
        return found
    kept = [f for f in found if f not in unpaired and f not in maps]
    harm = f"{maps[0].evidence}; {unpaired[0].evidence}"
    return [*kept, replace(maps[0], severity="warning", evidence=harm, confidence=0.8)]
