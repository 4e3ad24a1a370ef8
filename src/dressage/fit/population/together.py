"""Trainings that take their steps together: one computation a step for all members, and for each the events of its own."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from dressage.fit.events import EndEvent, EpochEvent, StepEvent
from dressage.fit.guard import WINDOW
from dressage.fit.loop import close_epoch, fit, generators_kept, is_over
from dressage.fit.population.member import Member
from dressage.fit.population.stack import Stack
from dressage.fit.population.stepper import Stepper


@dataclass(frozen=True, slots=True)
class StepsEvent:
    """Steps `first`, `first + 1`, … of one member were taken, all in epoch 1, 2, …, with these losses and rates."""

    first: int
    epoch: int
    losses: Sequence[float]
    rates: Sequence[float]


MemberEvent = StepsEvent | EpochEvent | EndEvent
Told = Generator[tuple[int, MemberEvent], None, Stepper | None]


def fit_together(members: Sequence[Member], dropped: Collection[int] = ()) -> Generator[tuple[int, MemberEvent]]:
    """Trains members of one kin (`kin`) to the ends of their plans, each as `fit` would train it alone, within rounding.

    Yields `(number, event)`: after an epoch the steps and the epoch of each member, and its end. After any event every state
    stands between two epochs, and is whole. A member whose number is in `dropped`, which may grow on the way, is trained no
    further than its epoch. One whose numbers are not finite leaves the others and goes on by itself from its last good step.
    """
    with generators_kept(members[0].state.device):
        stepper: Stepper | None = Stepper(Stack(list(enumerate(members))))
        while stepper is not None:
            stack = stepper.stack
            ended = [number for number, member in stack.members if _ends(member)]
            for number in ended:
                state, plan = members[number].state, members[number].plan
                yield number, EndEvent(state.step, state.epoch, "patience" if state.epoch < plan.epochs else "epochs")
            stepper = _left(stepper, {*ended, *dropped})
            if stepper is not None:
                stepper = yield from _epoch(stepper, dropped)


def _epoch(stepper: Stepper, dropped: Collection[int]) -> Told:
    """One epoch; the stepper of the members that are left after it."""
    begun, rates = stepper.stack.step, stepper.rates()
    losses = torch.empty(0, len(stepper.members), dtype=torch.float64)
    is_guarded = stepper.members[0].plan.stop_on_nonfinite
    window = WINDOW if is_guarded else len(rates)
    steps = stepper.steps(0, rates)
    while len(losses) < len(rates):
        saved = stepper.stack.save() if is_guarded else None
        taken = torch.stack(list(islice(steps, window)))
        fine = (taken.isfinite().all(0) & stepper.stack.weights.isfinite().all(1)).tolist() if saved is not None else []
        if saved is not None and not all(fine):
            steps.close()
            stepper.stack.settle()
            broken = [k for k, is_fine in enumerate(fine) if not is_fine]
            for k in broken:
                stepper.stack.put_back(k, saved)
                yield from _alone(*stepper.stack.members[k], begun, losses[:, k], rates[:, k], dropped)
            kept = [k for k, is_fine in enumerate(fine) if is_fine]
            left = _left(stepper, {stepper.stack.numbers[k] for k in broken})
            if left is None:
                return None
            stepper, losses, taken, rates = left, losses[:, kept], taken[:, kept], rates[:, kept]
            steps = stepper.steps(len(losses) + len(taken), rates)
        losses = torch.cat([losses, taken.to("cpu", torch.float64)])
    yield from _closed(stepper, begun, losses, rates)
    return stepper


def _closed(stepper: Stepper, begun: int, losses: Tensor, rates: Tensor) -> Generator[tuple[int, MemberEvent]]:
    """The end of an epoch, as `fit` ends it."""
    stepper.stack.settle()
    epochs = []
    for member, loss, metrics in zip(stepper.members, losses.mean(0).tolist(), stepper.validated(), strict=True):
        epochs.append(close_epoch(member.state, member.plan, {"train_loss": loss, **metrics}))
    told = zip(stepper.stack.numbers, epochs, losses.t().tolist(), rates.t().tolist(), strict=True)
    for number, event, own, own_rates in told:
        yield number, StepsEvent(begun + 1, event.epoch, own, own_rates)
        yield number, event


def _alone(
    number: int, member: Member, begun: int, losses: Tensor, rates: Tensor, dropped: Collection[int]
) -> Generator[tuple[int, MemberEvent]]:
    """A member whose state was put back to the step after those `losses`, trained by `fit`: it says where and why it broke."""
    state, done = member.state, len(losses)
    state.step, state.batch = begun + done, done
    state.losses = list(losses.to(state.weights[0]).unbind())
    if done:
        yield number, StepsEvent(begun + 1, state.epoch + 1, losses.tolist(), rates[:done].tolist())
    for event in fit(state, member.batches, member.plan, member.validation):
        if isinstance(event, StepEvent):
            yield number, StepsEvent(event.step, event.epoch, [float(event.loss)], [event.lr])
        elif isinstance(event, EpochEvent | EndEvent):
            yield number, event
            if number in dropped:
                return


def _left(stepper: Stepper, gone: Iterable[int]) -> Stepper | None:
    """The same without some members; None where nobody is left."""
    stack = stepper.stack
    leaving = [number for number in stack.numbers if number in set(gone)]
    if not leaving:
        return stepper
    return Stepper(stack.without(leaving)) if len(leaving) < len(stack) else None


def _ends(member: Member) -> bool:
    return member.state.epoch >= member.plan.epochs or is_over(member.state, member.plan)
