"""Which number format and memory layout this machine trains this network fastest in: measured, not assumed."""

from __future__ import annotations

import copy
import statistics
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dressage.objective import Objective

Precision = Literal["float32", "bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]
REPEATS = 3
MARGIN = 0.9  # a change must save a tenth: less than that is within the noise of three repeats


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest form, and its time as a share of the plain one's."""

    precision: Precision
    memory_format: MemoryFormat
    why: str


def fastest(model: nn.Module, x: Tensor, y: Tensor, objective: Objective, precision: str, memory_format: str) -> Choice:
    """Times forward and backward of copies of `model` on one batch, for the forms that `auto` leaves open.

    Only networks with convolutions are timed; others run in float32 as they are. The model, its gradients and the
    generators are left untouched.
    """
    forms = [(p, m) for p in _precisions(precision, x) for m in _formats(memory_format)]
    convolutional = any(isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d) for m in model.modules())
    if len(forms) == 1 or not convolutional or x.dim() != 4:
        form = forms[0]
        return Choice(form[0], form[1], "as given" if len(forms) == 1 else "no convolutions: the plain form")
    with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
        seconds = _time_all(model, x, y, objective, forms)
    plain = seconds[forms[0]]
    best = min(forms, key=lambda form: seconds[form])
    if seconds[best] > MARGIN * plain:
        best = forms[0]
    why = ", ".join(f"{p} {m} {seconds[p, m] / plain:.2f}" for p, m in forms)
    return Choice(best[0], best[1], f"time of a step here, relative to the first: {why}")


def _precisions(written: str, x: Tensor) -> list[Precision]:
    if written == "float32":
        return ["float32"]
    if written == "bf16":
        return ["bf16"]
    return ["float32", "bf16"] if has_bf16(x.device) else ["float32"]


def _formats(written: str) -> list[MemoryFormat]:
    if written == "contiguous":
        return ["contiguous"]
    if written == "channels_last":
        return ["channels_last"]
    return ["contiguous", "channels_last"]


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _time_all(
    model: nn.Module, x: Tensor, y: Tensor, objective: Objective, forms: list[tuple[Precision, MemoryFormat]]
) -> dict[tuple[str, str], float]:
    copies = {form: in_format(copy.deepcopy(model), form[1]).train() for form in forms}
    times: dict[tuple[str, str], list[float]] = {form: [] for form in forms}
    for repeat in range(REPEATS + 1):
        for form in forms:
            spent = _time_once(copies[form], x, y, objective, form)
            if repeat:  # the first is a warm-up
                times[form].append(spent)
    return {form: statistics.median(spent) for form, spent in times.items()}


def _time_once(
    model: nn.Module, x: Tensor, y: Tensor, objective: Objective, form: tuple[Precision, MemoryFormat]
) -> float:
    model.zero_grad(set_to_none=True)
    _wait(x.device)
    start = time.perf_counter()
    x = x.contiguous(memory_format=_torch_format(form[1]))
    with torch.autocast(x.device.type, torch.bfloat16, enabled=form[0] == "bf16"):
        outputs = model(x)
    torch.autograd.backward(objective.loss(outputs.float(), y))
    _wait(x.device)
    return time.perf_counter() - start


def in_format(model: nn.Module, memory_format: str) -> nn.Module:
    """The same network with its weights in a memory layout."""
    return model.to(memory_format=_torch_format(memory_format))  # type: ignore[call-overload, no-any-return]


def _torch_format(name: str) -> torch.memory_format:
    return torch.channels_last if name == "channels_last" else torch.contiguous_format


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
