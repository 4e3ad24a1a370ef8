"""One epoch of members that take their steps together, and how some leave within it: unwanted, or because they broke."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from dressage.fit.events import EndEvent, EpochEvent, StepEvent
from dressage.fit.guard import WINDOW
from dressage.fit.loop import close_epoch, fit
from dressage.fit.population.member import Member
from dressage.fit.population.stack import Saved
from dressage.fit.population.stepper import Stepper

LOOK = 16
"""Steps between two looks at the losses: the device is waited for, and who is not wanted any more leaves."""


@dataclass(frozen=True, slots=True)
class StepsEvent:
    """Steps `first`, `first + 1`, … of one member were taken, all in epoch 1, 2, …, with these losses and rates."""

    first: int
    epoch: int
    losses: Sequence[float]
    rates: Sequence[float]


MemberEvent = StepsEvent | EpochEvent | EndEvent
Hear = Callable[[int, Sequence[float]], None]


class Epoch:
    """An epoch that has begun, or is gone on with; `stepper` has the members that are left, None where nobody is."""

    def __init__(self, stepper: Stepper, dropped: Collection[int], hear: Hear) -> None:
        self.stepper: Stepper | None = stepper
        self.dropped, self.hear = dropped, hear
        before = [torch.tensor([float(loss) for loss in state.losses]) for state in stepper.stack.states]
        self.losses = torch.stack(before, 1).double()
        self.begun = stepper.stack.step - len(self.losses)
        self.rates = stepper.rates(self.begun)
        self.is_guarded = stepper.members[0].plan.stop_on_nonfinite
        self.saved: Saved | None = None
        self.since = len(self.losses)
        """The step of the epoch before which the numbers were saved."""

    def events(self) -> Generator[tuple[int, MemberEvent]]:
        """Those of the members that leave, and of the others at the end."""
        while (stepper := self.stepper) is not None and len(self.losses) < len(self.rates):
            steps = stepper.steps(len(self.losses), self.rates)
            while stepper is self.stepper and len(self.losses) < len(self.rates):
                if self.is_guarded and (self.saved is None or len(self.losses) - self.since >= WINDOW):
                    self.saved, self.since = stepper.stack.save(), len(self.losses)
                taken = torch.stack(list(islice(steps, LOOK))).to("cpu", torch.float64)
                self.losses = torch.cat([self.losses, taken])
                for number, own in zip(stepper.stack.numbers, taken.t().tolist(), strict=True):
                    self.hear(number, own)
                yield from self._leave(stepper, taken)
            steps.close()
        if self.stepper is not None:
            yield from self._close(self.stepper)

    def _leave(self, stepper: Stepper, taken: Tensor) -> Generator[tuple[int, MemberEvent]]:
        """Those that are not wanted, where they stand; those that broke, from the last good step on by themselves."""
        gone = [k for k, number in enumerate(stepper.stack.numbers) if number in self.dropped]
        broken = [k for k in self._broken(stepper, taken) if k not in gone]
        if not gone and not broken:
            return
        stepper.stack.settle()
        for k in gone:
            yield self._stands(stepper, k, len(self.losses))
        for k in broken:
            assert self.saved is not None
            stepper.stack.put_back(k, self.saved)
            yield self._stands(stepper, k, self.since)
            yield from _alone(*stepper.stack.members[k], self.dropped)
        kept = [k for k in range(len(stepper.stack)) if k not in gone and k not in broken]
        self.stepper = left(stepper, [stepper.stack.numbers[k] for k in (*gone, *broken)])
        self.losses, self.rates, self.saved = self.losses[:, kept], self.rates[:, kept], None

    def _broken(self, stepper: Stepper, taken: Tensor) -> list[int]:
        if not self.is_guarded:
            return []
        is_due = len(self.losses) - self.since >= WINDOW or len(self.losses) == len(self.rates)
        fine = taken.isfinite().all(0)
        if is_due or not fine.all():
            fine = fine & stepper.stack.are_finite().cpu()
        return [k for k, is_fine in enumerate(fine.tolist()) if not is_fine]

    def _stands(self, stepper: Stepper, k: int, done: int) -> tuple[int, MemberEvent]:
        """Brings a state to the step that its numbers are of."""
        number, member = stepper.stack.members[k]
        state, losses = member.state, self.losses[:done, k]
        state.step, state.batch = self.begun + done, done
        state.losses = list(losses.to(state.weights[0]).unbind())
        return number, StepsEvent(self.begun + 1, state.epoch + 1, losses.tolist(), self.rates[:done, k].tolist())

    def _close(self, stepper: Stepper) -> Generator[tuple[int, MemberEvent]]:
        """The end of an epoch, as `fit` ends it."""
        stepper.stack.settle()
        epochs = []
        means = self.losses.mean(0).tolist()
        for member, loss, metrics in zip(stepper.members, means, stepper.validated(), strict=True):
            epochs.append(close_epoch(member.state, member.plan, {"train_loss": loss, **metrics}))
        columns = self.losses.t().tolist(), self.rates.t().tolist()
        for number, event, losses, rates in zip(stepper.stack.numbers, epochs, *columns, strict=True):
            yield number, StepsEvent(self.begun + 1, event.epoch, losses, rates)
            yield number, event


def left(stepper: Stepper, gone: Iterable[int]) -> Stepper | None:
    """The same without some members; None where nobody is left."""
    stack, leaving = stepper.stack, set(gone) & set(stepper.stack.numbers)
    if not leaving:
        return stepper
    return Stepper(stack.without(leaving)) if len(leaving) < len(stack) else None


def _alone(number: int, member: Member, dropped: Collection[int]) -> Generator[tuple[int, MemberEvent]]:
    """A member trained by `fit`, which says where and why it broke."""
    for event in fit(member.state, member.batches, member.plan, member.validation):
        if isinstance(event, StepEvent):
            yield number, StepsEvent(event.step, event.epoch, [float(event.loss)], [event.lr])
        elif isinstance(event, EpochEvent | EndEvent):
            yield number, event
        if number in dropped:
            return
