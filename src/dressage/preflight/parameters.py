"""Whether every parameter gets a gradient and is moved by the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.clock import work_seconds
from dressage.findings import Finding, Severity
from dressage.preflight.calls import Rewired
from dressage.preflight.given import Given, gain, given, lab_given
from dressage.preflight.result import Seen
from dressage.subject import Lab, Subject, first_output, generators_kept

HARM = 0.05  # share of the loss that training them too must save
ORDERS = 4  # of weights, that those which were trained serve better than
TRAINED = 0.1  # share of the loss that they save beside each of these


def parameters(subject: Subject, deadline: float) -> list[Finding]:
    """Judges tensors that are not moved: outside the optimiser, outside the model's parameters, or cut from the loss."""
    found = given(subject)
    known: dict[str, Tensor] = dict(found.model.named_parameters())
    hidden = dict(hidden_tensors(found.model))
    every = known | hidden
    gradients = _gradients(found, every)
    findings = []
    if missing := _missing(subject, gradients):
        findings.append(_outside_optimizer(subject, missing, deadline))
    if unseen := {n for n in hidden if gradients.get(n) is not None and not _is_moved(subject, n)}:
        findings.append(_outside_model(subject, unseen, deadline))
    if cut := _cut(found, known, gradients):
        findings.append(_detached(subject, found, cut, deadline))
    asked = [n for n, p in subject.model.named_parameters() if not p.requires_grad]
    if asked and subject.optimizer is not None:
        findings.append(_frozen(asked))
    said = f"{len(known)} parameters, {sum(g is not None for n, g in gradients.items() if n in known)} with a gradient"
    return Seen(findings, said + (f"; {len(hidden)} tensors outside parameters()" if hidden else ""))


def hidden_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Leaf tensors that require a gradient, held in plain lists, dicts or attributes, outside `parameters()`."""
    known = {id(p) for p in model.parameters()} | {id(b) for b in model.buffers()}
    seen: set[int] = set()

    def walk(value: Any, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
        if id(value) in seen or depth > 4:
            return
        seen.add(id(value))
        if isinstance(value, Tensor):
            if value.requires_grad and value.is_leaf and id(value) not in known:
                yield name, value
        elif isinstance(value, nn.Module):
            for inner, parameter in value.named_parameters():
                yield from walk(parameter, f"{name}.{inner}", depth)
        elif isinstance(value, list | tuple):
            for i, item in enumerate(value):
                yield from walk(item, f"{name}[{i}]", depth + 1)
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, f"{name}[{key!r}]", depth + 1)

    for place, module in model.named_modules():
        for attribute, value in vars(module).items():
            if not attribute.startswith("_") or isinstance(value, list | tuple):
                yield from walk(value, f"{place}.{attribute}" if place else attribute, 0)


def _gradients(found: Given, every: dict[str, Tensor]) -> dict[str, Tensor | None]:
    asked = {n: p for n, p in every.items() if p.requires_grad}
    with torch.enable_grad(), generators_kept():
        loss = found.loss_fn(first_output(found.model(found.x)), found.y).mean()
    if not asked or not loss.requires_grad:
        return dict.fromkeys(every)
    grads = torch.autograd.grad(loss, list(asked.values()), allow_unused=True)
    return dict.fromkeys(every) | dict(zip(asked, grads, strict=True))


def _moved(subject: Subject) -> set[int]:
    return {id(p) for g in subject.optimizer.param_groups for p in g["params"]} if subject.optimizer else set()


def _missing(subject: Subject, gradients: dict[str, Tensor | None]) -> set[str]:
    """Parameters with a gradient that the optimiser does not hold. A flat buffer holds them by their storage."""
    if subject.optimizer is None:
        return set()
    held = _moved(subject)
    storage = {p.untyped_storage().data_ptr() for g in subject.optimizer.param_groups for p in g["params"]}
    return {
        n
        for n, p in subject.model.named_parameters()
        if p.requires_grad
        and id(p) not in held
        and p.untyped_storage().data_ptr() not in storage
        and gradients.get(n) is not None
    }


def _is_moved(subject: Subject, name: str) -> bool:
    original = dict(hidden_tensors(subject.model)).get(name)
    return original is not None and id(original) in _moved(subject)


def _with(names: set[str]) -> Callable[[nn.Module, Optimizer], None]:
    def edit(model: nn.Module, optimizer: Optimizer) -> None:
        every = dict(model.named_parameters()) | dict(hidden_tensors(model))
        optimizer.add_param_group({"params": [every[n] for n in sorted(names)]})

    return edit


def _outside_optimizer(subject: Subject, names: set[str], deadline: float) -> Finding:
    lab = lab_given(subject)
    saved = gain(lab, lab.changed(_with(names)), None, _part(deadline, ORDERS + 1))
    worth = _worth(lab, names, deadline) if saved >= HARM else 0.0
    trained = not worth <= TRAINED
    first = min(names, key=list(dict(subject.model.named_parameters())).index)
    note = (
        "; with their numbers in another order these layers serve worse, so they were trained before" if trained else ""
    )
    note = "; whether they were trained before was not measured" if math.isnan(worth) else note
    return _finding(
        "warning" if saved >= HARM and not trained else "info",
        first,
        f"{len(names)} parameters have a gradient and are not in the optimiser ({_some(names)}); {_saved(saved)}{note}",
        "parts of the network are not given to the optimiser and never change",
        "give it all parameters" if not trained else "nothing, if they are kept as they are on purpose",
        "optimizer = torch.optim.Adam(model.parameters(), lr)",
        saved,
    )


def _worth(lab: Lab, names: set[str], deadline: float) -> float:
    """Least share of the loss that the layers that stand still save beside fresh ones; NaN where it was not measured.

    A backbone that is kept on purpose saves much. Weights that are random too are better than these in another order
    now and then, but not than each of several orders.
    """

    def in_order(seed: int) -> Callable[[nn.Module, Optimizer], None]:
        def edit(model: nn.Module, optimizer: Optimizer) -> None:
            order = torch.Generator().manual_seed(seed)
            with torch.no_grad():  # the same numbers in another order: of the right size, and without what was learned
                for name, parameter in model.named_parameters():
                    if name in names:
                        mixed = torch.randperm(parameter.numel(), generator=order).to(parameter.device)
                        parameter.copy_(parameter.flatten()[mixed].view_as(parameter))

        return edit

    least = math.nan
    for seed in range(ORDERS):
        until = _part(deadline, ORDERS - seed)
        found = gain(lab.changed(in_order(seed)), lab, None, until)
        if math.isfinite(found) and work_seconds() < until:  # else it was cut short, and both had not the same steps
            least = found if math.isnan(least) else min(least, found)
        if least <= TRAINED:
            break
    return least


def _part(deadline: float, parts: int) -> float:
    """When one of so many equal parts of the time that is left is over."""
    now = work_seconds()
    return now + (deadline - now) / parts


def _outside_model(subject: Subject, names: set[str], deadline: float) -> Finding:
    lab = lab_given(subject)
    saved = gain(lab, lab.changed(_with(names)), None, deadline)
    return _finding(
        "warning" if saved >= HARM else "info",
        min(names),
        f"{len(names)} tensors that the loss depends on are not among model.parameters() ({_some(names)}); {_saved(saved)}",
        "layers or tensors in a plain list or attribute are not registered, so no optimiser gets them",
        "hold them in nn.ModuleList, nn.ModuleDict or nn.Parameter",
        "self.layers = nn.ModuleList(layers)",
        saved,
    )


def _cut(found: Given, known: dict[str, Tensor], gradients: dict[str, Tensor | None]) -> set[str]:
    """Parameters without a gradient, on which the loss depends nonetheless."""
    cut: set[str] = set()
    with torch.no_grad(), generators_kept():
        torch.default_generator.manual_seed(0)
        base = float(found.loss_fn(first_output(found.model(found.x)), found.y).mean())
        for name, parameter in known.items():
            if not parameter.requires_grad or gradients.get(name) is not None:
                continue
            kept = parameter.clone()
            parameter.mul_(0.5).add_(0.1 * torch.linspace(-1, 1, parameter.numel(), device=kept.device).view_as(kept))
            torch.default_generator.manual_seed(0)
            if abs(float(found.loss_fn(first_output(found.model(found.x)), found.y).mean()) - base) > 1e-6 * abs(base):
                cut.add(name)
            parameter.copy_(kept)
    return cut


class _Attached(Rewired):
    """A network whose `detach`, `.data` and `no_grad` inside do nothing."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with torch.enable_grad() if torch.is_grad_enabled() else nullcontext(), _GradKept(torch.is_grad_enabled()):
            return super().forward(*args, **kwargs)


class _GradKept(torch.overrides.TorchFunctionMode):
    def __init__(self, on: bool) -> None:
        super().__init__()
        self._on = on

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch._C._set_grad_enabled:
            return func(self._on)
        return func(*args, **(kwargs or {}))


def _detached(subject: Subject, found: Given, names: set[str], deadline: float) -> Finding:
    lab = lab_given(subject)
    attached = _Attached(lab.model, lambda kind, number, call, args: args[0] if kind == "detach" else call())
    inside = subject.optimizer is None or names <= {
        n for n, p in subject.model.named_parameters() if id(p) in _moved(subject)
    }
    saved = gain(lab, replace(lab, model=attached), None, _part(deadline, ORDERS + 1)) if inside else -1.0
    trained = not _worth(lab, names, deadline) <= TRAINED if saved >= HARM else False
    return _finding(
        "warning" if inside and saved >= HARM and not trained else "info",
        min(names),
        f"the loss depends on {len(names)} parameters that get no gradient ({_some(names)}); {_saved(saved)}",
        "their path to the loss is cut by detach, .data or no_grad",
        "remove what cuts it" if not trained else "nothing, if they are kept as they are on purpose",
        "h = self.body(x)  # without .detach()",
        saved,
    )


def _frozen(names: list[str]) -> Finding:
    return _finding(
        "info",
        names[0],
        f"{len(names)} parameters have requires_grad=False ({_some(set(names))})",
        "parts of the network are frozen by request",
        "nothing, if meant so",
        "model.requires_grad_(True)",
        0.0,
        "by request",
    )


def _finding(
    severity: Severity, where: str, evidence: str, cause: str, remedy: str, code: str, saved: float, note: str = ""
) -> Finding:
    return Finding(
        "optim.frozen_params",
        severity,
        where + (f" ({note})" if note else ""),
        evidence,
        cause,
        remedy,
        code=code,
        confidence=0.95 if severity != "info" else 0.4,
        numbers={"gain": saved},
    )


def _saved(saved: float) -> str:
    return f"trained too, a copy rids {max(saved, 0):.0%} more of the loss in 100 steps"


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "")
