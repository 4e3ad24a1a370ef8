"""An image folder with crop, flip and standardise: images a second against Pillow in a DataLoader, and the memory it takes.

    python benchmarks/images.py FOLDER          # a folder with train/<class>/*.jpg, such as CIFAR-10

The other side: a Dataset that opens each file with Pillow, pads, crops and flips it, turns it to a standardised tensor,
in a DataLoader with 2 workers. Interleaved rounds in one run; the first epoch includes the decoding into a cold cache.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

BATCH = 128
ROUNDS = 5


class Folder(Dataset[tuple[torch.Tensor, int]]):
    """What one would write by hand: a file a sample."""

    def __init__(self, root: Path) -> None:
        classes = sorted(p.name for p in root.iterdir())
        self.files = [(f, i) for i, c in enumerate(classes) for f in sorted((root / c).iterdir())]
        self.mean, self.sd = (
            torch.tensor([0.49, 0.48, 0.45]).view(3, 1, 1),
            torch.tensor([0.25, 0.24, 0.26]).view(3, 1, 1),
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, label = self.files[index]
        with Image.open(file) as opened:
            image = ImageOps.expand(opened.convert("RGB"), 4)
        left, top = random.randint(0, 8), random.randint(0, 8)
        image = image.crop((left, top, left + 32, top + 32))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float().div_(255)
        return (x - self.mean) / self.sd, label


def by_loader(folder: Path) -> tuple[float, int]:
    """Seconds and images of one epoch."""
    loader = DataLoader(Folder(folder / "train"), BATCH, shuffle=True, num_workers=2)
    start = time.perf_counter()
    count = sum(len(x) for x, _ in loader)
    return time.perf_counter() - start, count


class Ours:
    """dressage's way: the cache, one gather, crop and flip on bytes, one fused cast."""

    def __init__(self, folder: Path) -> None:
        from dressage.augment import catalogue
        from dressage.data.batches import Batches
        from dressage.data.open import open_data
        from dressage.data.preprocess import fit_preprocess
        from dressage.data.source import Part
        from dressage.recipe import Data

        start = time.perf_counter()
        source = open_data(folder, Data())
        rows = source.given["train"]
        self.preprocess = fit_preprocess(source, rows, ["standardize_per_channel"])
        assert isinstance(source.x, torch.Tensor)
        self.batches = Batches(Part("train", source.x, source.y, rows), BATCH, 0)
        self.moves = [catalogue.build(t, len(source.classes)) for t in ("random_crop(padding=4)", "horizontal_flip")]
        self.opening = time.perf_counter() - start

    def epoch(self, number: int) -> tuple[float, int]:
        """Seconds and images of one epoch."""
        from dressage.augment.draw import Draw

        start, count = time.perf_counter(), 0
        for step, batch in enumerate(self.batches.epoch(number)):
            draw = Draw(0, number, step, batch.rows)
            for move in self.moves:
                batch = move(batch, draw)
            count += len(self.preprocess.cast(batch.x))
        return time.perf_counter() - start, count


MEMORY = """
import resource, sys, torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import dressage
dressage.train(sys.argv[1], recipe={"train": {"epochs": 1}}, out=sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def memory(folder: Path) -> float:
    """MiB of the largest resident set of `dressage.train` above `import torch`, with a cold cache."""
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "DRESSAGE_CACHE": f"{place}/cache"}
        words = [sys.executable, "-c", MEMORY, str(folder), f"{place}/run"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-memory", action="store_true")
    args = parser.parse_args()
    os.environ["DRESSAGE_CACHE"] = tempfile.mkdtemp()
    first_theirs, count = by_loader(args.folder)
    ours = Ours(args.folder)
    first_ours = ours.opening + ours.epoch(0)[0]
    print(f"first epoch, {count:,} images: Pillow in a DataLoader {first_theirs:.1f} s, dressage {first_ours:.1f} s")
    theirs, own = [], []
    for number in range(1, ROUNDS + 1):
        theirs.append(count / by_loader(args.folder)[0])
        own.append(count / ours.epoch(number)[0])
    ratio = statistics.median(a / b for a, b in zip(own, theirs, strict=True))
    print(
        f"later epochs, images/s: {statistics.median(theirs):,.0f} and {statistics.median(own):,.0f}, "
        f"ratio {ratio:.1f} (n={ROUNDS})"
    )
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at most")
    if not args.no_memory:
        print(f"dressage.train on it: {memory(args.folder):,.0f} MiB at most above import torch")


if __name__ == "__main__":
    main()
