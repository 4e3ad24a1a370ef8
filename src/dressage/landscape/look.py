"""The surface on which finished runs lie: sharpness and a plane around one, the ways and the plane between several."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from dressage.data.batches import in_order
from dressage.ensemble.members import Member, member_of, require_alike, source_of
from dressage.ensemble.soup import Bowl, Line, Weights, bowl_of, line_between, require_one_form
from dressage.errors import RunError, UsageError
from dressage.landscape.curve import bend_between, curve_through
from dressage.landscape.plane import Plane, axes_through, plane_around, plane_through
from dressage.landscape.sharpness import Sharpness, sharpness
from dressage.landscape.surface import Surface
from dressage.models.foreign import Made
from dressage.prepare import ShowProgress, threads_kept
from dressage.run import Run, load

MOST = 3
"""Runs: a plane has three points."""
BATCH = 512
BEND = "bend"


@dataclass(frozen=True, slots=True)
class Landscape:
    """What was seen of the surface on which runs lie."""

    runs: tuple[str, ...]
    rows: int
    """Training rows that were looked at."""
    of: int
    """Of so many."""
    sharpness: Sharpness | None
    """Of one run."""
    lines: tuple[Line, ...]
    """Straight, between each two runs."""
    curve: Line | None
    """Bent, between two."""
    plane: Plane | None
    told: tuple[str, ...]
    """What must be known to read the numbers."""

    def to_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "runs": list(self.runs),
            "rows": self.rows,
            "of": self.of,
            "sharpness": self.sharpness.to_json() if self.sharpness else None,
            "lines": [line.to_json() for line in self.lines],
            "curve": self.curve.to_json() if self.curve else None,
            "plane": self.plane.to_json() if self.plane else None,
            "told": list(self.told),
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be looked at, and how closely: the arguments of `landscape`."""

    rows: int
    points: int
    span: float
    rho: float
    curve: int
    seed: int

    def check(self) -> None:
        """Raises UsageError for a number that is out of bounds."""
        whole = {"rows": (1, 10**7, 1000), "points": (0, 201, 21), "curve": (0, 10_000, 20)}
        for name, (low, high, usual) in whole.items():
            if not low <= getattr(self, name) <= high:
                found, expected = f"{getattr(self, name)} given", f"expected {low:,} to {high:,}"
                raise UsageError.of(name, found, expected, f"e.g. --{name} {usual}")
        if self.points in (1, 2):
            raise UsageError.of("points", f"{self.points} given", "expected 0, or 3 and more", "e.g. --points 21")
        if not 0 < self.span <= 1e6 or not 0 <= self.rho <= 1e6:
            found = f"{self.span:g} and {self.rho:g} given"
            raise UsageError.of("span and rho", found, "expected more than 0", "e.g. --span 1 --rho 0.05")


def landscape(
    runs: object,
    *,
    data: object = None,
    y: object = None,
    model: Made | None = None,
    rows: int = 1000,
    points: int = 21,
    span: float = 1.0,
    rho: float = 0.05,
    curve: int = 20,
    seed: int = 0,
    progress: ShowProgress | None = None,
) -> Landscape:
    """The surface on which a finished run lies: sharpness, and a plane around it; of two or three runs what lies between them.

    `runs`: one run or up to three of one form (a Run, or its folder). `data`: where their data is, if they were trained on arrays.
    The loss is the plain one (without label smoothing or decay) of up to `rows` training rows. The plane has `points` places a
    side (0: none), and around one run goes to `span` lengths of its filters. `rho`: how far the rise is looked for (0: no
    sharpness). `curve`: epochs that the bend between two runs is trained (0: none).
    Raises RunError for runs that are not finished or not of one form, UsageError for numbers out of bounds, else as `load`.
    """
    asked = _Asked(rows, points, span, rho, curve, seed)
    asked.check()
    several = list(runs) if isinstance(runs, list | tuple) else [runs]
    found = [one if isinstance(one, Run) else load(Path(str(one)), model=model) for one in several]
    _require_few(found)
    told: ShowProgress = progress if progress is not None else lambda what, done, total: None
    with threads_kept():
        members = [_named(member_of(run)) for run in found]
        for other in members[1:]:
            require_alike(members[0], other)
        require_one_form(members, "look at each by itself")
        bowl = bowl_of(members[0], source_of(found[0], data, y, progress), "train", rows)
        bowl = replace(bowl, plan=replace(bowl.plan, autocast=None))
        return _of_one(members[0], bowl, asked, told) if len(members) == 1 else _of_several(members, bowl, asked, told)


def _named(member: Member) -> Member:
    """A run whose path is the name of the bend gets another of the same place."""
    return replace(member, name=f"./{BEND}") if member.name == BEND else member


def _require_few(runs: Sequence[Run]) -> None:
    if not 1 <= len(runs) <= MOST:
        raise UsageError.of("landscape", f"{len(runs)} runs given", f"expected 1 to {MOST}", "a plane has three points")
    places = [run.folder.resolve() for run in runs]
    for k, run in enumerate(runs):
        if places[k] in places[:k]:
            raise RunError.of(run.folder, "given twice", "expected each run once", "leave it out the second time")


def _of_one(member: Member, bowl: Bowl, asked: _Asked, told: ShowProgress) -> Landscape:
    network, plan = member.kept.network, bowl.plan
    batches = in_order(bowl.rows, min(BATCH, member.kept.job.recipe.train.batch_size))
    pairs = [(plan.cast(batch.x), batch.y) for batch in batches]
    surface = Surface(copy.deepcopy(network), plan.objective.plain_loss, pairs)
    sharp = sharpness(surface, asked.rho, asked.seed, told) if asked.rho else None
    plane = None
    if asked.points:
        settings = asked.points, asked.span, asked.seed
        plane = plane_around(network, bowl, member.name, *settings, lambda a, b: told("plane", a, b))
    said = ["batch norms keep the statistics of the run"] if _has_norms(member) else []
    return _landscape([member], bowl, sharp, (), None, plane, said)


def _of_several(members: Sequence[Member], bowl: Bowl, asked: _Asked, told: ShowProgress) -> Landscape:
    said = ["batch-norm statistics are measured anew at every place"] if _has_norms(members[0]) else []
    pairs, lines = list(combinations(members, 2)), []
    for done, (a, b) in enumerate(pairs):
        told("straight lines", done, len(pairs))
        lines.append(line_between(a, b, bowl))
    networks: dict[str, Weights] = {m.name: m.kept.network.state_dict() for m in members}
    curve = None
    if len(members) == 2 and asked.curve:
        a, b = members
        bend = bend_between(a, b, bowl, asked.curve, asked.seed, lambda i, n: told("curve", i, n))
        curve, networks = curve_through(a, bend, b, bowl), {**networks, BEND: bend}
    plane, like = None, members[0].kept.network
    if asked.points and len(networks) == MOST:
        axes = axes_through(list(networks.values()), [name for name, p in like.named_parameters()])
        if axes is None:
            said.append("there is no plane: the networks lie on one line")
        else:
            plane = plane_through(networks, axes, like, bowl, asked.points, lambda i, n: told("plane", i, n))
    return _landscape(members, bowl, None, tuple(lines), curve, plane, said)


def _landscape(
    members: Sequence[Member],
    bowl: Bowl,
    sharp: Sharpness | None,
    lines: tuple[Line, ...],
    curve: Line | None,
    plane: Plane | None,
    said: Sequence[str],
) -> Landscape:
    names, of = tuple(member.name for member in members), len(bowl.batches.part)
    return Landscape(names, len(bowl.rows), of, sharp, lines, curve, plane, tuple(said))


def _has_norms(member: Member) -> bool:
    return any(name.endswith("running_mean") for name in member.kept.network.state_dict())
