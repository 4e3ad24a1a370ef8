"""What every program shares: data, the switch between broken and repaired, watched or not, and the record at the end."""

import gzip
import json
import os
import time

import numpy as np
import torch

torch.set_num_threads(1)
FIX = os.environ.get("FIX") == "1"
WATCH = os.environ.get("WATCH") == "1"
SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)
DATA = os.environ["DRESSAGE_TEST_DATA"]


def idx(name, part, n):
    path = f"{DATA}/{name}/{part}"
    with gzip.open(path + "-images-idx3-ubyte.gz") as f:
        x = np.frombuffer(f.read(16 + 784 * n), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(path + "-labels-idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read(8 + n), np.uint8, offset=8)
    return x[:n].copy(), y[:n].astype(np.int64)


def cifar(n=4000, m=1000):
    z = np.load(f"{DATA}/cifar10-original-first1017.npz")
    return z["x_train"][:n], z["y_train"][:n].astype(np.int64), z["x_test"][:m], z["y_test"][:m].astype(np.int64)


def sentences(n=3000):
    """Lines of documentation of three packages: the text and which package it is from."""
    import importlib
    import pathlib
    import random

    rows = []
    for k, package in enumerate(["numpy", "torch", "sklearn"]):
        root = pathlib.Path(importlib.import_module(package).__file__).parent
        lines = []
        for path in sorted(root.rglob("*.py"))[:400]:
            if "test" in str(path):
                continue
            for line in path.read_text(errors="ignore").splitlines():
                line = line.strip()
                if 25 < len(line) < 90 and line.count(" ") > 4 and line[0].isalpha() and line.endswith("."):
                    lines.append(line.lower())
        lines = sorted(set(lines))
        random.Random(0).shuffle(lines)
        rows += [(line, k) for line in lines[: n // 3]]
    random.Random(1).shuffle(rows)
    return rows


class Null:
    findings, notes = [], []

    def step(self, *a, **k):
        pass

    def validated(self, *a, **k):
        pass

    def validating(self, *a, **k):
        pass

    def batches(self, loader):
        return loader

    def __enter__(self):
        return self

    def __exit__(self, *a):
        return False


class dressage:
    @staticmethod
    def watch(*a, **k):
        if not WATCH:
            return Null()
        import dressage as real

        return real.watch(*a, **k)


START = time.process_time()


def done(watch, score):
    """Tells the score (higher is better) and what the watch said, as the last line."""
    cpu = time.process_time() - START
    row = {"score": round(float(score), 4), "seconds": round(cpu, 1), "said": str(watch) if WATCH else ""}
    row["findings"] = [(f.id, f.severity) for f in watch.findings]
    print(json.dumps(row))
