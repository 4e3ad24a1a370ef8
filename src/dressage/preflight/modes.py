"""Train and eval mode: what may differ between them, and what batch norm makes of small batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dressage.findings import Finding
from dressage.preflight.calls import Rewired, watched
from dressage.preflight.given import STEPS, affordable, lab_given, rows_given
from dressage.preflight.result import Seen
from dressage.subject import Subject, advance, copy_of, first_output, generators_kept, outputs_of

SMALL = 4  # rows of a batch up to which batch norm is looked at
FEW, LOST = 0.03, 0.08  # points of the metric: worth a note; harm


def modes(subject: Subject, deadline: float) -> list[Finding]:
    """Judges noise that stays on in eval mode, and the gap between both modes under batch norm with small batches."""
    rows = rows_given(subject).head(64)
    model = copy_of(subject.model)
    first, second, training = _pass(model, rows.x, subject, False, 0), _pass(model, rows.x, subject, False, 1), None
    noisy = float((first - second).abs().max()) > 1e-5 * max(1e-9, float(first.std()))
    training = _pass(model, rows.x, subject, True, 0)
    differs = float((first - training).abs().max()) / max(1e-9, float(first.std()))
    said = f"train and eval mode differ by {differs:.2g} sd of the outputs"
    if noisy and (finding := _noise_at_eval(subject, deadline)):
        return Seen([finding], said)
    if any(isinstance(m, _BatchNorm) for m in model.modules()) and (finding := _small_batches(subject, deadline)):
        return Seen([finding], said)
    return Seen(said=said)


def _pass(model: nn.Module, x: Tensor, subject: Subject, training: bool, seed: int) -> Tensor:
    with torch.no_grad(), generators_kept():
        torch.default_generator.manual_seed(seed)
        return first_output(copy_of(model).train(training)(x.to(subject.device))).float()


def _noise_at_eval(subject: Subject, deadline: float) -> Finding | None:
    """A functional dropout that is not told of the mode."""
    numbers: list[int] = []
    found: list[str] = []
    model = copy_of(subject.model).eval()
    with torch.no_grad(), generators_kept(), watched(model, lambda c: _note(c.kind, c.number, c.where, numbers, found)):
        model(rows_given(subject).x[:4].to(subject.device))
    off = set(numbers)
    lab = lab_given(subject)
    points = was = after = float("nan")
    if off and lab.metric is not None:
        trained = advance(lab, STEPS, deadline=deadline).model
        assert trained is not None
        metric, y = lab.metric, lab.y[:512]
        was = metric.of(outputs_of(trained, lab.x[:512]).cpu(), y)
        quiet = Rewired(trained, lambda kind, number, call, args: args[0] if number in off else call())
        after = metric.of(outputs_of(quiet, lab.x[:512]).cpu(), y)
        points = after - was if metric.higher_is_better else was - after
    shown = f"; after {STEPS} steps the metric is {was:.3g} with it and {after:.3g} without" if off else ""
    return Finding(
        "eval.train_mode_at_eval",
        "warning" if points > 0.01 else "info",
        (found[0] if found else "") or "outputs",
        f"two passes in eval mode differ{shown}",
        "a dropout stays on in eval mode" if off else "the network draws random numbers in eval mode",
        "tell dropout of the mode: nn.Dropout, or F.dropout(..., training=self.training)",
        code="h = F.dropout(h, p, training=self.training)",
        confidence=0.9 if off else 0.3,
        numbers={"with": was, "without": after},
    )


def _note(kind: str, number: int, where: str, numbers: list[int], found: list[str]) -> None:
    if kind == "dropout":
        numbers.append(number)
        found.append(where)


def _small_batches(subject: Subject, deadline: float) -> Finding | None:
    """The same weights judged with the averages that batch norm has kept, and with the statistics of many rows."""
    lab = lab_given(subject)
    if not 1 < lab.batch_size <= SMALL or lab.metric is None:
        return None
    steps, _ = affordable(lab, 3 * STEPS, 2, deadline)
    trained = advance(lab, steps, deadline=deadline).model
    assert trained is not None
    x, y = lab.x[:512], lab.y[:512]
    whole = len(x) - len(x) % lab.batch_size
    sign = 1 if lab.metric.higher_is_better else -1
    in_eval = lab.metric.of(outputs_of(copy_of(trained), x).cpu(), y)
    in_train, in_many = (
        lab.metric.of(outputs_of(copy_of(trained), x[:whole], training=True, batch_size=size).cpu(), y[:whole])
        for size in (lab.batch_size, whole)
    )
    lost = sign * (max(sign * in_train, sign * in_many) * sign - in_eval)
    if abs(in_eval - in_train) < FEW and lost < FEW:
        return None
    return Finding(
        "optim.bn_small_batch",
        "warning" if lost >= LOST else "info",
        next(n for n, m in trained.named_modules() if isinstance(m, _BatchNorm)),
        f"batches of {lab.batch_size}: after {steps} steps the same weights reach {in_eval:.3g} in eval mode, {in_train:.3g} "
        f"in train mode, and {in_many:.3g} with the statistics of {whole} rows",
        "batch norm takes mean and variance of a few rows: they are noise, and its averages do not fit them",
        "larger batches, or group norm",
        edit={"train.batch_size": 32},
        code="nn.GroupNorm(8, channels)",
        confidence=0.85,
        numbers={"train_mode": in_train, "eval_mode": in_eval, "many": in_many},
    )
