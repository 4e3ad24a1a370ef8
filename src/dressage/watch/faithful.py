"""Whether the training as it is understood is the loop's own: the first loss, computed again, has to be the one that was told."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dressage.subject.subject import Loss, first_output
from dressage.subject.untouched import copy_of, generators_kept

CLOSE = 1e-3
"""Relative difference of two computations of one loss: sums in another order differ by 1e-6, half precision by 1e-3."""
Form = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _as_they_are(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z, y


def _outputs_like_targets(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.reshape(y.shape), y


def _targets_like_outputs(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z, y.reshape(z.shape)


def _float_targets(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z, y.float()


def _float_targets_like_outputs(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z, y.float().reshape(z.shape)


def _outputs_like_float_targets(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.reshape(y.shape), y.float()


def _one_hot(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z, nn.functional.one_hot(y.long(), z.shape[1]).float()


def _last_step(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z[:, -1], y


def _channels_second(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.movedim(-1, 1), y


def _flat_places(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.reshape(-1, z.shape[-1]), y.reshape(-1)


FORMS: tuple[Form, ...] = (
    _as_they_are,
    _outputs_like_targets,
    _targets_like_outputs,
    _float_targets,
    _float_targets_like_outputs,
    _outputs_like_float_targets,
    _one_hot,
    _flat_places,
    _channels_second,
    _last_step,
)


def given_shapes(outputs: torch.Size, targets: torch.Size) -> Form:
    """The form of a loss that was seen to be given tensors of these shapes (of a whole batch)."""

    def form(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return z.reshape(-1, *outputs[1:]) if z.numel() else z, y.reshape(-1, *targets[1:])

    return form


def find_form(model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, told: float) -> Form | None:
    """How outputs and targets have to be shaped for the first loss to be `told`; None where no form gives it.

    The model is run as a copy in training mode. With dropout the loss is not the same twice; the nearest form within a
    tenth is taken then.
    """
    was = copy_of(model)
    noisy = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in was.modules())
    with torch.no_grad(), generators_kept():
        was.train(model.training)
        outputs = first_output(was(x))
        best: tuple[float, Form] | None = None
        for form in FORMS:
            try:
                loss = float(loss_fn(*form(outputs, y)).float().mean())
            except Exception:  # a form that the loss cannot take
                continue
            difference = abs(loss - told) / max(abs(told), 1e-12)
            if difference <= CLOSE:
                return form
            if best is None or difference < best[0]:
                best = (difference, form)
    return best[1] if noisy and best is not None and best[0] < 0.1 else None


def formed(loss_fn: Loss, form: Form) -> Loss:
    """The loss with its arguments brought into a form."""
    return lambda z, y: loss_fn(*form(z, y))
