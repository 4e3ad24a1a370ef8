"""What keeping a run costs: checkpoints and curves as a share of the time, and what a kill would lose.

    python benchmarks/durability.py [SECONDS] [--every SECONDS]

Trains an MLP (784-512-10) and a small convnet for about SECONDS (20) each, with a checkpoint every SECONDS (2; the
default of a run is 60, at which the share is smaller still). `waited` is what the training itself stood still for,
`in all` has the thread that writes beside it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

import dressage
from dressage import record
from dressage.fit import StepEvent

NETWORKS = {
    "mlp 784-512-10": ((784,), {"name": "mlp", "width": 512, "depth": 1}),
    "convnet 16x16": ((16, 16, 3), {"name": "convnet", "width": 16, "depth": 1, "norm": "batch"}),
}


class Measured(record.Saver):
    """Saves as ever, and keeps the time that it took and the time between two savings."""

    waited = 0.0
    in_all = 0.0
    gaps: tuple[float, ...] = ()
    written = 0

    def save(self, state: object) -> None:
        """Measures one saving; the time in the thread is that of the one before."""
        before, last = time.perf_counter(), self.saved_at
        super().save(state)  # type: ignore[arg-type]
        if self.saved_at != last:
            kind = type(self)
            kind.waited += time.perf_counter() - before
            kind.in_all += self.writer.cost
            kind.gaps += (self.saved_at - last,)
            kind.written += 1


class Enough(Exception):
    """The time is over."""


def measure(shape: tuple[int, ...], model: dict[str, object], seconds: float, every: float) -> dict[str, float]:
    """Share of the time in percent, longest and median time between checkpoints in seconds, steps."""
    generator = torch.Generator().manual_seed(0)
    if len(shape) == 1:
        x = torch.randn(8192, *shape, generator=generator)
    else:
        x = torch.randint(0, 256, (8192, *shape), dtype=torch.uint8, generator=generator)
    y = torch.randint(0, 10, (len(x),), generator=generator)
    began, steps = 0.0, 0

    def look(event: object) -> None:
        nonlocal began, steps
        if isinstance(event, StepEvent):
            began, steps = began or time.perf_counter(), steps + 1
            if time.perf_counter() - began > seconds:
                raise Enough

    kind = type("Measured", (Measured,), {})
    record.Saver = kind  # type: ignore[misc]
    recipe = {"model": model, "train": {"epochs": 100_000, "checkpoint_seconds": every, "patience": 0}}
    with tempfile.TemporaryDirectory() as folder:
        try:
            dressage.train(x, y=y, recipe=recipe, out=Path(folder) / "run", on_event=look)
        except Enough:
            spent = time.perf_counter() - began
    gaps = kind.gaps[1:]
    return {
        "waited": 100 * kind.waited / spent,
        "in_all": 100 * kind.in_all / spent,
        "longest": max(gaps),
        "median": statistics.median(gaps),
        "written": kind.written,
        "steps": steps,
    }


def main() -> None:
    """Prints a line a network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=20.0)
    parser.add_argument("--every", type=float, default=2.0)
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {given.seconds:g} s each, a checkpoint every {given.every:g} s")
    for name, (shape, model) in NETWORKS.items():
        m = measure(shape, model, given.seconds, given.every)
        print(
            f"{name:<16}waited {m['waited']:.2f} %, in all {m['in_all']:.2f} % of the time; "
            f"{m['written']} checkpoints in {m['steps']} steps, between two {m['median']:.2f} s, at most {m['longest']:.2f} s"
        )


if __name__ == "__main__":
    main()
