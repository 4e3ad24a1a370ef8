"""Which loss the loop has: the one that was given, as it was seen to be called, or one of torch's that gave what was told."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dressage.subject.outputs import tensors_of
from dressage.subject.subject import Loss
from dressage.watch.calls import Call, as_module, module_of

SAME = 1e-3
"""Relative difference of two computations of one loss in half precision."""
EXACT = 1e-5
"""The same of what a function gave and the number that was told, for a multiple of it to be no accident."""
MULTIPLES = 16
"""Batches of one update, or outputs a row, by which a loop may divide or multiply what torch's loss gives."""
PLACES = 16
"""Rows of a batch from which targets 0, 1, ... are no classes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The call of the loss that step was told of."""

    outputs: Tensor
    targets: Tensor
    kind: object
    """The loss by whose type its meaning is known: torch's module, where it is one in the end."""
    loss: Loss | None
    """The loss of outputs and targets alone; None where it was given more than these that belongs to the batch."""


def asked(calls: list[Call], told: float, given: object) -> Asked | None:
    """The call that step was told of; None where it was not seen."""
    paired = [c for c in calls if c.pair is not None and not _are_places(c.pair[1])]
    torchs = [(c, m) for c, m in torchs_of(paired) if c.function is not given]
    own = [c for c in paired if c.function is given] or [c for c, m in torchs if type(m) is type(given)]
    if own:
        call = next((c for c in reversed(own) if _number_in(c, told) is not None), own[-1])
        inside = (m for c, m in torchs if _near(_mean(c), _mean(call), SAME))
        return Asked(*_pair(call), next(inside, as_module(given)), _alone(call, _number_in(call, told) or 0))
    for call, module in reversed(torchs):
        times = _times(call, told)
        if times and not _has_row_weights(call):
            return Asked(*_pair(call), module, module if times == 1 else _scaled(module, times))
    return None


def beside_a_penalty(calls: list[Call], told: float) -> Asked | None:
    """The only one of torch's losses that was called, where it gave less than was told: the rest is added to it."""
    found = torchs_of([c for c in calls if c.pair is not None and not _are_places(c.pair[1])])
    if len(found) != 1 or _has_row_weights(found[0][0]):
        return None
    call, module = found[0]
    cost = _mean(call)
    return Asked(*_pair(call), module, module) if cost is not None and 0 < cost < told else None


def torchs_of(calls: list[Call]) -> list[tuple[Call, nn.Module]]:
    """Calls of torch's own losses with outputs and targets, and the module that each is."""
    return [(c, m) for c in calls if c.pair is not None and (m := module_of(c.function, c.more)) is not None]


def _pair(call: Call) -> tuple[Tensor, Tensor]:
    assert call.pair is not None
    return call.pair


def _scaled(module: nn.Module, times: float) -> Loss:
    return lambda z, y: times * module(z, y)


def _alone(call: Call, place: int) -> Loss | None:
    """The loss that was given, with further arguments bound; of several numbers that it gives the one that was told."""
    function: Any = call.function
    more = _unusual(call)
    if _has_row_weights(call):
        return None
    if not more and len(call.results) < 2:
        return function  # type: ignore[no-any-return]
    return lambda z, y: tensors_of(function(z, y, **more))[place]


def _unusual(call: Call) -> dict[str, Any]:
    """Further arguments that are not what they are by default."""
    try:
        usual = {name: p.default for name, p in inspect.signature(call.function).parameters.items()}
    except (TypeError, ValueError):
        usual = {}
    return {name: v for name, v in call.more.items() if v is not usual.get(name, inspect.Parameter.empty)}


def _number_in(call: Call, told: float) -> int | None:
    return next((i for i, r in enumerate(call.results) if _near(float(r.float().mean()), told, SAME)), None)


def _mean(call: Call) -> float | None:
    return float(call.results[0].float().mean()) if call.results else None


def _times(call: Call, told: float) -> float:
    """Which multiple of what a function gave was told: a whole one, or a whole part; 0 where it is none of these."""
    found = _mean(call) or 0.0
    tried = (1.0, -1.0, *(s * n for k in range(2, MULTIPLES + 1) for n in (k, 1 / k) for s in (1, -1)))
    return next((t for t in tried if found and _near(t * found, told, EXACT)), 0.0)


def _has_row_weights(call: Call) -> bool:
    """Whether weights, a mask or the like were given that belong to the rows of this batch, and not to classes."""
    z, _ = _pair(call)
    tensors = [v for v in call.more.values() if isinstance(v, Tensor) and v.ndim and z.ndim]
    return any(len(v) == len(z) > 1 and v.shape != z.shape[1:2] for v in tensors)


def _are_places(targets: Tensor) -> bool:
    """Whether each row's own place in the batch is asked for, as where pairs are told apart: no target that belongs to a row."""
    if targets.ndim != 1 or targets.is_floating_point() or len(targets) < PLACES:
        return False
    return torch.equal(targets.sort().values, torch.arange(len(targets), device=targets.device, dtype=targets.dtype))


def _near(a: float | None, b: float | None, tolerance: float) -> bool:
    return a is not None and b is not None and abs(a - b) <= tolerance * max(abs(b), 1e-12)
