"""Faults of the loop itself, each seen directly: gradients that are not zeroed, modes that are not switched, waiting."""

from __future__ import annotations

from statistics import median

from torch import nn
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.watch.telemetry import Telemetry

WAIT = 0.005
"""Seconds a batch below which waiting is not worth a worker: a default DataLoader over tensors takes 1 ms."""


def no_zero_grad(seen: Telemetry) -> list[Finding]:
    """The gradient that is used is the batch's own plus what was left, exactly, step after step."""
    told = [p for p in seen.probes if p.step > 1 and p.stale >= 0]
    stale = [p for p in told if p.stale > 0.02]
    if len(stale) < 2 or len(stale) < 0.6 * len(told) or any(p.calls > 1 for p in seen.probes):
        return []
    share = median(p.stale for p in stale)
    return [
        Finding(
            "optim.no_zero_grad",
            "warning",
            "training loop",
            f"at {len(stale)} of {len(told)} probed steps the gradient used is the batch's own plus the one of earlier "
            f"steps (share of the old: {share:.0%})",
            "the gradients of earlier steps are added to those of the present one",
            "clear the gradients in every step, before backward",
            step=stale[1].step,
            code="optimizer.zero_grad()",
            numbers={"stale": share},
            confidence=0.99,
        )
    ]


def is_only_asked(seen: Telemetry, model: nn.Module, optimizer: Optimizer) -> bool:
    """Whether inputs of a network are learned, a picture or a prompt, and the network itself is not."""
    return bool(seen.probes) and all(p.learns_input for p in seen.probes) and not _holds(optimizer, model)


def _holds(optimizer: Optimizer, model: nn.Module) -> bool:
    held = {p.untyped_storage().data_ptr() for group in optimizer.param_groups for p in group["params"]}
    return any(p.untyped_storage().data_ptr() in held for p in model.parameters() if p.requires_grad)


def another_optimizer(seen: Telemetry, model: nn.Module, optimizer: Optimizer) -> list[Finding]:
    """None of the network's parameters is in the optimiser, and none has moved."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if len(seen.probes) < 3 or not trained or _holds(optimizer, model):
        return []
    weights = [w for p in seen.probes for w in p.weights]
    if any(w.update > 0 for w in weights) or not any(w.gradient > 0 for w in weights):
        return []  # copies of them may be in the optimiser, and be copied back
    return [
        Finding(
            "optim.frozen_params",
            "critical",
            "optimiser",
            f"none of the {len(trained)} parameters of the network is in the optimiser; they get gradients, and have not moved "
            f"in {seen.probes[-1].step} steps",
            "the optimiser was made from the parameters of something else: another network, or this one before it was replaced",
            "make the optimiser from the parameters of the network that is trained",
            step=seen.probes[0].step,
            code="optimizer = torch.optim.Adam(model.parameters(), lr)",
            confidence=0.99,
        )
    ]


def eval_mode_in_training(seen: Telemetry, modal: int) -> list[Finding]:
    """Training steps in eval mode after steps in training mode; `modal` modules behave differently in the two."""
    if not modal or not seen.probes:
        return []
    modes = [p.training for p in seen.probes]
    if all(modes) or not any(modes):
        return []  # never: right. Always: by intent, unless a continuation in training mode learns better
    first = next(p.step for p in seen.probes if not p.training)
    if modes[-1] or not seen.probes[0].training:
        return []
    return [
        Finding(
            "eval.eval_mode_in_training",
            "warning",
            "training loop",
            f"the model is in eval mode in the training step {first} and stays so; it was in training mode before",
            f"{modal} dropout or batch-norm modules do not do their work, since a validation left the model in eval mode",
            "switch back after each validation",
            step=first,
            code="model.train()",
            confidence=0.97,
        )
    ]


def data_stall(seen: Telemetry, step_seconds: float, waited: list[float]) -> list[Finding]:
    """The loop waits for its data more than half of the time, after the first steps."""
    is_timed = len(waited) >= 8
    seconds = waited[3:] if is_timed else [p.waiting for p in seen.probes[3:] if not p.acts]
    if len(seconds) < 3 or step_seconds <= 0:
        return []
    wait = median(seconds)
    if wait < WAIT or wait < 0.5 * step_seconds:
        return []
    if wait > step_seconds and not is_timed:  # steps that are not probed wait too, and take less
        return []
    share = min(1.0, wait / step_seconds)
    return [
        Finding(
            "pipe.data_stall",
            "warning",
            "data loading",
            f"{wait * 1e3:.1f} ms of the {step_seconds * 1e3:.1f} ms of a step pass before the model gets its batch ({share:.0%})",
            "the model waits for its data",
            "load in the background, or keep the decoded data in memory",
            step=seen.step,
            code="DataLoader(..., num_workers=2, persistent_workers=True)",
            numbers={"share": share},
            confidence=0.95,
        )
    ]
