"""Whether the output of a row depends on the other rows of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.preflight.given import STEPS, lab_given, metric_gain, rows_given
from dressage.preflight.result import NotChecked, Seen
from dressage.subject import Subject, advance, copy_of, first_output, generators_kept, outputs_of

FEW = 0.02  # points of the metric that count as harm
TURNED = 0.03  # and so many more by which a network has to learn better with its layers turned


def row_leak(subject: Subject, deadline: float) -> list[Finding]:
    """Changes one row of a batch in eval mode: no other output may move. Batch norm without running averages is let be."""
    rows = rows_given(subject).head(16)
    model = copy_of(subject.model).eval()
    if any(isinstance(m, _BatchNorm) and m.running_mean is None for m in model.modules()):
        raise NotChecked("batch norm without running averages mixes rows in eval mode too")
    if len(rows) < 3:
        raise NotChecked("fewer than three rows")
    x = rows.x.to(subject.device)
    changed = x.clone()
    changed[0] = x[-1] if x[0].equal(x[1]) or not x.is_floating_point() else 2 * x[1] - x[0] + 1
    first, again = _outputs(model, x), _outputs(model, x)
    if len(first) != len(x):
        raise NotChecked(f"{len(x)} rows give outputs of shape {tuple(first.shape)}")
    if float((first - again).abs().max()) > 1e-6:
        raise NotChecked("two passes in eval mode differ: see modes")
    moved = float((_outputs(model, changed)[1:] - first[1:]).abs().max()) / max(float(first.std()), 1e-12)
    said = f"one row changed: others move by {moved:.2g} sd of the outputs"
    if moved < 1e-3:
        return Seen(said=said)
    together, alone = _after_training(subject, deadline)
    kind, gained, turned = _turned(subject, deadline)
    points = max(together - alone, gained - TURNED)
    finding = Finding(
        "data.leakage",
        "warning" if points > FEW else "info",
        "batch",
        f"with one of {len(x)} rows changed, outputs of the others move by {moved:.2g} sd in eval mode; after {STEPS} steps "
        f"the metric is {together:.3g} in batches and {alone:.3g} row by row{turned}",
        "the rows of a batch see each other: the network mixes along the first axis",
        "let it mix along features or time only (attention and recurrent layers: batch_first=True; means over dim 1, not 0)",
        code=f"nn.{kind}(..., batch_first=True)" if kind else "dim=-1  # not dim=0",
        confidence=0.95,
        numbers={"moved": moved, "together": together, "alone": alone},
    )
    return Seen([finding], said)


def _after_training(subject: Subject, deadline: float) -> tuple[float, float]:
    """The metric after a short training, in batches as they are trained and in rows on their own; higher is better."""
    lab = lab_given(subject)
    if lab.metric is None:
        return 0.0, 0.0
    trained = advance(lab, STEPS, deadline=deadline).model
    assert trained is not None
    x, y = lab.x[:256], lab.y[:256]
    sign = 1 if lab.metric.higher_is_better else -1
    together = lab.metric.of(outputs_of(trained, x, batch_size=lab.batch_size).cpu(), y.cpu())
    alone = lab.metric.of(outputs_of(trained, x, batch_size=1).cpu(), y.cpu())
    return sign * together, sign * alone


def _turned(subject: Subject, deadline: float) -> tuple[str, float, str]:
    """A layer that reads the batch as time, what a copy gains by reading it as rows, and that in words; empty without one."""
    kind = next((type(m).__name__ for m in subject.model.modules() if getattr(m, "batch_first", None) is False), "")
    lab = lab_given(subject)
    if not kind or lab.metric is None:
        return kind, 0.0, ""

    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        for module in model.modules():
            if getattr(module, "batch_first", None) is False:
                module.batch_first = True  # type: ignore[assignment]

    try:
        points, was, after = metric_gain(lab, lab.changed(edit), deadline)
    except (RuntimeError, ValueError, IndexError):  # their inputs are turned before them
        return kind, 0.0, ""
    return kind, points, f"; with batch_first=True a copy comes to {after:.3g}, as it is {was:.3g}"


def _outputs(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad(), generators_kept():
        torch.default_generator.manual_seed(0)
        return first_output(model(x)).float()
