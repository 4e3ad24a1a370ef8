"""The default recipe on small sets of pictures beside scikit-learn's defaults on their pixels: accuracy over splits.

    DRESSAGE_TEST_DATA=FOLDER python benchmarks/pictures.py [--sets mnist …] [--rows 600] [--seeds 3] [--first 0] [--tuned SECONDS]

Everyone learns from the same `--rows` pictures and is judged by the same 1,000 others: dressage has arrays of bytes,
the others rows of pixels in 0 … 1 (the linear model and the MLP standardised). A split a seed. `--tuned` adds what `dressage.tune`
finds in so many seconds a split.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from quality import models
from sklearn.model_selection import train_test_split
from tables import Scores, ranks

import dressage

SETS = ("mnist", "fashion-mnist", "cifar10")
JUDGED = 1_000
"""Pictures of the test part: a score of them is uncertain by 1.6 points at most."""


def pictures(name: str, rows: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first images of a set, [N, H, W] or [N, H, W, 3] bytes, and their classes."""
    if name == "cifar10":
        with np.load(folder / "cifar10-original-first1017.npz") as kept:
            return kept["x_train"][:rows], kept["y_train"][:rows].astype(np.int64)
    with gzip.open(folder / name / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(16 + 784 * rows), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / name / "train-labels-idx1-ubyte.gz") as file:
        return x, np.frombuffer(file.read(8 + rows), np.uint8, offset=8).astype(np.int64)


def by_dressage(parts: list[np.ndarray], seed: int, tuned: float, usual: float) -> float:
    """Accuracy on the test images of the default recipe, or of what so many seconds of tuning make of it."""
    x, xt, y, yt = parts
    recipe: Any = {"seed": seed, "data": {"task": "classification"}}
    data = {"x_train": x, "y_train": y, "x_test": xt, "y_test": yt}
    with TemporaryDirectory() as folder:
        if tuned:
            found = dressage.tune(data, recipe=recipe, budget=tuned, trains=False, jobs=1, out=Path(folder) / "tune")
            print(f"    {seed}: {found.why}", dict(found.edit or {}), flush=True)
            if not found.edit:
                return usual  # the same training, bit for bit
            recipe = found.recipe
        return float(dressage.train(data, recipe=recipe, out=Path(folder) / "run").metrics["accuracy"] or 0)


def scores_of(x: np.ndarray, y: np.ndarray, rows: int, seeds: range, tuned: float) -> Scores:
    """The accuracies of everyone over the splits."""
    scores: Scores = {}
    for seed in seeds:
        parts = train_test_split(x, y, train_size=rows, test_size=JUDGED, random_state=seed, stratify=y)
        began = time.process_time()
        scores.setdefault("dressage", []).append(by_dressage(parts, seed, 0.0, np.nan))
        scores.setdefault("seconds", []).append(time.process_time() - began)
        if tuned:
            scores.setdefault("tuned", []).append(by_dressage(parts, seed, tuned, scores["dressage"][-1]))
        rest, test = (part.reshape(len(part), -1) / np.float32(255) for part in parts[:2])
        for other, model in models(True, seed).items():
            scores.setdefault(other, []).append(float(model.fit(rest, parts[2]).score(test, parts[3])))
    return scores


def main() -> None:
    """Prints a row a set, and the ranks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tuned", type=float, default=0.0)
    parser.add_argument("--json", default="")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found: dict[str, Scores] = {}
    for name in args.sets:
        x, y = pictures(name, args.rows + JUDGED, Path(os.environ["DRESSAGE_TEST_DATA"]))
        found[name] = scores_of(x, y, args.rows, range(args.first, args.first + args.seeds), args.tuned)
        seconds = float(np.median(found[name].pop("seconds")))
        shown = "  ".join(f"{k} {np.mean(v):.3f} ± {np.std(v, ddof=1):.3f}" for k, v in found[name].items())
        print(f"{name:<14} rows {args.rows:>5}  {shown}  ({seconds:.1f} processor s a training)", flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(found, indent=1), encoding="utf-8")
    means = {name: {k: float(np.mean(v)) for k, v in scores.items()} for name, scores in found.items()}
    print("mean rank     ", "  ".join(f"{k} {v:.2f}" for k, v in sorted(ranks(means).items(), key=lambda r: r[1])))


if __name__ == "__main__":
    main()
