"""One step: batch ▶ augment ▶ model ▶ objective ▶ backward, clip, optimiser, average."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dressage.augment.batch import Batch
from dressage.augment.draw import Draw
from dressage.fit.plan import Plan
from dressage.fit.state import State
from dressage.fit.update import update
from dressage.optim.clip import clip_adaptive_, clip_norm_
from dressage.regularize import constrain, noisy, penalised


def take_step(state: State, batch: Batch, plan: Plan) -> Tensor:
    """Moves the state by one step on `batch` and returns the loss, `()`, still on the device."""
    seed_noise(plan, state.step, state.device)
    x, y = network_input(state, batch, plan)
    loss = update(state.optimizer, state.kernel(), plan.rate(state.step, state.cuts), Gradient(state, x, y, plan))
    constrain(state.model, plan.rate(state.step, state.cuts), plan.regularize)
    state.step += 1
    state.batch += 1
    if plan.average is not None:
        plan.average.update(state.weights, state.averaged_weights, state.step - 1)
    if state.keys is not None:
        state.keys.follow(state.model, y[: len(x)], state.step - 1)
    state.losses.append(loss)
    return loss


@dataclass(slots=True)
class Gradient:
    """Loss and clipped gradient of one batch, for an optimiser that asks for them once a step, or more often."""

    state: State
    x: Tensor
    y: Tensor
    plan: Plan
    asked: bool = False

    def __call__(self, backward: bool = True) -> Tensor:
        """The loss, `()`, with its gradients left in the parameters; or the loss with its graph, and nothing else done.

        What is asked again is asked with the noise of the first time, and leaves batch norms the statistics of the first.
        """
        again, self.asked = self.asked, True
        if not again:
            return self._compute(backward)
        seed_noise(self.plan, self.state.step, self.state.device)
        noisy(self.x, self.plan.regularize)  # draws what was drawn for the input
        statistics = list(self.state.model.buffers())
        kept = [b.clone() for b in statistics]
        loss = self._compute(backward)
        with torch.no_grad():
            for now, before in zip(statistics, kept, strict=True):
                now.copy_(before)
        return loss

    def _compute(self, backward: bool) -> Tensor:
        if not backward:
            return loss_of(self.state.model, self.x, self.y, self.plan)
        clear_gradients(self.state)
        loss = back_propagated(self.state, self.x, self.y, self.plan)
        clip(self.state, self.plan)
        return loss


def seed_noise(plan: Plan, step: int, device: torch.device) -> None:
    """Keys what a network draws in a step by (seed, step), so that any step can be taken again."""
    seed = (plan.noise + step * 0x9E3779B97F4A7C15) % 2**63
    torch.default_generator.manual_seed(seed)  # the object itself: torch.manual_seed costs a hundred times more
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


def network_input(state: State, batch: Batch, plan: Plan) -> tuple[Tensor, Tensor]:
    """The augmented batch as the network gets it, and its targets, or what stands in their place."""
    for own_key, transform in plan.augment:
        batch = transform(batch, Draw(own_key, state.epoch, state.step, batch.rows))
    x = noisy(plan.cast(batch.x), plan.regularize)
    return (x, batch.y) if state.keys is None else state.keys.asked(x, plan.autocast)


def back_propagated(state: State, x: Tensor, y: Tensor, plan: Plan) -> Tensor:
    """Loss of the whole batch; its gradient is left in the parameters, however many pieces the batch is cut into."""
    if plan.accumulate == 1:
        loss = loss_of(state.model, x, y, plan)
        torch.autograd.backward(loss)
        return loss.detach()
    total = torch.zeros((), device=x.device)
    views = plan.objective.views if state.keys is None else 1
    size = views * -(-len(x) // (views * plan.accumulate))  # a piece has all views of its samples
    own, shared = y[: len(x)], y[len(x) :]  # keys of a queue are held against every piece
    for xs, ys in zip(torch.split(x, size), torch.split(own, size), strict=True):
        ys = torch.cat([ys, shared])
        loss = loss_of(state.model, xs, ys, plan) * (len(xs) / len(x))
        torch.autograd.backward(loss)
        total += loss.detach()
    return total


def loss_of(model: torch.nn.Module, x: Tensor, y: Tensor, plan: Plan) -> Tensor:
    """The objective of the network's outputs, in the plan's precision; the loss itself is always float32 or better."""
    if plan.autocast is None:
        return penalised(plan.objective.loss(model(x), y), model, plan.regularize)
    with torch.autocast(x.device.type, plan.autocast):
        outputs = model(x)
    return penalised(plan.objective.loss(outputs.float(), y), model, plan.regularize)


def clip(state: State, plan: Plan) -> None:
    """The gradients as the optimiser gets them; a limit of 0 is none."""
    if plan.clip_adaptive:
        clip_adaptive_(state.weights, plan.clip_adaptive)
    if plan.clip_value:
        torch.nn.utils.clip_grad_value_(state.weights, plan.clip_value)
    if plan.clip_norm:
        clip_norm_(gradients(state), plan.clip_norm)


def clear_gradients(state: State) -> None:
    """Zero in place for flat parameters, whose gradients are views; none elsewhere, as torch does."""
    if state.is_flat:
        torch._foreach_zero_(gradients(state))
    else:
        state.optimizer.zero_grad(set_to_none=True)


def gradients(state: State) -> list[Tensor]:
    """The gradients that the optimiser will use."""
    return [p.grad for p in state.weights if p.grad is not None]
