"""What `train --fix` makes of recipes with a planted fault: score as it was, repaired, and of the recipe without the fault.

    python benchmarks/repair.py [--seeds 2] [NAME ...]

A fault counts as mended where the kept run comes within 2 points (0.02 of accuracy or R²) of the twin without the fault on the
test part, and as made worse where it is more than 2 points below the first training.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import dressage
from dressage.errors import Diverged

Recipe = dict[str, Any]
PLAIN: Recipe = {"train": {"refit": False, "threads": 1}}
FAULTS: dict[str, tuple[str, Recipe]] = {
    "rate far too low": ("digits", {"optim": {"lr": 1e-7}}),
    "rate too low": ("breast_cancer", {"optim": {"lr": 1e-6}}),
    "rate too high": ("digits", {"optim": {"lr": 3.0}}),
    "rate too high, sgd": ("wine", {"optim": {"name": "sgd", "lr": 300.0}}),
    "rate that overflows": ("diabetes", {"optim": {"name": "sgd", "lr": 1e4}, "schedule": {"warmup": 0}}),
    "momentum 0.999": ("digits", {"optim": {"name": "momentum", "lr": 0.02, "momentum": 0.999}}),
    "weight decay 1000": ("digits", {"regularize": {"weight_decay": 1000.0}}),
    "dropout 0.98": ("breast_cancer", {"regularize": {"dropout": 0.98}}),
    "dropout 0.97": ("digits", {"regularize": {"dropout": 0.97}}),
    "one unit": ("digits", {"model": {"width": 1}}),
    "two units": ("wine", {"model": {"width": 1}}),
    "two epochs": ("digits", {"train": {"epochs": 2}}),
    "inputs as they are": ("wine", {"data": {"preprocess": []}, "optim": {"name": "sgd", "lr": 0.01}}),
    "inputs as they are, breast": ("breast_cancer", {"data": {"preprocess": []}, "optim": {"name": "sgd", "lr": 0.01}}),
    "twelve sigmoid layers": ("digits", {"model": {"activation": "sigmoid", "depth": 12}}),
}


def merged(*recipes: Recipe) -> Recipe:
    """Sections joined; the last value counts."""
    out: Recipe = {}
    for recipe in recipes:
        for key, value in recipe.items():
            out[key] = {**out.get(key, {}), **value} if isinstance(value, dict) else value
    return out


def tested(run: dressage.Run) -> float:
    """Headline of the test part; −∞ for a run that was not judged."""
    judged = run.evaluation.get("test")
    return float(judged["metrics"][judged["headline"]]["value"] or 0) if judged else -math.inf


def one(name: str, seed: int, place: Path) -> dict[str, Any]:
    """The three trainings of one fault."""
    data, fault = FAULTS[name]
    began = time.perf_counter()
    twin = dressage.train(data, recipe=merged(PLAIN, {"seed": seed}), out=place / "twin")
    plain = time.perf_counter() - began
    began = time.perf_counter()
    try:
        found = dressage.repair(data, recipe=merged(PLAIN, {"seed": seed}, fault), out=place / "faulty")
    except Diverged:
        return {
            "twin": tested(twin),
            "first": -math.inf,
            "kept": -math.inf,
            "named": "diverged, nothing to mend",
            "cost": 0.0,
        }
    first = tested(dressage.load(found.first))
    return {
        "twin": tested(twin),
        "first": first,
        "kept": tested(found.kept),
        "named": found.finding.get("id", "nothing"),
        "cost": (time.perf_counter() - began) / plain,
    }


def main() -> None:
    """Prints a row a fault and what became of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(FAULTS))
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    mended, worse, total = 0, 0, 0
    for name in args.names:
        with tempfile.TemporaryDirectory() as folder:
            rows = [one(name, seed, Path(folder) / str(seed)) for seed in range(args.seeds)]
        mended += sum(r["kept"] >= r["twin"] - 0.02 for r in rows)
        worse += sum(r["kept"] < r["first"] - 0.02 for r in rows)
        total += len(rows)
        mean = {key: statistics.mean(r[key] for r in rows) for key in ("twin", "first", "kept", "cost")}
        named = ", ".join(dict.fromkeys(r["named"] for r in rows))
        print(
            f"{name:<28} {FAULTS[name][0]:<14} without {mean['twin']:.3f}  with {mean['first']:.3f}  "
            f"repaired {mean['kept']:.3f}  ({mean['cost']:.1f} times the time of one)  {named}",
            flush=True,
        )
    print(f"mended {mended} of {total}, made worse {worse}")


if __name__ == "__main__":
    main()
