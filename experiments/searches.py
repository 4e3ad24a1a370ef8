"""The searches that `notes_search.py --against` holds against each other: the same ranges, network, rows, split and epochs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from spent import counted
from spent import seconds as spent

import dressage
from dressage.errors import RunError
from dressage.fit import EndEvent, EpochEvent, fit
from dressage.ground import Ground, open_ground
from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.search.events import RunningEvent

RECIPE: dict[str, Any] = {
    "model": {"name": "mlp", "width": 50, "depth": 1, "norm": "none"},
    "optim": {"name": "momentum", "momentum": 0.9},
    "train": {"batch_size": 100, "threads": 1, "monitor": "metric"},
    "regularize": {"dropout": 0.0},
    "average": "none",
    "augment": [],
}
SAME = {"optim.lr": (1e-6, 1.0), "regularize.weight_decay": (1e-7, 1e2)}
"""What all arms search, log-uniform: wide enough that nobody has to leave it."""
ROWS, EPOCHS, TRIALS = 10_000, 10, 100
WORKERS = 1
"""Processes of each arm, of one thread each."""


@cache
def ground_of(data: str, seed: int) -> tuple[Ground, Recipe]:
    """The data, opened and split as each search does it, and the recipe that all vary."""
    torch.set_num_threads(1)
    written = Recipe.model_validate({**RECIPE, "seed": seed, "data": {"subset": ROWS}})
    written = edited(written, {"train.epochs": EPOCHS, "train.refit": False, "watch.diagnose": False})
    form = {"train.precision": "float32", "train.memory_format": "contiguous", "train.threads": 1}
    ground = open_ground(data, None, written, None, None, None)
    return replace(ground, form=form), written


def scores(ground: Ground, written: Recipe, point: dict[str, float]) -> Iterator[tuple[int, float]]:
    """One trial: the validation accuracy after each epoch; it ends as dressage's trials do, where a number is not finite."""
    job = ground.job(edited(written, dict(point)))
    for event in fit(job.state, job.batches, job.plan, job.parts["validation"]):
        if isinstance(event, EpochEvent):
            yield event.epoch, event.metrics["val_accuracy"]
        if isinstance(event, EndEvent):
            return


class Reached(Exception):
    """The accuracy was reached, or the time is over."""


def by_dressage(data: str, target: float, limit: float, seed: int) -> tuple[float, float]:
    """What `dressage search` does where nothing but the space is asked for. Seconds and the best accuracy."""
    began, best, seconds = time.process_time(), 0.0, 0.0
    space = {path: f"log:{low}:{high}" for path, (low, high) in SAME.items()}
    recipe = {**RECIPE, "train": {**RECIPE["train"], "epochs": EPOCHS}, "data": {"subset": ROWS}}

    def tell(event: object) -> None:
        nonlocal best, seconds
        if isinstance(event, RunningEvent) and event.score > best:
            best = event.score
        seconds = time.process_time() - began
        if best >= target or seconds > limit:
            raise Reached

    with tempfile.TemporaryDirectory() as folder, suppress(Reached):
        out = Path(folder) / "search"
        dressage.search(data, recipe=recipe, space=space, seed=seed, jobs=1, out=out, on_event=tell)
    return seconds if best >= target else float("inf"), best


def by_optuna(way: str, data: str, target: float, limit: float, seed: int) -> tuple[float, float]:
    """Trials one after the other, in this process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began, best, seconds = time.process_time(), 0.0, 0.0
    ground, written = ground_of(data, seed)
    study = _study(way, seed)

    def objective(trial: Any) -> float:
        nonlocal best, seconds
        point = {path: trial.suggest_float(path, low, high, log=True) for path, (low, high) in SAME.items()}
        highest = 0.0
        for epoch, score in scores(ground, written, point):
            highest = max(highest, score)
            best, seconds = max(best, score), time.process_time() - began
            if best >= target or seconds > limit:
                raise Reached
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return highest

    with suppress(Reached):
        study.optimize(objective, n_trials=TRIALS)
    return seconds if best >= target else float("inf"), best


def _study(way: str, seed: int) -> Any:
    import optuna

    sampler = optuna.samplers.RandomSampler(seed) if way == "random" else optuna.samplers.TPESampler(seed=seed)
    pruners = {
        "random": optuna.pruners.NopPruner(),
        "tpe-median": optuna.pruners.MedianPruner(),
        "tpe-hyperband": optuna.pruners.HyperbandPruner(max_resource=EPOCHS),
    }
    return optuna.create_study(sampler=sampler, pruner=pruners[way], direction="maximize")


def by_ray(way: str, data: str, target: float, limit: float, seed: int) -> tuple[float, float]:
    """Trials one after the other in Ray's worker. Counted: this process, the worker and Ray's daemons from when these are quiet."""
    import ray
    from ray import tune

    with tempfile.TemporaryDirectory() as folder, counted() as group:
        file = Path(folder) / "seen"
        file.touch()
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, _temp_dir=f"{folder}/ray")
        _quiet(group)
        began = spent(group)

        def trained(point: dict[str, float]) -> None:
            start, epoch = began + _start_of_worker(), 0
            for epoch, score in scores(*ground_of(data, seed), point):
                with file.open("a") as lines:
                    lines.write(f"{spent(group) - start} {score}\n")
                tune.report({"score": score, "epoch": epoch})
            if not epoch:  # it ended within its first epoch, and Ray wants to hear of every trial
                tune.report({"score": 0.0, "epoch": 1})

        class Stopper(tune.Stopper):  # type: ignore[misc]
            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                return self.stop_all()

            def stop_all(self) -> bool:
                return any(score >= target or seconds > limit for seconds, score in seen(file))

        try:
            tune.Tuner(
                tune.with_resources(trained, {"cpu": 1}),
                param_space={path: tune.loguniform(low, high) for path, (low, high) in SAME.items()},
                tune_config=_tuning(way, seed),
                run_config=tune.RunConfig(storage_path=folder, stop=Stopper(), verbose=0),
            ).fit()
        finally:
            ray.shutdown()
        told = seen(file)
    if not told:
        raise RunError.of(
            "ray", "no trial ended an epoch", "one score at least", "see what Ray says of the trials above"
        )
    return next((s for s, score in told if score >= target), float("inf")), max(score for _, score in told)


def _tuning(way: str, seed: int) -> Any:
    """Random points in all. The worker is kept from trial to trial: a fresh one would import torch and read the data for each."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule
    from ray.tune.search import BasicVariantGenerator

    schedulers = {
        "random": FIFOScheduler,
        "median": lambda: MedianStoppingRule(time_attr="epoch", grace_period=1),
        "asha": lambda: ASHAScheduler(time_attr="epoch", max_t=EPOCHS),
    }
    return tune.TuneConfig(
        metric="score",
        mode="max",
        num_samples=TRIALS,
        search_alg=BasicVariantGenerator(max_concurrent=WORKERS, random_state=seed),
        scheduler=schedulers[way](),
        reuse_actors=True,
    )


@cache
def _start_of_worker() -> float:
    """What this process had used when its first trial began: Python's start and torch's import, not counted for the other arms."""
    return time.process_time()


def _quiet(group: Path) -> None:
    """Waits until two seconds cost less than a tenth of one, as all daemons have started by then; a minute at most."""
    before = float("-inf")
    for _ in range(30):
        if spent(group) - before < 0.1:
            return
        before = spent(group)
        time.sleep(2)


def seen(file: Path) -> list[tuple[float, float]]:
    """Processor seconds and score after each epoch so far."""
    rows = [line.split() for line in file.read_text().split("\n")[:-1]]
    return [(float(s), float(score)) for s, score in rows]


ARMS: dict[str, Callable[[str, float, float, int], tuple[float, float]]] = {
    "dressage": by_dressage,
    "random": lambda *given: by_optuna("random", *given),
    "tpe-median": lambda *given: by_optuna("tpe-median", *given),
    "tpe-hyperband": lambda *given: by_optuna("tpe-hyperband", *given),
    "ray": lambda *given: by_ray("asha", *given),
    "ray-median": lambda *given: by_ray("median", *given),
    "ray-random": lambda *given: by_ray("random", *given),
}
