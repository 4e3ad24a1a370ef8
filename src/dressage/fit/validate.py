"""Loss and metric of a network on a whole part, without augmentation and in evaluation mode."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import islice

import torch
from torch import Tensor, nn

from dressage.data.batches import Batches, in_order
from dressage.data.source import Part
from dressage.fit.plan import Plan
from dressage.layers.held import Held
from dressage.objective.several import Several

EVALUATION_BATCH = 512
RECALIBRATION_BATCHES = 32


@torch.no_grad()
def outputs_of(model: nn.Module, part: Part, plan: Plan, batch_size: int = EVALUATION_BATCH) -> Tensor:
    """`(N, outputs)` float32: what the network says of each sample, or of each of its views; the mode is left as it was."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    with torch.autocast(device.type, plan.autocast) if plan.autocast else nullcontext():
        batches = map(plan.shown, in_order(part, batch_size, device))
        outputs = [model(plan.cast(batch.x)).float() for batch in batches]
    model.train(was_training)
    return torch.cat(outputs)


def validate(model: nn.Module, part: Part, plan: Plan) -> dict[str, float]:
    """val_loss (without label smoothing) and val_accuracy or val_rmse; of several targets one metric each."""
    outputs = outputs_of(model, part, plan)
    return judged(plan, outputs, part.targets.to(outputs.device))


def judged(plan: Plan, outputs: Tensor, y: Tensor) -> dict[str, float]:
    """The same of outputs `(N, outputs)` against targets."""
    metric = plan.objective.finish(float(plan.objective.score(outputs, y)) / len(y)) * plan.unit
    each = plan.objective.metrics(outputs, y) if isinstance(plan.objective, Several) else {}
    told = {"val_loss": float(plan.objective.plain_loss(outputs, y)), f"val_{plan.objective.metric}": metric}
    return told | {f"val_{name}": value for name, value in each.items()}


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Batches, plan: Plan, *, all_norms: bool = True) -> None:
    """Measures batch-norm statistics anew, over up to 32 training batches of m values: mean of μ_B, of m/(m − 1)·σ_B².

    Averaged weights need it, since theirs were never measured; else those norms get it that are to have the population's
    (`all_norms=False`). Those of frozen layers keep what they have. R5, algorithm 2.
    """
    every = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    tracked = [m for m in every if not isinstance(m, Held)]
    norms = [m for m in tracked if all_norms or getattr(m, "population", False)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative mean
        norm.train()
    for batch in islice(batches.epoch(0), RECALIBRATION_BATCHES):
        model(plan.cast(batch.x))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
