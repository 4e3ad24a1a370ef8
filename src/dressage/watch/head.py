"""Whether the last layer and the loss are those that the task asks for: a copy with a head of its own is trained beside."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dressage.findings import Finding
from dressage.preflight.loss_form import cuts_to_probabilities, is_distance_of_shares
from dressage.subject import Lab, advance, copy_of, labels_of
from dressage.subject.subject import first_output
from dressage.subject.task import default_metric
from dressage.subject.untouched import generators_kept
from dressage.watch.case import Case
from dressage.watch.parts import called, is_leaf, put
from dressage.watch.weighted import is_weighted

POINTS = 0.1
"""Of accuracy or R², by which the head that the task asks for has to win."""
RATES = (1e-3, 1e-2)
ROWS = 256
"""On which outputs are looked at."""
HEADS = nn.ReLU | nn.Sigmoid | nn.Tanh | nn.Softmax | nn.LogSoftmax | nn.Softplus | nn.ReLU6 | nn.Hardtanh


def wrong_head(case: Case) -> list[Finding]:
    """A network that does badly, and does well with the last layer and the loss that its targets ask for."""
    lab, task = case.lab(start=True), case.subject.task
    if lab is None or task is None or lab.y.ndim > 2 or _has_places(lab, task) or is_weighted(case, lab):
        return []
    if task == "regression" and lab.metric is None:  # its loss asks for something else than values
        return []
    other = headed(lab, task, case.subject.classes)
    if other is None or _is_that(lab, other):
        return []
    found = case.proven(f"head {case.telemetry.step}", lambda: _raced(case, lab, other))
    if not isinstance(found, tuple):
        return []
    if _counts(lab, case.subject.classes):
        return []
    named = _named(case, lab, found[0], found[1])
    return [] if named.id == "model.wrong_output_activation" and _ends_linear(lab) else [named]


def _raced(case: Case, lab: Lab, other: Lab) -> tuple[float, float] | None:
    """What the head that the task asks for reaches, and the most without it; None as soon as it is seen not to win."""
    steps = min(200, max(60, case.telemetry.step))

    def reached(tried: Lab) -> float:
        metric = advance(tried, steps, deadline=case.deadline(2)).metric
        return -math.inf if math.isnan(metric) else metric

    best = max(reached(_at(other, rate)) for rate in RATES)
    held = case.now()[1]
    as_it_is = replace(lab, metric=other.metric)
    most = -math.inf
    for rate in (None, *RATES):
        if not best > max(most, held) + POINTS:
            return None
        most = max(most, reached(as_it_is if rate is None else _at(as_it_is, rate)))
    return (best, most) if best > most + POINTS else None


def _is_that(lab: Lab, other: Lab) -> bool:
    """Whether head and loss are already those that the task asks for: the same layer last, and the same cost of outputs."""
    given, asked = called(lab.model, lab.x[:2], is_leaf), called(other.model, lab.x[:2], is_leaf)
    if [(n, type(m)) for n, m in given] != [(n, type(m)) for n, m in asked] or not given:
        return False
    last, outputs = given[-1][1], _given_last(lab, given[-1][0])
    if not isinstance(last, nn.Linear) or last.out_features != asked[-1][1].out_features or outputs is None:
        return False
    y = lab.y[:ROWS]
    draws = (outputs, 3 * outputs, outputs.flip(-1) - 1)
    try:
        costs = [(float(lab.loss_fn(z, y).mean()), float(other.loss_fn(z, y).mean())) for z in draws]
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6) for a, b in costs)


def _given_last(lab: Lab, name: str) -> Tensor | None:
    """Outputs of the network, where they are what the layer of that name gives; else None."""
    model, seen = copy_of(lab.model).eval(), list[Tensor]()
    model.get_submodule(name).register_forward_hook(lambda module, args, output: seen.append(output))
    with torch.no_grad():
        outputs = first_output(model(lab.x[:ROWS]))
    return outputs.float() if isinstance(seen[-1], Tensor) and torch.equal(seen[-1], outputs) else None


def _has_places(lab: Lab, task: str) -> bool:
    """Whether each row has several places, each with a class of its own."""
    return task == "classification" and lab.y.ndim == 2 and lab.y.shape[1] > 1 and not lab.y.is_floating_point()


def _counts(lab: Lab, classes: int) -> bool:
    """Whether one output stands for whole numbers that are counted, under a loss of its own: no classes to this network."""
    with torch.no_grad():
        outputs = first_output(copy_of(lab.model).eval()(lab.x[:ROWS])).float()
    one, y = outputs.ndim == 1 or outputs[0].numel() == 1, lab.y[:ROWS]
    known = _measures_distance(outputs, y, lab.loss_fn) or _falls_without_end(outputs, y, lab.loss_fn)
    return one and classes > 2 and not known


def _ends_linear(lab: Lab) -> bool:
    """Whether the last layer is linear and its outputs take both signs: nothing stands behind it."""
    model = copy_of(lab.model).eval()
    leaves = called(model, lab.x[:2], is_leaf)
    with torch.no_grad():
        outputs = first_output(model(lab.x[:ROWS]))
    return (
        bool(leaves)
        and isinstance(leaves[-1][1], nn.Linear)
        and bool((outputs > 0).any())
        and bool((outputs < 0).any())
    )


def headed(lab: Lab, task: str, classes: int) -> Lab | None:
    """The lab with a linear last layer of as many outputs as the task has, and its loss; None where there is no such layer."""
    model = copy_of(lab.model)
    leaves = called(model, lab.x[:2], is_leaf)
    linear = [(name, m) for name, m in leaves if isinstance(m, nn.Linear)]
    if not linear:
        return None
    name, last = linear[-1]
    outputs = max(2, classes) if task in ("classification", "binary") else max(1, lab.y[0].numel())
    with generators_kept():
        torch.default_generator.manual_seed(0)
        put(model, name, nn.Linear(last.in_features, outputs))
    for place, module in leaves[leaves.index((name, last)) + 1 :]:
        if isinstance(module, HEADS):
            put(model, place, nn.Identity())
    shape = _shape(model, lab.x[:2])
    if outputs > 1 and shape == (2 * outputs,):
        model = _Rows(model, outputs)
    elif len(shape) < 2 and outputs > 1:
        return None  # the network takes one of them
    loss: Callable[[Tensor, Tensor], Tensor]
    if task in ("classification", "binary"):
        loss = lambda z, y: F.cross_entropy(z, labels_of(y, task))  # type: ignore[arg-type] # noqa: E731
    elif task == "multilabel":
        loss = lambda z, y: F.binary_cross_entropy_with_logits(z, y.float())  # noqa: E731
    else:
        loss = lambda z, y: F.mse_loss(z.reshape(len(y), -1), y.reshape(len(y), -1).float())  # noqa: E731
    metric = default_metric("classification" if task == "binary" else task)  # type: ignore[arg-type]
    return replace(lab, model=model, loss_fn=loss, metric=metric)


class _Rows(nn.Module):
    """A network that made one number a row into a list, with `outputs` numbers a row: `(N, outputs)`."""

    def __init__(self, inner: nn.Module, outputs: int) -> None:
        super().__init__()
        self.inner, self.outputs = inner, outputs

    def forward(self, x: Tensor) -> Tensor:
        return first_output(self.inner(x)).reshape(-1, self.outputs)


def _shape(model: nn.Module, x: Tensor) -> tuple[int, ...]:
    with torch.no_grad(), generators_kept():
        return tuple(first_output(copy_of(model).eval()(x)).shape)


def _at(lab: Lab, rate: float) -> Lab:
    model = copy_of(lab.model)
    return replace(lab, model=model, optimizer=torch.optim.Adam(model.parameters(), lr=rate))


def _named(case: Case, lab: Lab, with_head: float, as_it_is: float) -> Finding:
    """Which part of the head is wrong, by how outputs, targets and loss behave."""
    model = copy_of(lab.model).eval()
    with torch.no_grad():
        outputs = first_output(model(lab.x[:ROWS])).float()
    y, loss, task = lab.y[:ROWS], lab.loss_fn, case.subject.task
    cause, where, told, remedy, code = _cause(outputs, y, loss, str(task), case.subject.classes)
    return Finding(
        cause,
        "warning",
        where,
        f"{told}; with the last layer and the loss that the targets ask for a copy reaches {with_head:.3f}, "
        f"as it is {as_it_is:.3f}",
        "the last layer and the loss do not fit what is to be predicted",
        remedy,
        step=case.telemetry.step,
        code=code,
        confidence=0.85,
        numbers={"mended": with_head, "as_it_is": as_it_is},
    )


def _cause(
    outputs: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor], task: str, classes: int
) -> tuple[str, str, str, str, str]:
    count = 1 if outputs.ndim == 1 else outputs.shape[1]
    low, high = float(outputs.min()), float(outputs.max())
    if task == "regression":
        said = f"outputs lie in [{low:.3g}, {high:.3g}], targets in [{float(y.min()):.3g}, {float(y.max()):.3g}]"
        return "model.wrong_output_activation", "last layer", said, "end the network in a linear layer", "nn.Identity()"
    if _measures_distance(outputs, y, loss):
        said = f"the loss measures a distance to numbers of {classes} classes"
        return "loss.mse_for_classes", "loss", said, "use cross-entropy on one output a class", "nn.CrossEntropyLoss()"
    if count not in (1, classes) or (count == 1 and classes > 2):
        said = f"{count} outputs for {classes} classes"
        return "model.wrong_output_size", "last layer", said, "one output a class", f"nn.Linear(..., {classes})"
    if count > 1 and task == "classification" and _floors(outputs, y, loss):
        said = "outputs are probabilities already, and the loss takes their softmax again"
        return "loss.double_softmax", "loss", said, "return logits from the network", "return logits"
    sums = outputs.reshape(len(outputs), -1).sum(1)
    is_share = low >= 0 and high <= 1 and (count == 1 or task == "multilabel" or bool(((sums - 1).abs() < 1e-2).all()))
    if not is_share and _expects_probabilities(outputs, y, loss):
        said = f"outputs lie in [{low:.3g}, {high:.3g}] and sum to {float(sums.mean()):.3g} a row"
        code = "nn.BCEWithLogitsLoss()" if count == 1 or task == "multilabel" else "nn.CrossEntropyLoss()"
        return (
            "loss.logits_as_probs",
            "loss",
            f"{said}, where the loss takes probabilities",
            "use the loss on logits",
            code,
        )
    said = f"outputs lie in [{low:.3g}, {high:.3g}]"
    return "model.wrong_output_activation", "last layer", said, "end the network in a linear layer", "nn.Identity()"


def _floors(outputs: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether a softmax is taken twice: the surest right answer still costs log(1 + (C − 1)/e), or outputs sum to 1."""
    if bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-3).all()):
        return True
    sure = 60.0 * F.one_hot(labels_of(y, "classification"), outputs.shape[1]).float()
    try:
        return abs(float(loss(sure, y).mean()) - math.log(1 + (outputs.shape[1] - 1) / math.e)) < 0.01
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False


def _measures_distance(outputs: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether outputs equal to the targets, and only those, cost nothing; or, behind a softmax, the surest mistake little."""
    if is_distance_of_shares(loss, y, outputs.shape):
        return True
    if outputs.numel() != y.numel():
        return False
    if cuts_to_probabilities(loss, y, outputs):
        return False  # it costs nothing at targets of 0 and 1 either, and nothing beyond them
    same = y.reshape(outputs.shape).float()
    try:
        return abs(float(loss(same, y).mean())) < 1e-6 < float(loss(same + 3.0, y).mean())
    except (RuntimeError, ValueError, TypeError):
        return False


def _falls_without_end(outputs: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether labels above 1 pay for ever larger outputs, as under a binary cross-entropy; counts under their own loss do not."""
    rows = y.reshape(len(y), -1)[:, 0] > 1
    if not bool(rows.any()):
        return False
    try:
        some, more = (float(loss(torch.full_like(outputs[rows], z), y[rows]).mean()) for z in (20.0, 60.0))
    except (RuntimeError, ValueError, TypeError, IndexError):
        return True  # outside of what the loss takes: probabilities
    return more < some - 1


def _expects_probabilities(outputs: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether probabilities of nearly 1 cost next to nothing for what is right and much for what is wrong; logits do not."""
    right = torch.full_like(outputs, 0.01)
    if outputs.ndim == 2 and outputs.shape[1] > 1 and outputs.shape != y.shape:
        right[torch.arange(len(y)), y.long().reshape(len(y), -1)[:, 0]] = 0.99
        wrong = right.roll(1, 1)
    else:
        right = torch.where(y.reshape(outputs.shape) > 0.5, 0.99, 0.01)
        wrong = 1 - right
    try:
        return 0 <= float(loss(right, y).mean()) < min(0.1, 0.05 * float(loss(wrong, y).mean()))
    except (RuntimeError, ValueError, TypeError):
        return False
