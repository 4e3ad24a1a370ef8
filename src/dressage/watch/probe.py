"""One probed step, seen through hooks that stand for this step only: nothing is asked of the loop, and nothing of it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.clock import own_seconds
from dressage.subject.inputs import Inputs, inputs_of, is_single
from dressage.subject.outputs import Output, losses_of, tensors_in, tensors_of
from dressage.watch.calls import Call, LossCalls, pair_of
from dressage.watch.harmless import harmless, untraced
from dressage.watch.tape import Tape
from dressage.watch.telemetry import LayerNumbers, Probe, WeightNumbers
from dressage.watch.wrapped import main_input

ROWS = 64  # of a batch whose activations are summed
VALUES = 4096  # of a parameter that are compared before and after the update
SATURATING = {"Tanh": (-0.95, 0.95), "Sigmoid": (0.025, 0.975), "Hardtanh": (-0.999, 0.999)}
RECTIFIERS = ("ReLU", "ReLU6", "Threshold")


class StepProbe:
    """Stands between two calls of `Watch.step`. `read` takes the hooks away and gives the numbers, waiting for the device once."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None,
        loss_fn: object = None,
        *,
        rate: Callable[[], float] | None = None,
        follows_loss: bool = False,
    ) -> None:
        """Without an optimiser the gradients are those that stand in the parameters when it is read; `rate` gives its rate.

        With `follows_loss` it is taken down what is done to the outputs until there is a loss.
        """
        self.model, self.optimizer = model, optimizer
        self.rate = rate
        self.began = time.perf_counter()
        self.forward_at: float | None = None
        self.passes = 0
        """Of the network, with gradients."""
        self.training: bool | None = None
        self.stepped = False
        self.acts = False
        """Whether layers ran, without gradients, before the step's first pass: the network makes its data, or is validated."""
        self.batch = 0
        self.input: Tensor | None = None
        self.inputs: Inputs | None = None
        """All that the network was given, where that is more than one tensor, or its loss may be its own."""
        self.is_single = True
        """Whether that is one tensor."""
        self.outputs: list[Output] = []
        """What the network gave, with the place of each."""
        self.own_losses: list[Tensor] = []
        """Single numbers that the network gave."""
        self.asked: list[Call] = []
        """Calls of a loss that is a module."""
        self.calls = 0
        self.learned: set[bool] = set()
        self.layers: dict[str, tuple[str, list[Tensor]]] = {}
        self.named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.before = [_sample(p.detach()).clone() for _, p in self.named]
        self.gradients: list[Tensor | None] = []
        self.traced = None if optimizer is None else _smallest(self.named, optimizer)
        self.left = _gradient(self.traced)  # what the last step has left there
        self.fresh: list[Tensor] = []
        self.used: Tensor | None = None
        self.failed: list[Exception] = []
        """What hooks have raised: no pass of the loop's ends by it, and reading does."""
        self.entered = harmless(self._entered, self.failed)
        self.handles: list[Any] = [model.register_forward_pre_hook(self.entered, with_kwargs=True)]
        if optimizer is not None:
            self.handles.append(optimizer.register_step_pre_hook(harmless(self._step, self.failed)))
            self.handles.append(optimizer.register_step_post_hook(harmless(self._stepped, self.failed)))
        if isinstance(loss_fn, nn.Module):
            self.handles.append(loss_fn.register_forward_hook(harmless(self._loss, self.failed), with_kwargs=True))
        self.owns_loss = loss_fn is None and optimizer is not None
        """Whether the network itself may give the loss."""
        self.tape = Tape() if follows_loss else None
        self.loss_calls = LossCalls(loss_fn, self.tape)
        if optimizer is not None:
            self.handles.append(model.register_forward_hook(harmless(self._left, self.failed)))
        for name, module in model.named_modules():
            if not any(True for _ in module.children()):
                self.handles.append(module.register_forward_hook(self._layer(name, module)))
        if self.traced is not None:
            self.handles.append(self.traced.register_hook(harmless(self._fresh, self.failed)))  # type: ignore[no-untyped-call]
        self.stands = own_seconds()

    def _entered(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A forward pass of the network begins; one of a copy, which carries the hooks, is none."""
        if not torch.is_grad_enabled() or module is not self.model:
            return
        self.passes += 1
        if self.forward_at is None:
            self.forward_at, self.training = own_seconds(), module.training
        self.learned.add(any(isinstance(a, Tensor) and a.requires_grad for a in (*args, *kwargs.values())))
        x = main_input(module, args, kwargs)
        self.is_single = is_single(args, kwargs)
        self.inputs = inputs_of(args, kwargs)
        if self.tape is not None:
            learns = any(t.requires_grad and not t.is_leaf for t in tensors_of((args, kwargs)))
            self.tape.entered(self.inputs, learns=learns)
        x = x if x is not None else next((t for t in self.inputs.tensors if t.ndim and t.layout == torch.strided), None)
        if x is not None:
            self.input, self.batch = x.detach(), len(x)
        if self.owns_loss:
            self.loss_calls.begin()

    def _left(self, module: nn.Module, args: Any, output: Any) -> None:
        if torch.is_grad_enabled() and not self.stepped and module is self.model:
            self.own_losses = [loss.detach() for loss in losses_of(output)]
            found = tensors_in(output)
            self.outputs = [(path, tensor.detach()) for path, tensor in found]
            self.loss_calls.begin(found)

    def _loss(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if torch.is_grad_enabled():
            given = (*args, *kwargs.values())[:2]
            self.asked.append(Call(module, pair_of(*given), {}, [t.detach() for t in tensors_of(result)]))

    @property
    def losses_seen(self) -> list[Call]:
        """All calls of a loss in the step."""
        return [*self.loss_calls.calls, *self.asked]

    def is_accumulating(self) -> bool:
        """Whether the loop has gone forward without an update so far: gradients of several batches are being added up."""
        self.calls += 1
        waits = self.optimizer is not None and not self.stepped
        return waits and self.forward_at is not None and self.calls < 64

    def _layer(self, name: str, layer: nn.Module) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            """Sums up what the layer gave; a copy of it, which carries the hook, is left out."""
            if module is not layer:
                return
            self.acts = self.acts or (self.forward_at is None and not torch.is_grad_enabled())
            if not torch.is_grad_enabled() or not isinstance(output, Tensor) or not output.is_floating_point():
                return
            if output.ndim == 0:  # of a loss that the network has as a part
                return
            with torch.no_grad(), suppress(Exception):  # a layer of whose outputs no numbers can be taken is left out
                given = args[0] if args and isinstance(args[0], Tensor) and args[0].layout == torch.strided else None
                kind = type(module).__name__
                self.layers[name] = (kind, _layer_sums(kind, given, output.detach()))

        return untraced(hook)

    def _fresh(self, gradient: Tensor) -> None:
        self.fresh.append(gradient.detach().clone())

    def _step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if kwargs.get("closure") is None and not any(callable(a) for a in args):
            self._stepped(optimizer, args, kwargs)

    def _stepped(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Looks at the gradients of the step: before it, or after it where a closure makes them in the step."""
        if self.stepped:
            return
        self.stepped = True
        self.loss_calls.end()
        self._take_gradients()
        self.used = _gradient(self.traced)

    def _take_gradients(self) -> None:
        grads = [p.grad for _, p in self.named]
        some = [g.detach() for g in grads if g is not None and not g.is_sparse]
        norms = iter(torch._foreach_norm(some)) if some else iter(())
        self.gradients = [None if g is None or g.is_sparse else next(norms) for g in grads]

    def remove(self) -> None:
        """Takes the hooks away."""
        self.loss_calls.end()
        for handle in self.handles:
            handle.remove()
        self.handles = []
        if self.traced is not None and not self.traced._backward_hooks:
            self.traced._backward_hooks = None  # an empty dictionary of hooks is gone through in every backward pass

    def read(self, step: int) -> Probe:
        """The numbers of the step that has just been taken."""
        self.remove()
        if self.failed:
            raise self.failed[0]
        if self.optimizer is None:
            self._take_gradients()
        after = [_sample(p.detach()) for _, p in self.named]
        sums: list[Tensor] = []
        for old, new, norm in zip(self.before, after, self.gradients or [None] * len(after), strict=True):
            gradient = norm if norm is not None else torch.full((), -1.0, device=new.device)
            sums += [_rms(old), _rms(new - old), gradient]
        for _, numbers in self.layers.values():
            sums += numbers
        device = sums[0].device if sums else torch.device("cpu")
        values = torch.stack([s.to(device).float().reshape(()) for s in sums]).tolist() if sums else []
        weights, rest = _weights(self.named, values)
        now = time.perf_counter()
        return Probe(
            step=step,
            layers=_layers(self.layers, rest),
            weights=weights,
            rate=self._rate(),
            training=self.training is not False,
            stale=self._stale(),
            waiting=max(0.0, (self.forward_at or self.stands) - self.stands),
            seconds=now - self.began,
            batch=self.batch,
            calls=max(1, self.calls),
            learns_input=self.learned == {True},
            acts=self.acts,
        )

    def _rate(self) -> float:
        if self.rate is not None:
            return self.rate()
        groups = self.optimizer.param_groups if self.optimizer is not None else []
        return float(groups[0]["lr"]) if groups else 0.0

    def _stale(self) -> float:
        """Share of the traced gradient that the last step had left: exact, whatever clips or scales the gradient."""
        if self.used is None or not self.fresh or self.left is None:
            return 0.0 if self.used is not None and self.fresh else -1.0
        fresh = torch.stack(self.fresh).sum(0).double().flatten()
        used, left = self.used.double().flatten(), self.left.double().flatten()
        if float(left.norm()) <= 1e-6 * float(fresh.norm()) or fresh.numel() < 2:
            return 0.0
        is_sum, is_fresh = _cosine(used, fresh + left), _cosine(used, fresh)
        if is_sum > 0.99999 and is_fresh < is_sum - 1e-5:
            return float(left.norm() / (left.norm() + fresh.norm()))
        return 0.0


def _smallest(named: list[tuple[str, nn.Parameter]], optimizer: Optimizer) -> nn.Parameter | None:
    """The smallest parameter of at least 8 values: a direction of 8 numbers does not agree by chance.

    One that the optimiser holds: nobody need clear the gradients of others.
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    wide = [p for _, p in named if p.numel() >= 8 and p.layout == torch.strided]
    return min([p for p in wide if id(p) in held] or wide, key=lambda p: p.numel(), default=None)


def _gradient(parameter: nn.Parameter | None) -> Tensor | None:
    if parameter is None or parameter.grad is None or parameter.grad.is_sparse:
        return None
    return parameter.grad.detach().clone()


def _sample(values: Tensor) -> Tensor:
    flat = values.reshape(-1)
    return flat if flat.numel() <= VALUES else flat[:: -(-flat.numel() // VALUES)]


def _rms(values: Tensor) -> Tensor:
    return values.float().square().mean().sqrt() if values.numel() else torch.zeros((), device=values.device)


def _cosine(a: Tensor, b: Tensor) -> float:
    return float((a @ b) / (a.norm() * b.norm()).clamp_min(1e-300))


def _layer_sums(kind: str, given: Tensor | None, output: Tensor) -> list[Tensor]:
    """mean, sd, saturated share, dead share."""
    rows = output[:ROWS].float()
    zero = torch.zeros((), device=rows.device)
    saturated, dead = zero, zero
    if kind in SATURATING:
        low, high = SATURATING[kind]
        saturated = ((rows <= low) | (rows >= high)).float().mean()
    looked_at = rows if kind in RECTIFIERS else given
    if looked_at is not None and looked_at.is_floating_point() and looked_at.ndim > 1 and len(looked_at) > 1:
        units = (looked_at != 0).any(0) if looked_at.ndim == 2 else (looked_at != 0).any(0).flatten(1).any(1)
        dead = 1 - units.float().mean()
    sd = rows.std(correction=0) if rows.numel() > 1 else zero
    return [rows.mean() if rows.numel() else zero, sd, saturated, dead]


def _weights(
    named: list[tuple[str, nn.Parameter]], values: list[float]
) -> tuple[tuple[WeightNumbers, ...], list[float]]:
    found = []
    for place, (name, p) in enumerate(named):
        weight, update, gradient = values[3 * place : 3 * place + 3]
        rms = gradient / max(1, p.numel()) ** 0.5 if gradient >= 0 else -1.0
        found.append(WeightNumbers(name, weight, rms, update, p.numel()))
    return tuple(found), values[3 * len(named) :]


def _layers(seen: dict[str, tuple[str, list[Tensor]]], values: list[float]) -> tuple[LayerNumbers, ...]:
    return tuple(
        LayerNumbers(name, kind, *values[4 * place : 4 * place + 4])
        for place, (name, (kind, _)) in enumerate(seen.items())
    )
