"""What being watched costs: watched and unwatched steps of one training in turn, as ratios of processor time a round.

    python benchmarks/watch.py [W1 W3 two_ms resnet] [--rounds 40] [--wall]

All trainings are the same to the last bit; a round takes as many steps of each. The median and the 95th percentile over
the rounds count all of the watch, the dense probes of the first steps included, but no examination: the data can be
learned, so that nothing calls for one. `own` is `dressage train`, by its events; `foreign` a loop written by hand.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

import dressage
from dressage.fit import StepEvent, fit
from dressage.prepare import Job, prepare
from dressage.stopping import Stop
from dressage.watching import JobWatch

Advance = Callable[[int], None]
NETS = {
    "W1": ((784,), 6_000, {"name": "mlp", "width": 256, "depth": 1}, 128, 100),
    "W3": ((64,), 1_797, {"name": "mlp", "width": 50, "depth": 1}, 32, 1_000),
    "two_ms": ((784,), 6_000, {"name": "mlp", "width": 384, "depth": 2}, 128, 60),
    "resnet": ((3, 32, 32), 600, {"name": "resnet", "width": 8, "depth": 1}, 32, 10),
}
"""Shape of a row, rows, model, batch, steps a round."""


def data(shape: tuple[int, ...], rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, *shape)).astype(np.float32)
    return x, (x.reshape(rows, -1)[:, :10] * 3).argmax(1)


def job_of(name: str) -> Job:
    shape, rows, model, batch, _ = NETS[name]
    x, y = data(shape, rows)
    train = {"epochs": 100_000, "batch_size": batch, "patience": 0, "refit": False, "threads": 1}
    recipe = {"model": model, "train": train, "data": {"preprocess": []}}
    return prepare(x, recipe, y=y)


def own(name: str, *, watched: bool) -> Advance:
    """Steps by `fit`, and the watch of `dressage train` as the consumer of its events."""
    job = job_of(name)
    watch = JobWatch(job)
    if watched:
        watch.begin(Stop(), None)
        watch.needs_no_deeper_look()
    events = fit(job.state, job.batches, job.plan, job.parts["validation"])

    def advance(steps: int) -> None:
        end = job.state.step + steps
        for event in events:
            if watched:
                watch(event)
            if isinstance(event, StepEvent) and event.step >= end:
                return

    return advance


def foreign(name: str, *, watched: bool) -> Advance:
    """A loop written by hand, with the two lines added."""
    job = job_of(name)
    part, model, batch = job.parts["train"], job.state.model, NETS[name][3]
    x, y = part.x[part.rows], part.y[part.rows]
    model = type(model)(*model.children()) if isinstance(model, nn.Sequential) else model
    torch.manual_seed(0)
    optimizer, loss_fn = torch.optim.AdamW(model.parameters()), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y)) if watched else None

    def rows() -> Iterator[torch.Tensor]:
        while True:
            order = torch.randperm(len(x))
            yield from (order[i : i + batch] for i in range(0, len(x) - batch + 1, batch))

    source = rows()

    def advance(steps: int) -> None:
        for _ in range(steps):
            index = next(source)
            optimizer.zero_grad()
            loss = loss_fn(model(x[index]), y[index])
            loss.backward()
            optimizer.step()
            if watch is not None:
                watch.step(loss)

    return advance


def measure(make: Callable[..., Advance], name: str, rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Ratios to the first of two unwatched trainings: the second one's say what the machine's own unrest is."""
    ways = [make(name, watched=watched) for watched in (False, False, True)]
    steps, spent = NETS[name][4], [[0.0] * rounds for _ in ways]
    for i in range(rounds):
        for way in (i % 3, (i + 1) % 3, (i + 2) % 3):
            began = clock()
            ways[way](steps)
            spent[way][i] = clock() - began
    plain, again, watched = spent
    return {
        "plain_step_ms": 1e3 * statistics.median(plain) / steps,
        **spread("", plain, watched),
        **spread("unwatched_", plain, again),
        "whole": sum(watched) / sum(plain),
    }


def spread(name: str, base: list[float], other: list[float]) -> dict[str, float]:
    """Median and 95th percentile of the ratios of the rounds."""
    ratios = sorted(b / a for a, b in zip(base, other, strict=True))
    return {
        f"{name}median": statistics.median(ratios),
        f"{name}p95": ratios[round(0.95 * (len(ratios) - 1))],
    }


def main() -> None:
    words = sys.argv[1:]
    rounds = int(words[words.index("--rounds") + 1]) if "--rounds" in words else 40
    names = [w for w in words if w in NETS] or list(NETS)
    torch.set_num_threads(1)
    clock = time.perf_counter if "--wall" in words else time.process_time
    for name in names:
        for make in (own, foreign):
            print(json.dumps({"net": name, "loop": make.__name__, **measure(make, name, rounds, clock)}), flush=True)


if __name__ == "__main__":
    main()
