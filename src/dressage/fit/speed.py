"""Which number format, memory layout and threads this machine trains this network fastest with: measured, not assumed."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from dressage.objective import Objective
from dressage.recipe import Train

Precision = Literal["float32", "bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]
MARGIN = 0.9  # a change must save a tenth: less is within the noise of a few repeats
REPEATS = 3
ENOUGH = 0.05  # seconds of steps that are timed for each form, and three steps at least


@dataclass(frozen=True, slots=True)
class Form:
    """One way to carry out a step."""

    precision: Precision
    memory_format: MemoryFormat
    threads: int

    def __str__(self) -> str:
        return f"{self.precision} {self.memory_format} with {self.threads} thread{'s' * (self.threads > 1)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest form, and what was measured."""

    form: Form
    why: str


def fastest(model: nn.Module, x: Tensor, y: Tensor, objective: Objective, train: Train) -> Choice:
    """Times forward and backward of copies of `model` on one batch, for the forms that `auto` leaves open.

    Formats and layouts are timed for networks with convolutions; others run in float32 as they are. One thread is taken
    where more save less than a tenth: many small steps wait for each other's threads. The model, its gradients, the
    generators and the thread count are left untouched.
    """
    threads = train.threads or torch.get_num_threads()
    forms = [Form(p, m, threads) for p in _precisions(train.precision, x) for m in _formats(train.memory_format)]
    if len(forms) == 4:  # bf16 in both layouts is too close to choose between
        forms.remove(Form("bf16", "contiguous", threads))
    convolutional = any(isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d) for m in model.modules())
    forms = forms if convolutional and x.dim() == 4 else forms[:1]
    with _left_as_found(x.device):
        form, said = _quickest(model, x, y, objective, forms)
        if train.threads == 0 and threads > 1 and x.device.type == "cpu":
            single = replace(form, threads=1)
            form, more = _quickest(model, x, y, objective, [single, form])
            said += more
    return Choice(form, "; ".join(said) or "nothing to choose between")


def _quickest(
    model: nn.Module, x: Tensor, y: Tensor, objective: Objective, forms: Sequence[Form]
) -> tuple[Form, list[str]]:
    """The form with the shortest median time; the first unless another saves a tenth. Rounds are interleaved."""
    if len(forms) == 1:
        return forms[0], []
    steps = {form: _step(model, x, y, objective, form) for form in forms}
    times: dict[Form, list[float]] = {form: [] for form in forms}
    for form in forms:
        _timed(steps[form], form)  # a warm-up
    while len(times[forms[0]]) < REPEATS or sum(times[forms[0]]) < ENOUGH:
        for form in forms:
            times[form].append(_timed(steps[form], form))
    seconds = {form: statistics.median(spent) for form, spent in times.items()}
    best = min(forms, key=lambda form: seconds[form])
    plain = seconds[forms[0]]
    measured = ", ".join(f"{form} {seconds[form] / plain:.2f}" for form in forms)
    return (best if seconds[best] <= MARGIN * plain else forms[0]), [f"time of a step here, relative: {measured}"]


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


def _step(model: nn.Module, x: Tensor, y: Tensor, objective: Objective, form: Form) -> Callable[[], None]:
    twin = in_format(copy.deepcopy(model), form.memory_format).train()

    def step() -> None:
        twin.zero_grad(set_to_none=True)
        laid_out = x.contiguous(memory_format=_torch_format(form.memory_format)) if x.dim() == 4 else x
        with torch.autocast(x.device.type, torch.bfloat16, enabled=form.precision == "bf16"):
            outputs = twin(laid_out)
        torch.autograd.backward(objective.loss(outputs.float(), y))
        if x.device.type == "cuda":
            torch.cuda.synchronize(x.device)

    return step


def _timed(step: Callable[[], None], form: Form) -> float:
    if torch.get_num_threads() != form.threads:
        torch.set_num_threads(form.threads)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


@contextmanager
def _left_as_found(device: torch.device) -> Iterator[None]:
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)


def in_format(model: nn.Module, memory_format: str) -> nn.Module:
    """The same network with its weights in a memory layout."""
    return model.to(memory_format=_torch_format(memory_format))  # type: ignore[call-overload, no-any-return]


def _torch_format(name: str) -> torch.memory_format:
    return torch.channels_last if name == "channels_last" else torch.contiguous_format
