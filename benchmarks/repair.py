"""What `train --fix` makes of recipes with a planted fault (`planted.py`): the score with it, repaired, and of the twin without it.

    python benchmarks/repair.py [--half tune|report|fresh|both] [--seeds 2] [--rows FILE.jsonl] [NAME ...]

A plant is a fault where its mean test score over the seeds is more than 2 points (0.02 of accuracy or R²) below the twin's. It
counts as mended where the mean of what was kept comes within 2 points of the twin's, as made worse where it is more than 2 points
below the first training's. Cost: what the repair takes after the first training, trials and all, in steps of one training of the
twin's recipe as long as its epochs say, and in processor seconds of the twin's training, each with its own examinations.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from planted import PLANTS, SMALL, Recipe, opened

import dressage
from dressage.errors import Diverged

PLAIN: Recipe = {"train": {"refit": False, "threads": 1}}
POINTS = 0.02
Row = dict[str, Any]


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


@cache
def twin_of(data_name: str, written: str) -> Row:
    """The training without the fault: plants of one set share it."""
    data, y = opened(data_name)
    began = time.thread_time()
    with tempfile.TemporaryDirectory() as folder:
        twin = dressage.train(data, y=y, recipe=json.loads(written), out=Path(folder) / "twin")
        train = twin.recipe.train
        plan = train.epochs * -(-twin.job.data["parts"]["train"]["size"] // train.batch_size)
        return {"twin": tested(twin), "plan": plan, "plain": time.thread_time() - began}


def one(name: str, seed: int, place: Path) -> Row:
    """The twin, the training with the fault, and its repair."""
    plant = PLANTS[name]
    data, y = opened(plant.data)
    without = merged(PLAIN, SMALL.get(plant.data, {}), plant.beside, {"seed": seed})
    row: Row = {"name": name, "seed": seed, **twin_of(plant.data, json.dumps(without))}
    faulty = merged(without, plant.fault)
    began = time.thread_time()
    try:
        first = dressage.train(data, y=y, recipe=faulty, out=place / "faulty")
    except Diverged as error:
        first = dressage.load(Path(str(error.where)))
    row |= {"first": tested(first), "first seconds": time.thread_time() - began}
    began = time.thread_time()
    try:
        found = dressage.repair(data, y=y, recipe=faulty, out=place / "faulty")  # goes on with the run that is there
    except Diverged:
        return row | {"kept": -math.inf, "named": "nothing", "steps": 0, "seconds": 0.0, "changed": []}
    second = len(dressage.load(found.second).history.steps) - found.began_at if found.second else 0
    return row | {
        "kept": tested(found.kept),
        "named": found.finding.get("id", "nothing"),
        "changed": sorted(found.changes) if found.kept.folder == found.second else [],
        "steps": found.steps_tried + second,
        "from": found.began_at,
        "seconds": time.thread_time() - began,
    }


def judged(rows: Sequence[Row]) -> dict[str, Any]:
    """One plant over its seeds."""
    mean = {key: statistics.fmean(r[key] for r in rows) for key in ("twin", "first", "kept")}
    plant = PLANTS[rows[0]["name"]]
    changed = {path for r in rows for path in r["changed"]}
    return {
        **mean,
        "fault": not mean["first"] >= mean["twin"] - POINTS,
        "mended": mean["kept"] >= mean["twin"] - POINTS,
        "worse": mean["kept"] < mean["first"] - POINTS,
        "steps": statistics.fmean(r["steps"] / r["plan"] for r in rows),
        "seconds": statistics.fmean(r["seconds"] / r["plain"] for r in rows),
        "named": ", ".join(dict.fromkeys(r["named"] for r in rows)),
        "beside": sorted(changed - plant.paths),
    }


def line(name: str, rows: Sequence[Row]) -> str:
    """A plant as a row of the table."""
    one = judged(rows)
    verdict = "mended" if one["fault"] and one["mended"] else "MISSED" if one["fault"] else "no fault"
    return (
        f"| {name} | {PLANTS[name].data} | {one['twin']:.3f} | {shown(one['first'])} | {shown(one['kept'])} | {verdict} | "
        f"{one['steps']:.2f} | {one['seconds']:.1f} | {one['named']} | {' '.join(one['beside'])} |"
    )


def shown(score: float) -> str:
    """A score, or that there is none."""
    return "diverged" if math.isinf(score) else f"{score:.3f}"


def summary(rows: Sequence[Row]) -> str:
    """What became of all plants."""
    names = list(dict.fromkeys(r["name"] for r in rows))
    all_of = [judged([r for r in rows if r["name"] == name]) for name in names]
    faults = [one for one in all_of if one["fault"]]
    single = [r for r in rows if not r["first"] >= r["twin"] - POINTS]
    costs = sorted(one["steps"] for one in all_of)
    seconds = sorted(one["seconds"] for one in all_of)
    return "\n".join(
        [
            f"within two points of the twin: {sum(one['mended'] for one in faults)} of {len(faults)} faults "
            f"({len(all_of) - len(faults)} plants do no harm); of single runs "
            f"{sum(r['kept'] >= r['twin'] - POINTS for r in single)} of {len(single)}",
            f"better than before: {sum(one['kept'] > one['first'] for one in faults)} of {len(faults)}; "
            f"made worse: {sum(one['worse'] for one in all_of)} of {len(all_of)}, of single runs "
            f"{sum(r['kept'] < r['first'] - POINTS for r in rows)} of {len(rows)}",
            f"cost after the first, in plain trainings: steps median {statistics.median(costs):.2f}, most {costs[-1]:.2f}; "
            f"processor seconds median {statistics.median(seconds):.1f}, most {seconds[-1]:.1f}",
            f"left alone what was given beside the fault: "
            f"{sum(not one['beside'] for n, one in zip(names, all_of, strict=True) if PLANTS[n].beside)} of "
            f"{sum(bool(PLANTS[n].beside) for n in names)}",
        ]
    )


def main() -> None:
    """Prints a row a plant and what became of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--half", choices=("tune", "report", "fresh", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--rows", type=Path, help="where each run is kept, a JSON object a line; those that are there are not repeated"
    )
    args = parser.parse_args()
    names = args.names or [
        n for n, p in PLANTS.items() if args.half == p.half or (args.half == "both" and p.half != "fresh")
    ]
    kept = [json.loads(text) for text in args.rows.read_text().splitlines()] if args.rows and args.rows.exists() else []
    known = {(r["name"], r["seed"]): r for r in kept}
    rows: list[Row] = []
    import sklearn.ensemble  # noqa: F401  (two seconds that belong to no training)

    print("| fault | set | without | with | repaired | | steps | seconds | named | changed beside |\n|" + "---|" * 10)
    for name in names:
        for seed in range(args.seeds):
            if (name, seed) not in known:
                with tempfile.TemporaryDirectory() as folder:
                    known[name, seed] = one(name, seed, Path(folder))
                if args.rows:
                    with args.rows.open("a") as file:
                        file.write(json.dumps(known[name, seed]) + "\n")
            rows.append(known[name, seed])
        print(line(name, [r for r in rows if r["name"] == name]), flush=True)
    print(summary(rows))


if __name__ == "__main__":
    main()
