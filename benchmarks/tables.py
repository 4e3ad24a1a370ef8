"""The default recipe on small real tables beside scikit-learn's defaults: scores, and the mean rank over the sets.

    python benchmarks/tables.py --data FOLDER [--seeds 5] [--first 0] [--sets glass heart ...] [--tuned SECONDS] [--json FILE]

A fifth of the rows is the test part. Everyone gets the same rest: dressage as a table, as `dressage train` would; scikit-learn's
models numbers with medians for gaps and categories as one-hot columns, the linear model and the MLP standardised.
`--tuned` adds what `dressage.tune` finds in so many seconds a split, one process, trained. FOLDER: see table_sets.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from quality import models
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from table_sets import NAMES, NUMBERS, TARGET, table

import dressage
from dressage.errors import Diverged

Scores = dict[str, list[float]]


def by_dressage(rest: pd.DataFrame, test: pd.DataFrame, seed: int, classify: bool, tuned: float, usual: float) -> float:
    """Accuracy or R² on the test rows of the default recipe, or of what so many seconds of tuning make of it.

    A tuning that keeps the recipe as it is has its score, `usual`: the training would be the same bit for bit.
    """
    task = "classification" if classify else "regression"
    recipe: Any = {"seed": seed, "data": {"target": TARGET, "task": task, "test": 0.0}}
    with TemporaryDirectory() as folder:
        try:
            if tuned:
                found = dressage.tune(
                    rest, recipe=recipe, budget=tuned, trains=False, jobs=1, out=Path(folder) / "tune"
                )
                print(f"    {seed}: {found.why}", dict(found.edit or {}), flush=True)
                if not found.edit:
                    return usual
                recipe = found.recipe
            run = dressage.train(rest, recipe=recipe, out=Path(folder) / "run")
        except Diverged:
            return float("nan")
        judged = run.evaluate(test)
        return float(judged["metrics"]["accuracy" if classify else "r2"]["value"])


def by_sklearn(model: Any, rest: pd.DataFrame, test: pd.DataFrame) -> float:
    """The same of one of scikit-learn's models."""
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            ),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    x, xt = rest.drop(columns=TARGET), test.drop(columns=TARGET)
    fitted = columns.fit(x)
    return float(
        model.fit(fitted.transform(x), rest[TARGET].to_numpy()).score(fitted.transform(xt), test[TARGET].to_numpy())
    )


def scores_of(name: str, frame: pd.DataFrame, seeds: range, tuned: float) -> tuple[Scores, float]:
    """The scores of everyone over the splits, and the median seconds of a default training."""
    classify = name not in NUMBERS
    scores: Scores = {}
    seconds = []
    for seed in seeds:
        rest, test = train_test_split(
            frame, test_size=0.2, random_state=seed, stratify=frame[TARGET] if classify else None
        )
        rest, test = rest.reset_index(drop=True), test.reset_index(drop=True)
        began = time.perf_counter()
        ways: dict[str, Callable[[], float]] = {
            "dressage": lambda r=rest, t=test, s=seed: by_dressage(r, t, s, classify, 0.0, np.nan)
        }
        if tuned:
            ways["tuned"] = lambda r=rest, t=test, s=seed: by_dressage(r, t, s, classify, tuned, scores["dressage"][-1])
        for other, model in models(classify, seed).items():
            ways[other] = lambda m=model, r=rest, t=test: by_sklearn(m, r, t)
        for way, score in ways.items():
            scores.setdefault(way, []).append(score())
            if way == "dressage":
                seconds.append(time.perf_counter() - began)
    return scores, statistics.median(seconds)


def ranks(means: dict[str, dict[str, float]]) -> dict[str, float]:
    """Mean rank of everyone over the sets, 1 is best; equal scores share their ranks."""
    each = pd.DataFrame(means).T.rank(axis=1, ascending=False)
    return {str(name): float(rank) for name, rank in each.mean().items()}


def main() -> None:
    """Prints a row a set, and the ranks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tuned", type=float, default=0.0)
    parser.add_argument("--json", default="")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found: dict[str, Scores] = {}
    for name in args.sets:
        frame = table(name, args.data)
        found[name], seconds = scores_of(name, frame, range(args.first, args.first + args.seeds), args.tuned)
        shown = "  ".join(f"{k} {np.mean(v):.3f} ± {np.std(v, ddof=1):.3f}" for k, v in found[name].items())
        print(f"{name:<14} rows {len(frame):>5}  {shown}  ({seconds:.1f} s a training)", flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    means = {name: {k: float(np.mean(v)) for k, v in scores.items()} for name, scores in found.items()}
    print("mean rank     ", "  ".join(f"{k} {v:.2f}" for k, v in sorted(ranks(means).items(), key=lambda r: r[1])))
    ahead = sum(m["dressage"] > m["mlp"] for m in means.values())
    print(f"the default is ahead of the MLP on {ahead} of {len(means)} sets")


if __name__ == "__main__":
    main()
