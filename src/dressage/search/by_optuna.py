"""Optuna's sampler (TPE) as one that proposes a whole batch: the same for the same results, whatever was asked before.

A study is built anew for each batch from all that is known, so that an interrupted search proposes what it would have.
"""

from __future__ import annotations

import warnings
from typing import Any

from dressage.integrations.needed import needed
from dressage.search.edits import Point, Told, is_searched
from dressage.search.ranges import Range, Value
from dressage.search.space import Space


def ask(space: Space, n: int, seed: int, told: Told) -> list[Point]:
    """`n` points after those told. TPE (Bergstra et al. 2011) with the constant liar. Raises MissingPackage."""
    optuna = needed("optuna", extra="optuna", where="sampler optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32, constant_liar=True)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for point, score in told:
        if all(path in space and holds(space[path], value) for path, value in point.items()):
            study.add_trial(_known(optuna, space, point, score))
    return [_asked(study.ask(), space) for _ in range(n)]


def holds(range_: Range, value: Value) -> bool:
    """Whether a value lies in the range: others were tried before it was narrowed."""
    return value in range_.choices if range_.is_choice else range_.low <= float(value) <= range_.high


def _known(optuna: Any, space: Space, point: Point, score: float | None) -> Any:
    state = optuna.trial.TrialState.FAIL if score is None else optuna.trial.TrialState.COMPLETE
    kinds = {path: _distribution(optuna, space[path]) for path in point}
    return optuna.trial.create_trial(state=state, value=score, params=dict(point), distributions=kinds)


def _asked(trial: Any, space: Space) -> Point:
    point: dict[str, Value] = {}
    for path, range_ in space.items():
        if not is_searched(space, path, point):
            continue
        if range_.is_choice:
            point[path] = trial.suggest_categorical(path, range_.choices)
        elif range_.is_whole:
            point[path] = trial.suggest_int(path, int(range_.low), int(range_.high), log=range_.is_log)
        else:
            point[path] = trial.suggest_float(path, range_.low, range_.high, log=range_.is_log)
    return point


def _distribution(optuna: Any, range_: Range) -> Any:
    kinds = optuna.distributions
    if range_.is_choice:
        return kinds.CategoricalDistribution(range_.choices)
    if range_.is_whole:
        return kinds.IntDistribution(int(range_.low), int(range_.high), log=range_.is_log)
    return kinds.FloatDistribution(range_.low, range_.high, log=range_.is_log)
