"""Whether bf16 costs accuracy: the same recipe in float32 and in bf16, on real images, over seeds.

python benchmarks/precision.py IMAGES.npz [--seeds 5]     # x_train, y_train, x_test, y_test
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from dressage.assess import assess
from dressage.fit import fit
from dressage.prepare import prepare
from dressage.recipe import as_recipe


def one(data: dict[str, np.ndarray], seed: int, precision: str) -> tuple[float, float]:
    """Test accuracy, and seconds of training."""
    train = {"epochs": 12, "precision": precision, "memory_format": "channels_last"}
    job = prepare(data, as_recipe({"seed": seed, "train": train}))
    start = time.perf_counter()
    for _ in fit(job.state, job.batches, job.plan, job.parts.get("validation")):
        pass
    seconds = time.perf_counter() - start
    return float(assess(job)["test"]["metrics"]["accuracy"]["value"] or 0), seconds


def main() -> None:
    """Prints a row a precision, and the paired difference."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    with np.load(args.file, allow_pickle=False) as archive:
        data = {name: archive[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    scores: dict[str, list[float]] = {"float32": [], "bf16": []}
    seconds: dict[str, list[float]] = {"float32": [], "bf16": []}
    for seed in range(args.seeds):
        for precision in scores:
            score, spent = one(data, seed, precision)
            scores[precision].append(score)
            seconds[precision].append(spent)
    for precision, found in scores.items():
        spread = f"{statistics.mean(found):.4f} ± {statistics.stdev(found):.4f}"
        print(
            f"{precision:<8} accuracy {spread} (n={args.seeds}), {statistics.median(seconds[precision]):.1f} s of training"
        )
    differences = [a - b for a, b in zip(scores["bf16"], scores["float32"], strict=True)]
    half = 2.78 * statistics.stdev(differences) / len(differences) ** 0.5 if args.seeds == 5 else float("nan")
    print(f"bf16 − float32: {statistics.mean(differences):+.4f}, 95 % interval ± {half:.4f} (t, 4 degrees of freedom)")


if __name__ == "__main__":
    main()
