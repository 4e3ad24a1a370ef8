"""Training and eval mode in a loop: seen at its passes, and judged by what the other mode would give."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import advance, copy_of, generators_kept, outputs_of
from dressage.subject.subject import first_output
from dressage.watch.case import Case

POINTS = 0.01
"""Of the metric, that a validation in training mode has to lose."""


def train_mode_at_eval(case: Case) -> list[Finding]:
    """Validations were run in training mode, and eval mode gives other outputs."""
    told = [v for v in case.telemetry.validations if v.training is not None]
    wrong = [v for v in told if v.training]
    if not wrong or len(wrong) < 0.5 * len(told):
        return []
    harm = case.proven(f"eval modes {case.telemetry.step}", lambda: _difference(case))
    if not isinstance(harm, str):
        return []
    return [
        Finding(
            "eval.train_mode_at_eval",
            "warning" if harm else "info",
            "validation",
            f"{len(wrong)} of {len(told)} validations ran the model in training mode{harm}",
            "dropout draws noise and batch norm uses the batch (and learns from it) while the model is being judged",
            "switch to eval mode before each validation, and back after it",
            step=wrong[0].step,
            code="model.eval()",
            confidence=0.97,
        )
    ]


def _difference(case: Case) -> str:
    """What the two modes give on the same rows, in words; empty where it is the same."""
    rows, metric = case.subject.validation, case.subject.metric
    if rows is None or metric is None:
        noisy, still = (_given_out(case, training=mode) for mode in (True, False))
        if noisy is None or still is None:
            return ""
        moved = float((noisy - still).norm() / still.norm().clamp_min(1e-12))
        return f"; the outputs of the two modes differ by {moved:.0%}" if moved > 0.1 else ""
    rows = rows.head(1024)
    size = case.validation_input.shape[0] if case.validation_input is not None else 128
    scores, losses = [], []
    for mode in (True, False):
        outputs = outputs_of(copy_of(case.model), rows.x, training=mode, batch_size=max(2, size)).cpu()
        scores.append(metric.of(outputs, rows.y))
        losses.append(math.nan if case.loss_fn is None else float(case.loss_fn(outputs, rows.y).mean()))
    worse = scores[1] - scores[0] if metric.higher_is_better else scores[0] - scores[1]
    costs = losses[0] > 1.05 * losses[1] if not math.isnan(losses[0]) else False
    if worse < POINTS and not costs:
        return ""
    return (
        f"; {metric.name} {scores[0]:.3f} instead of {scores[1]:.3f}, loss {losses[0]:.3g} instead of {losses[1]:.3g}"
    )


def _given_out(case: Case, *, training: bool) -> Tensor | None:
    """What a copy gives for the inputs of a validation; None where none were kept."""
    model = copy_of(case.model)
    if case.validation_inputs is not None:
        args, kwargs = case.validation_inputs.make(iter(case.validation_inputs.tensors))
        with torch.no_grad(), generators_kept():
            return first_output(model.train(training)(*args, **kwargs)).float().flatten(1)
    if case.validation_input is None:
        return None
    return outputs_of(model, case.validation_input, training=training).flatten(1)


def trained_in_eval_mode(case: Case) -> list[Finding]:
    """Every step was in eval mode, and a continuation in training mode learns better: it is not by intent then."""
    probes = case.telemetry.probes
    if len(probes) < 3 or any(p.training for p in probes) or case.telemetry.step < 10:
        return []
    lab = case.lab(start=True)
    if lab is None:
        return []

    def both() -> tuple[float, float]:
        steps = min(150, max(30, case.telemetry.step))
        right = advance(lab, steps, deadline=case.deadline(3))
        as_it_is = advance(replace(lab, training=False), right.steps)
        return right.metric, -math.inf if as_it_is.diverged else as_it_is.metric

    scores = case.proven("trained in eval mode", both)
    if not isinstance(scores, tuple) or not scores[0] > scores[1] + 0.03:
        return []
    return [
        Finding(
            "eval.eval_mode_in_training",
            "warning",
            "training loop",
            f"every probed training step ran in eval mode; {probes[-1].step} steps in training mode reach "
            f"{scores[0]:.3f} instead of {scores[1]:.3f}",
            "dropout and batch norm do not do their work in eval mode",
            "switch to training mode before the loop",
            step=probes[0].step,
            code="model.train()",
            confidence=0.9,
        )
    ]
