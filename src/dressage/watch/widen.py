"""A copy of a network with its narrowest layer wider, and whatever takes its outputs made to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch
from torch import nn

from dressage.subject import Lab, copy_of
from dressage.subject.untouched import generators_kept
from dressage.watch.parts import called, put

WIDER = 8
LEAST_WIDTH = 48
NARROW = 4
"""Times that a bottleneck is narrower than the inputs or the widest layer."""
FEW = 4
"""Channels that are few for any image, and units for any law that simple models find."""
RATE = 5e-3
Norm = nn.modules.batchnorm._BatchNorm | nn.LayerNorm | nn.GroupNorm
Sized = nn.Linear | nn.modules.conv._ConvNd | nn.RNNBase | nn.Embedding


def narrowest(lab: Lab) -> tuple[str, int] | None:
    """Name and width of the narrowest hidden layer that is narrow beside its inputs or the widest layer; None without one."""
    sized = list(dict.fromkeys(called(lab.model, lab.x[:2], lambda m: isinstance(m, Sized))))
    hidden = [(n, m) for (n, m), (_, after) in pairwise(sized) if _given(after) % _width(m) == 0]
    if not hidden:
        return None
    name, narrow = min(hidden, key=lambda pair: _width(pair[1]))
    width = _width(narrow)
    widest = max(_width(m) for _, m in sized)
    inputs = max(_given(sized[0][1]), lab.x[0].numel() if isinstance(sized[0][1], nn.Linear) else 0)
    return (name, width) if width * NARROW <= max(widest, inputs) or width <= FEW else None


def widened(lab: Lab) -> tuple[Lab, Lab] | None:
    """Two labs that begin anew: as it is, and with its narrowest layers eight times as wide; None where that cannot be built.

    Both take Adam at one rate, so that nothing but the width differs.
    """
    found = narrowest(lab)
    if found is None:
        return None
    width = found[1]
    wide = max(width * WIDER, LEAST_WIDTH)
    model, plain = copy_of(lab.model), copy_of(lab.model)
    with generators_kept():
        torch.default_generator.manual_seed(0)
        try:
            _widen(model, list(dict.fromkeys(called(model, lab.x[:2], _is_sized))), width, wide)
            with torch.no_grad():
                model.eval()(lab.x[:2].to(next(model.parameters()).device))
        except Exception:  # its code counts on the width somewhere else
            return None
        for layer in (*model.modules(), *plain.modules()):
            if isinstance(layer, Sized):
                layer.reset_parameters()
    model.train(lab.model.training)
    both = [replace(lab, model=m, optimizer=torch.optim.Adam(m.parameters(), lr=RATE)) for m in (plain, model)]
    return both[0], both[1]


def _widen(model: nn.Module, called: list[tuple[str, nn.Module]], width: int, wide: int) -> None:
    """Every layer of that width but the last, and the layers and norms that take what it gives."""
    sized = [m for _, m in called if isinstance(m, Sized)]
    passed = False
    for name, module in called:
        if isinstance(module, Sized):
            takes = _given(module) // width * wide if passed and _given(module) % width == 0 else _given(module)
            gives = module is not sized[-1] and _width(module) == width
            if takes != _given(module) or gives:
                put(model, name, _resized(module, takes, wide if gives else _own_width(module)))
            passed = gives
        elif passed and isinstance(module, Norm):
            put(model, name, _norm_of(module, width, wide))


def _is_sized(module: nn.Module) -> bool:
    return isinstance(module, Sized | Norm)


def _resized(module: nn.Module, takes: int, gives: int) -> nn.Module:
    if isinstance(module, nn.Linear):
        return nn.Linear(takes, gives, module.bias is not None)
    if isinstance(module, nn.Embedding):
        return nn.Embedding(module.num_embeddings, gives, module.padding_idx)
    if isinstance(module, nn.RNNBase):
        recurrent: Callable[..., nn.Module] = type(module)
        options = {"batch_first": module.batch_first, "dropout": module.dropout, "bidirectional": module.bidirectional}
        return recurrent(takes, gives, module.num_layers, module.bias, **options)
    if isinstance(module, nn.modules.conv._ConvNd) and module.groups == 1:
        kind: Callable[..., nn.Module] = type(module)
        window = (module.kernel_size, module.stride, module.padding, module.dilation)
        return kind(takes, gives, *window, bias=module.bias is not None)
    raise TypeError(type(module).__name__)


def _norm_of(module: nn.Module, width: int, wide: int) -> nn.Module:
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.num_features == width:
        return type(module)(wide)
    if isinstance(module, nn.LayerNorm) and module.normalized_shape == (width,):
        return nn.LayerNorm(wide)
    if isinstance(module, nn.GroupNorm) and module.num_channels == width:
        return nn.GroupNorm(1, wide)
    raise TypeError(type(module).__name__)


def _given(module: nn.Module) -> int:
    """Features that a layer takes; 0 of an embedding, which takes numbers of words."""
    if isinstance(module, nn.Linear):
        return module.in_features
    if isinstance(module, nn.RNNBase):
        return module.input_size
    return module.in_channels if isinstance(module, nn.modules.conv._ConvNd) else 0


def _width(module: nn.Module) -> int:
    """Features that a layer gives."""
    if isinstance(module, nn.RNNBase):
        return module.hidden_size * (2 if module.bidirectional else 1)
    return _own_width(module)


def _own_width(module: nn.Module) -> int:
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, nn.RNNBase):
        return module.hidden_size
    if isinstance(module, nn.Embedding):
        return module.embedding_dim
    assert isinstance(module, nn.modules.conv._ConvNd)
    return module.out_channels
