"""One network of the mean of several networks' weights, after a look at the straight line between each two of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from dressage.assess import final_outputs
from dressage.data.batches import Batches
from dressage.data.preprocess import Preprocess
from dressage.data.several import heads_of
from dressage.data.source import Part, Source
from dressage.ensemble.members import Member
from dressage.errors import RunError
from dressage.evaluate.per_row import scores
from dressage.fit import Plan, make_plan
from dressage.fit.validate import outputs_of, recalibrate
from dressage.prepare import goals_of, make_parts
from dressage.store.checkpoint import differences

POINTS = 11
"""Places on a line, both ends included."""
ROWS = 2000
"""That a line is looked at with, at most: its error is then known to about a point."""
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Line:
    """Loss and error of the networks between two members, `alpha` of the way from the one to the other."""

    ends: tuple[str, str]
    alpha: tuple[float, ...]
    loss: tuple[float, ...]
    error: tuple[float, ...]
    """1 − accuracy, or 1 − R²."""

    @property
    def barrier(self) -> float:
        """How far the error rises above the line between those of the ends (Frankle et al. 2020)."""
        return _above(self.alpha, self.error)

    @property
    def loss_barrier(self) -> float:
        """The same of the loss."""
        return _above(self.alpha, self.loss)

    def to_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {**asdict(self), "barrier": self.barrier, "loss_barrier": self.loss_barrier}


@dataclass(frozen=True, slots=True)
class Bowl:
    """What networks of one preprocessing are looked at with: rows to judge by, and batches to measure statistics on."""

    source: Source
    preprocess: Preprocess
    plan: Plan
    rows: Part
    batches: Batches

    def look(self, network: nn.Module) -> tuple[float, float]:
        """Loss and error of a network whose batch-norm statistics are measured anew first."""
        recalibrate(network, self.batches, self.plan)
        return self.judge(network)

    def judge(self, network: nn.Module) -> tuple[float, float]:
        """Loss and error of a network as it is."""
        outputs = outputs_of(network, self.rows, self.plan)
        loss = float(self.plan.objective.plain_loss(outputs, self.rows.targets))
        answers = final_outputs(outputs, self.preprocess, self.plan.objective).reshape(len(self.rows), -1)
        y = self.source.y[self.rows.rows]
        worth = scores(answers, y.reshape(len(y), -1), heads_of(self.source))
        return loss, 1 - float(worth.mean())


def souped(members: Sequence[Member], source: Source, barrier: float) -> tuple[nn.Module, list[Line]]:
    """The network of the mean weights, and the lines that were looked at.

    Raises RunError: networks of other architectures, inputs scaled otherwise, a barrier between two of them.
    """
    require_one_form(members, "combine their answers instead: --combine mean")
    bowl = bowl_of(members[0], source)
    lines = [line_between(a, b, bowl) for a, b in combinations(members, 2)]
    worst = max(lines, key=lambda line: line.barrier)
    if not worst.barrier <= barrier:
        found = f"on the line between {worst.ends[0]} and {worst.ends[1]} the error rises by {worst.barrier:.3f}"
        expected = f"expected at most {barrier:g}: their weights lie in different valleys, and the mean in none"
        raise RunError.of("soup", found, expected, "combine their answers instead: --combine mean")
    network = copy.deepcopy(members[0].kept.network)
    network.load_state_dict(mixed([m.kept.network.state_dict() for m in members], [1 / len(members)] * len(members)))
    recalibrate(network, bowl.batches, bowl.plan)
    return network.eval(), lines


def line_between(a: Member, b: Member, bowl: Bowl) -> Line:
    """The networks `(1 − α)θ_a + αθ_b`."""
    ends = a.kept.network.state_dict(), b.kept.network.state_dict()
    return way_between(a, b, bowl, lambda alpha: mixed(ends, [1 - alpha, alpha]))


def way_between(a: Member, b: Member, bowl: Bowl, at: Callable[[float], Weights], points: int = POINTS) -> Line:
    """What the networks of the weights `at(α)` lose, α from 0 (a) to 1 (b)."""
    network = copy.deepcopy(a.kept.network)
    alphas = [i / (points - 1) for i in range(points)]
    seen = []
    for alpha in alphas:
        network.load_state_dict(at(alpha))
        seen.append(bowl.look(network))
    return Line((a.name, b.name), tuple(alphas), tuple(loss for loss, _ in seen), tuple(error for _, error in seen))


def mixed(networks: Sequence[Weights], shares: Sequence[float]) -> dict[str, Tensor]:
    """`Σ_k s_k θ_k`, summed in float64; what is no number with a point, like a counter, is the first one's."""
    return {
        name: sum((s * n[name].double() for s, n in zip(shares, networks, strict=True)), torch.zeros(())).to(first)
        if first.is_floating_point()
        else first
        for name, first in networks[0].items()
    }


def bowl_of(member: Member, source: Source, part: str = "validation", most: int = ROWS) -> Bowl:
    """At most so many rows of a part to look at, or training rows where there are none."""
    job, preprocess = member.kept.job, member.kept.job.preprocess()
    parts = make_parts(source, member.parts(source), preprocess)
    batches = Batches(parts["train"], job.recipe.train.batch_size, job.recipe.seed)
    plan = make_plan(job.recipe, batches.steps_per_epoch, job.outputs, preprocess.cast, goals=goals_of(preprocess))
    judged = parts.get(part, parts["train"])
    some = judged.rows[torch.linspace(0, len(judged) - 1, min(most, len(judged))).long()]
    return Bowl(source, preprocess, plan, Part(judged.name, judged.x, judged.y, some), batches)


def _above(alpha: Sequence[float], values: Sequence[float]) -> float:
    straight = [(1 - a) * values[0] + a * values[-1] for a in alpha]
    return max(v - s for v, s in zip(values, straight, strict=True))


def require_one_form(members: Sequence[Member], repair: str) -> None:
    """Raises RunError unless the members' weights are of one form and their inputs of one scale."""
    first = members[0].kept
    tensors = first.job.preprocess().to_state()
    for member in members[1:]:
        unlike = differences(member.kept.network.state_dict(), first.network.state_dict())
        if unlike:
            found, expected = f"it is of another architecture ({unlike[0]})", "expected networks of one form"
            raise RunError.of(member.name, found, expected, repair)
        if not _same(tensors, member.kept.job.preprocess().to_state()):
            found = f"it sees its inputs or targets in another scale than {members[0].name}"
            expected = "expected one preprocessing, fitted on the same rows"
            raise RunError.of(member.name, found, expected, f"train both with one --data.split_seed, or {repair}")


def _same(one: tuple[Mapping[str, Any], Weights], other: tuple[Mapping[str, Any], Weights]) -> bool:
    (described, numbers), (also, more) = one, other
    return described == also and numbers.keys() == more.keys() and all(n.equal(more[k]) for k, n in numbers.items())
