"""Which points a stage tries: those that were asked for, the best of the stage before, and what the sampler draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dressage.search.asked import Asked, Stage, joins
from dressage.search.by_gp import OF, Seen, promising
from dressage.search.edits import Point, Told, point_of
from dressage.search.found import StageFound
from dressage.search.samplers import sample
from dressage.search.space import Space
from dressage.search.trial import Result, ranked_by_rung

CARRIED, FORMERLY = 0.25, 0.125
"""Of the trials of a stage: the best of the one before are tried again in it; and in searches that began before it was so."""


def tried_again(asked: Asked, stages: Sequence[StageFound], stage: Stage) -> list[Mapping[str, object]]:
    """Edits that the stage after `stages` tries before it draws any: the best of the one before, which a narrower range may miss.

    A stage of one trial is the best, for longer; not so in searches that began before there were joined stages.
    """
    if not stages or joins(asked, len(stages)):
        return [] if stages else [dict(edit) for edit in asked.first[: stage.trials]]
    before = ranked_by_rung(stages[-1].results)
    share = CARRIED if asked.is_joined else FORMERLY
    is_any = stage.trials > 1 or asked.is_joined
    return [r.trial.edit for r in before[: math.ceil(share * stage.trials)]] if is_any else []


def drawn(asked: Asked, stages: Sequence[StageFound], space: Space, n: int, own: Sequence[Result]) -> list[Point]:
    """`n` points of the stage after `stages`, given what came of its `own` trials so far."""
    number = len(stages)
    if asked.sampler != "gp":
        told: Told = [(point_of(space, r.trial.edit), r.score if r.counts else None) for r in own]
        return sample(space, asked.sampler, n, asked.seed, number, told)
    if not stages:
        return sample(space, "sobol", n, asked.seed)
    latest = {r.trial.number: r for stage in stages for r in stage.results if r.state != "failed"}
    seen = [Seen(point_of(space, r.trial.edit), r.trial.stage, r.score if r.counts else None) for r in latest.values()]
    candidates = sample(space, "sobol", OF * n, asked.seed, number)
    return promising([*(stage.space for stage in stages), space], seen, candidates, n)
