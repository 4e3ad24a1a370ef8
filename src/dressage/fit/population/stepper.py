"""One step of all members: rows and noise, losses and gradients, update."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from dressage.fit.population.inputs import Inputs
from dressage.fit.population.loss import metrics_of
from dressage.fit.population.mapped import Mapped
from dressage.fit.population.network import Network
from dressage.fit.population.products import Products
from dressage.fit.population.stack import Stack
from dressage.fit.population.update import Update


class Stepper:
    """A stack and what moves it."""

    def __init__(self, stack: Stack) -> None:
        self.members = [member for _, member in stack.members]
        self.inputs = Inputs(self.members)
        factors = [(m.recipe.schedule.model_dump_json(), m.plan.factor) for m in self.members]
        self.schedules = [(text, factor.warm, factor.total, factor.hold) for text, factor in factors]
        self.take_up(stack)

    def steps(self, start: int, rates: Tensor) -> Generator[Tensor]:
        """Takes steps from batch `start` of the epoch on, at rates `(steps, K)`; yields the losses, `(K,)`, of each."""
        is_begun = self.stack.step > 0
        each = self.update.at(rates)
        for at, given in enumerate(self.inputs.epoch(self.stack.step, start), start=start):
            losses = self.products.back_propagated(given)
            with torch.no_grad():
                losses = self.update(losses, each[at])
            if not is_begun:
                is_begun = True
                self.stack.settle()
                self.take_up(Stack(self.stack.members))  # what the optimisers keep of the weights is there now
            yield losses

    def rates(self, begun: int) -> Tensor:
        """`(steps, K)` float64: the learning rates of the epoch that began after step `begun`."""
        shares: dict[object, list[float]] = {}
        length, each = self.members[0].batches.steps_per_epoch, []
        for member, key in zip(self.members, self.schedules, strict=True):
            factor, cuts = member.plan.factor, member.state.cuts
            if (key, cuts) not in shares:
                shares[key, cuts] = [factor(begun + i, cuts) for i in range(length)]
            each.append(shares[key, cuts])
        tops = torch.tensor([member.plan.lr for member in self.members], dtype=torch.float64)
        return torch.tensor(each, dtype=torch.float64).t() * tops

    def validated(self) -> list[dict[str, float]]:
        """val_loss and val_<metric> of each member; nothing without a validation part."""
        if self.members[0].validation is None:
            return [{} for _ in self.members]
        return metrics_of(self.members, self.products.validated())

    def take_up(self, stack: Stack) -> None:
        """Goes on with the same members in another stack."""
        self.stack = stack
        kind = Mapped if isinstance(self.inputs.forms[0], Network) else Products
        self.products, self.update = kind(stack, self.inputs), Update(stack)
