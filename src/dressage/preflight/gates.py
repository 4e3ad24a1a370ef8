"""Gates of recurrent layers, which no call shows: computed again, step by step, from the first inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dressage.preflight.statistics import LayerStatistics

STEPS = 16
"""Of a sequence, that are looked at."""


def gates(model: nn.Module, x: Tensor) -> list[LayerStatistics]:
    """How far the gates and candidates of its recurrent layers lie at their ends.

    What keeps the state (the forget gate of an LSTM, the update gate of a GRU) is left out: it may be open on purpose.
    """
    given: dict[str, Tensor] = {}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.RNNBase)}

    def note(name: str, args: tuple[Any, ...]) -> None:
        if args and isinstance(args[0], Tensor) and args[0].ndim == 3:
            given.setdefault(name, args[0])

    handles = [m.register_forward_pre_hook(lambda _, args, name=n: note(name, args)) for n, m in layers.items()]
    try:
        with torch.no_grad():
            if layers:
                model(x)
    finally:
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        return [line for name, x in given.items() for line in _lines(name, layers[name], x)]


def _lines(name: str, layer: nn.RNNBase, x: Tensor) -> list[LayerStatistics]:
    if getattr(layer, "proj_size", 0):
        return []
    parts: dict[tuple[str, str], list[Tensor]] = {}
    state: Any = None
    for step in (x.transpose(0, 1) if layer.batch_first else x)[:STEPS]:
        before = _hidden(layer, state, len(step))
        _, state = layer(step[:, None] if layer.batch_first else step[None], state)
        below, ways = step, 2 if layer.bidirectional else 1
        after = _hidden(layer, state, len(step))
        for depth in range(layer.num_layers):
            for what, value in _parts(layer, depth, below, before[depth * ways]):
                parts.setdefault((what, f"{name} {what}" + (f" of layer {depth}" if depth else "")), []).append(value)
            below = torch.cat([after[depth * ways + way] for way in range(ways)], 1)
    return [_line(where, "sigmoid" if "gate" in what else "tanh", torch.cat(v)) for (what, where), v in parts.items()]


def _hidden(layer: nn.RNNBase, state: Any, rows: int) -> Tensor:
    """`(layers × ways, rows, width)`; zeros before the first step."""
    if state is None:
        ways = 2 if layer.bidirectional else 1
        return next(layer.parameters()).new_zeros(layer.num_layers * ways, rows, layer.hidden_size)
    found: Tensor = state[0] if isinstance(state, tuple) else state
    return found


def _parts(layer: nn.RNNBase, depth: int, below: Tensor, before: Tensor) -> list[tuple[str, Tensor]]:
    """Gates and candidate `(rows, width)` of one layer at one step."""
    weights: dict[str, Tensor] = {kind: getattr(layer, f"{kind}_l{depth}") for kind in ("weight_ih", "weight_hh")}
    biases = [getattr(layer, f"{kind}_l{depth}") if layer.bias else 0.0 for kind in ("bias_ih", "bias_hh")]
    into, back = below @ weights["weight_ih"].mT + biases[0], before @ weights["weight_hh"].mT + biases[1]
    if isinstance(layer, nn.LSTM):
        opens, _, candidate, shows = (into + back).chunk(4, 1)
        return [("input gate", opens.sigmoid()), ("candidate", candidate.tanh()), ("output gate", shows.sigmoid())]
    if isinstance(layer, nn.GRU):
        (a, _, c), (d, _, f) = into.chunk(3, 1), back.chunk(3, 1)
        reset = (a + d).sigmoid()
        return [("reset gate", reset), ("candidate", (c + reset * f).tanh())]
    return [("state", (into + back).tanh())] if layer.mode == "RNN_TANH" else []


def _line(name: str, kind: str, value: Tensor) -> LayerStatistics:
    """`number` −1: no call of the network's code, and before its head."""
    ends = value.abs() > 0.95 if kind == "tanh" else (value < 0.025) | (value > 0.975)
    return LayerStatistics(name, kind, -1, float(value.mean()), float(value.std()), float(ends.float().mean()), 0.0)
