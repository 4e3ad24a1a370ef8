"""Quality of the default recipes, nothing tuned a set, beside scikit-learn on the same splits: mean and sd over seeds.

    python benchmarks/quality.py [--seeds 5] [digits wine ...]

A fifth of the rows is the test part; both learn from the rest. dressage is what `dressage train` does: a training with a validation
part cut out of the rest, then one on all of it.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dressage import train
from dressage.errors import Diverged

SETS = ("digits", "breast_cancer", "wine", "iris", "diabetes")


def models(classify: bool, seed: int) -> dict[str, Any]:
    """scikit-learn's own, with its defaults; the linear model and the MLP on standardised columns."""
    if classify:
        return {
            "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
            "mlp": make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=seed)),
            "forest": RandomForestClassifier(random_state=seed),
            "boosting": HistGradientBoostingClassifier(random_state=seed),
        }
    return {
        "linear": make_pipeline(StandardScaler(), RidgeCV()),
        "mlp": make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=seed)),
        "forest": RandomForestRegressor(random_state=seed),
        "boosting": HistGradientBoostingRegressor(random_state=seed),
    }


def by_dressage(x: Any, y: Any, xt: Any, yt: Any, seed: int, classify: bool, settings: dict[str, Any]) -> float:
    """Score of the default recipe on the test part: accuracy or R²."""
    data = {"x_train": x, "y_train": y, "x_test": xt, "y_test": yt}
    task = "classification" if classify else "regression"
    recipe = {"seed": seed, **settings, "data": {"task": task, **settings.get("data", {})}}
    with TemporaryDirectory() as folder:
        try:
            run = train(data, recipe=recipe, out=Path(folder) / "run")
        except Diverged:
            return float("nan")
        return float(run.metrics["accuracy" if classify else "r2"] or 0)


def main() -> None:
    """Prints a row a set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed: splits that no setting was chosen on")
    parser.add_argument("--alone", action="store_true", help="dressage only")
    parser.add_argument("--set", action="append", default=[], help="section.name=value of the recipe")
    args = parser.parse_args()
    settings: dict[str, Any] = {}
    for written in args.set:
        path, _, value = written.partition("=")
        section, _, name = path.rpartition(".")
        (settings.setdefault(section, {}) if section else settings)[name] = value
    warnings.simplefilter("ignore")
    for name in args.sets:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        classify = name != "diabetes"
        scores: dict[str, list[float]] = {}
        seconds = []
        for seed in range(args.first, args.first + args.seeds):
            xs, xt, ys, yt = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=y if classify else None)
            start = time.perf_counter()
            own = by_dressage(xs.astype(np.float32), ys, xt.astype(np.float32), yt, seed, classify, settings)
            seconds.append(time.perf_counter() - start)
            scores.setdefault("dressage", []).append(own)
            for other, model in ({} if args.alone else models(classify, seed)).items():
                scores.setdefault(other, []).append(float(model.fit(xs, ys).score(xt, yt)))
        shown = "  ".join(f"{k} {statistics.mean(v):.3f} ± {statistics.stdev(v):.3f}" for k, v in scores.items())
        print(f"{name:<14} n={args.seeds}  {shown}  ({statistics.median(seconds):.1f} s a training)", flush=True)


if __name__ == "__main__":
    main()
