"""A search as its report takes it."""

from __future__ import annotations

from pathlib import Path

from dressage.search.account import Account
from dressage.search.account import Stage as StageAccount
from dressage.search.asked import brackets, joined
from dressage.search.found import Search, StageFound


def account_of(search: Search, seconds: float = 0.0) -> Account:
    """What report.html is made of."""
    asked = search.asked
    stages = [_stage(search, number, stage) for number, stage in enumerate(search.stages)]
    return Account(
        name=search.folder.name,
        data=Path(asked.name).name or asked.name,
        metric=search.metric,
        stages=stages,
        results=search.results,
        verdict=search.verdict,
        seconds=seconds,
        ended=search.status,
        best=search.command if search.best else "",
    )


def _stage(search: Search, number: int, found: StageFound) -> StageAccount:
    stage, asked = found.stage, search.asked
    rungs = brackets(asked, number, joined(asked, number) + stage.trials)
    halved = [
        " → ".join(f"{rung.trials} to epoch {rung.epochs}" for rung in bracket)
        for bracket in rungs
        if len({rung.trials for rung in bracket}) > 1
    ]
    return StageAccount(
        number=number,
        space=found.space,
        sampler=asked.sampler,
        trials=stage.trials,
        epochs=stage.epochs,
        rows=stage.rows,
        rungs="; ".join(halved),
        told=tuple(found.told),
    )
