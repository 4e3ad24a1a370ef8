"""Whether the training as it is understood is the loop's own: the first loss, computed again, has to be the one that was told."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dressage.subject.subject import Loss, first_output
from dressage.subject.untouched import copy_of, generators_kept

CLOSE = 1e-3
"""Relative difference of two computations of one loss: sums in another order differ by 1e-6, half precision by 1e-3."""
ADDED = 1.05
"""Times what the outputs cost that a loss has to be told to be, before something is taken to be added."""
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


def _softmax(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.softmax(-1 if z.ndim == 2 else 1), y


def _log_softmax(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.log_softmax(-1 if z.ndim == 2 else 1), y


def _sigmoid(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.sigmoid(), y


def _sigmoid_like_targets(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return z.sigmoid().reshape(y.shape), y.float()


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
    _softmax,
    _log_softmax,
    _sigmoid,
    _sigmoid_like_targets,
)
PLAIN = FORMS[: FORMS.index(_softmax)]
ON_THE_WAY: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda z: z,
    lambda z: z.softmax(-1),
    lambda z: z.log_softmax(-1),
    torch.sigmoid,
    torch.relu,
    torch.tanh,
    torch.exp,
)
"""What loops do to outputs before they give them to the loss."""


def form_seen(outputs: Tensor | None, given: Tensor, targets: Tensor) -> Form | None:
    """The form of a loss that was seen to be given these tensors by a network that gave `outputs`; None where it is not known."""
    change = ON_THE_WAY[0]
    if outputs is not None and outputs.numel() == given.numel():
        same = [
            f for f in ON_THE_WAY if torch.allclose(f(outputs.float()).reshape(given.shape), given.float(), 1e-3, 1e-5)
        ]
        if not same:
            return None
        change = same[0]

    def form(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return change(z).reshape(-1, *given.shape[1:]), y.reshape(-1, *targets.shape[1:])

    return form


def find_form(model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, told: float) -> Form | None:
    """How outputs and targets have to be shaped for the first loss to be `told`; None where no form gives it.

    The model is run as a copy in training mode. With dropout the loss is not the same twice; the nearest form within a
    tenth is taken then.
    """
    noisy = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in model.modules())
    outputs = outputs_again(model, x)
    if outputs is None:
        return None
    with torch.no_grad(), generators_kept():
        best: tuple[float, Form] | None = None
        for form in PLAIN if looks_beside(loss_fn, outputs, y) else FORMS:
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


def hidden_penalty(model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, told: float) -> str:
    """How the loop's loss is seen to hold more than what outputs cost, such as a penalty on weights; empty where it is not.

    A loss that has a gradient beside its outputs looks at live parameters; one that was told to be larger has something added.
    """
    outputs = outputs_again(model, x)
    if outputs is None:
        return ""
    if looks_beside(loss_fn, outputs, y):
        return "the loss has a gradient beside that of the outputs"
    found = [float(loss.detach().float().mean()) for loss in _plain_losses(loss_fn, outputs, y)]
    return _added(max(found), told) if found else ""


def outputs_again(model: nn.Module, x: Tensor) -> Tensor | None:
    """What a copy in the same mode gives; None of a network that cannot be run with this input alone."""
    was = copy_of(model)
    try:
        with torch.no_grad(), generators_kept():
            return first_output(was.train(model.training)(x))
    except Exception:  # of the user's network
        return None


def looks_beside(loss_fn: Loss, outputs: Tensor, y: Tensor) -> bool:
    """Whether the loss has a gradient beside that of its outputs: it looks at live parameters, and is not the same twice.

    Then that one of many forms gives the loss that was told would be an accident.
    """
    return any(loss.requires_grad for loss in _plain_losses(loss_fn, outputs, y))


def looks_at_weights(loss_fn: Loss, given: Tensor, targets: Tensor) -> str:
    """How a function is seen to hold more than what outputs cost, by a gradient beside theirs; empty where it has none."""
    try:
        with torch.enable_grad(), generators_kept():
            beside = loss_fn(given, targets).requires_grad
    except Exception:  # of the user's loss
        return ""
    return "the loss has a gradient beside that of the outputs" if beside else ""


def _plain_losses(loss_fn: Loss, outputs: Tensor, y: Tensor) -> list[Tensor]:
    """The loss in every form that it takes in which nothing is done to the outputs."""
    found = []
    for form in PLAIN:
        try:
            with torch.enable_grad():
                loss = loss_fn(*form(outputs.detach(), y))
        except Exception:  # a form that the loss cannot take
            continue
        if isinstance(loss, Tensor):
            found.append(loss)
    return found


def added_to(loss_fn: Loss, given: Tensor, targets: Tensor, told: float) -> str:
    """The same of a loss that was seen to be given these outputs and targets; empty where it takes, or gives, more than these."""
    try:
        with torch.no_grad(), generators_kept():
            cost = float(loss_fn(given, targets).float().mean())
    except Exception:  # a loss of lengths, of a variance, or one that tells its parts
        return ""
    return _added(cost, told)


def _added(cost: float, told: float) -> str:
    if not 0 <= ADDED * cost < told:
        return ""
    return f"the first loss was told to be {told:.3g}, and outputs cost {cost:.3g} of it"
