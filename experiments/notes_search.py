"""The notes' search (C784, slides on hyper-parameters): a 3072-50-10 network on CIFAR-10, coarse and then fine.

    python experiments/notes_search.py FOLDER                   # 100 coarse trials of 5 epochs on 10,000 rows, then finer ones
    python experiments/notes_search.py FOLDER --against ARM ... # time to reach a validation accuracy, beside other searches

FOLDER: CIFAR-10 as an image folder or npz. The coarse ranges are those of the notes, rate 1e-6 to 1e-3 and regularisation 1e-5 to
1e5, so that the best rate lies at their edge, as it did there; momentum 0.9, batches of 100, first weights by He.

Arms of `--against`: dressage; random (Optuna's random sampler); tpe-median and tpe-hyperband (Optuna's TPE with its pruners); ray,
ray-median and ray-random (Ray Tune, random points with its ASHA scheduler, with its median rule, and with neither). All search the
same ranges for the same network, rows, split and epochs; the others' trials are trained by dressage's own loop one by one;
dressage's arm is what it does where only the space is asked for. All have one fresh process of one thread a repeat (Ray: one worker
and its daemons beside it; `taskset -c 0` gives all one core). What is told is processor time, from the call of the search, with the
data in the cache, until the epoch that reached the accuracy has ended; Ray's is counted by a control group (`spent.py`), from when
its daemons and its worker have started.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from searches import ARMS, RECIPE, WORKERS

import dressage
from dressage.search.events import StageEvent, ToldEvent
from dressage.search.judge import told as judged

NOTES = ["optim.lr=log:1e-6:1e-3", "regularize.weight_decay=log:1e-5:1e5"]
STAGES, QUICK = "100x5@10000,40x10@10000,20x20", "3x1,2x1"


def notes(data: str, out: Path, jobs: int, stages: str = STAGES) -> dict[str, Any]:
    """The search of the notes, with what it said on its way."""
    began, ends = time.perf_counter(), list[tuple[str, float]]()

    def tell(event: object) -> None:
        if isinstance(event, StageEvent | ToldEvent):
            ends.append((type(event).__name__, time.perf_counter() - began))
        if isinstance(event, StageEvent):
            print(f"{ends[-1][1]:7.1f} s  stage {event.number}: {event.stage or 'repeats'}", *event.space, flush=True)
        if isinstance(event, ToldEvent):
            print(*(f"{ends[-1][1]:7.1f} s    {line}" for line in event.lines), sep="\n", flush=True)

    found = dressage.search(
        data,
        recipe=RECIPE,
        space=NOTES,
        stages=stages,
        halving="none",
        finalists=3,
        repeats=3,
        jobs=jobs,
        out=out,
        on_event=tell,
    )
    begun = [seconds for name, seconds in ends if name == "StageEvent"]
    best = max(r.score for r in found.results if r.counts)
    if found.verdict is not None:
        print(*judged(found.verdict), sep="\n")
    print(
        f"coarse: {begun[1] - begun[0]:.0f} s; all: {time.perf_counter() - began:.0f} s; best score of a trial: {best:.4f}"
    )
    return {"coarse_seconds": begun[1] - begun[0], "best": best, "told": found.told}


def by_arm(arm: str, data: str, target: float, limit: float, seed: int) -> tuple[float, float]:
    """Seconds and the best accuracy of one arm."""
    return ARMS[arm](data, target, limit, seed)


def against(data: str, arms: list[str], target: float, limit: float, repeats: range, file: Path | None) -> None:
    """A row a repeat of each arm, the arms one after the other within a repeat; then the medians."""
    rows: dict[str, list[tuple[float, float]]] = {arm: [] for arm in arms}
    for repeat in repeats:
        for arm in arms:
            with multiprocessing.get_context("spawn").Pool(1) as fresh:
                rows[arm].append(fresh.apply(by_arm, (arm, data, target, limit, repeat)))
            seconds, best = rows[arm][-1]
            print(f"repeat {repeat}  {arm:<14}{seconds:8.1f} processor s to {target}, best seen {best:.4f}", flush=True)
            if file is not None:
                file.write_text(json.dumps({"target": target, "limit": limit, "rows": rows}))
    for arm, found in rows.items():
        print(f"{arm:<14} median {statistics.median(s for s, _ in found):8.1f} s of {len(found)}")


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, default=Path("searches/notes"))
    parser.add_argument("--jobs", type=int, default=WORKERS)
    parser.add_argument("--against", nargs="*", choices=[*ARMS])
    parser.add_argument("--target", type=float, default=0.44)
    parser.add_argument("--limit", type=float, default=180.0, help="processor seconds after which an arm is broken off")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of the first repeat")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="only whether it runs: few trials of an epoch")
    given = parser.parse_args()
    if given.against is None:
        found = notes(given.data, given.out, given.jobs, QUICK if given.quick else STAGES)
        if given.json:
            given.json.write_text(json.dumps(found))
        return
    repeats = range(given.first, given.first + given.repeats)
    against(given.data, given.against or [*ARMS], given.target, given.limit, repeats, given.json)


if __name__ == "__main__":
    sys.exit(main())
