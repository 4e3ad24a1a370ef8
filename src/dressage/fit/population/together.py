"""Trainings that take their steps together: one computation a step for all members, and for each the events of its own."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence

from dressage.fit.events import EndEvent
from dressage.fit.loop import generators_kept, is_over
from dressage.fit.population.epoch import Epoch, Hear, MemberEvent, left
from dressage.fit.population.member import Member
from dressage.fit.population.stack import Stack
from dressage.fit.population.stepper import Stepper


def fit_together(
    members: Sequence[Member], dropped: Collection[int] = (), hear: Hear = lambda number, losses: None
) -> Generator[tuple[int, MemberEvent]]:
    """Trains members of one kin (`kin`) to the ends of their plans, each as `fit` would train it alone, within rounding.

    Yields `(number, event)`: after an epoch the steps and the epoch of each member, and its end. After any event every state
    that has told of its epoch stands behind it, and is whole. `hear(number, losses)` is told every 16 steps what they cost. A
    member whose number is in `dropped`, which may grow on the way, is trained no further; within an epoch its steps so far are
    told of. One whose numbers are not finite leaves the others and goes on by itself from its last good step.
    """
    with generators_kept(members[0].state.device):
        stepper: Stepper | None = Stepper(Stack(list(enumerate(members))))
        while stepper is not None:
            ended = [number for number, member in stepper.stack.members if _ends(member)]
            for number in ended:
                state, plan = members[number].state, members[number].plan
                yield number, EndEvent(state.step, state.epoch, "patience" if state.epoch < plan.epochs else "epochs")
            stepper = left(stepper, {*ended, *dropped})
            if stepper is not None:
                epoch = Epoch(stepper, dropped, hear)
                yield from epoch.events()
                stepper = epoch.stepper


def _ends(member: Member) -> bool:
    return member.state.epoch >= member.plan.epochs or is_over(member.state, member.plan)
