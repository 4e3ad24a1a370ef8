"""Runs the cases and prints what the watch named. Each run is a seeded program in one thread.

    ./dev bench faults [--half tune|report|fresh|blind|all] [--only WORD ...] [--jobs N] [--json FILE] [--no-bare] [--gaps] [--list]

`--only` takes a cause, a case or a part of one. `--gaps` trains each case and its twin without a watch over three seeds
and writes gaps.json: the proof that each fault does harm.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .case import CASES, HEALTHY, Case
from .measure import Run, measure
from .report import report

Job = tuple[str, bool, bool, int]
"""Case, fault, watched, seed."""


def main() -> None:
    """The command."""
    options = _options()
    os.environ["OMP_NUM_THREADS"] = "1"
    _load()
    cases = chosen(options.half, options.only)
    if not cases:
        sys.exit(f"error: {options.only}: no such case; expected a part of one; see --list")
    if options.list:
        print("\n".join(f"{case.id}  {case.half}" for case in cases))
    elif options.gaps:
        from .gaps import write_gaps

        write_gaps(cases, lambda jobs: run_all(jobs, options.jobs))
    else:
        runs = list(run_all(jobs_of(cases, not options.no_bare), options.jobs))
        print(report(cases, runs))
        if options.json:
            Path(options.json).write_text(json.dumps([run.to_json() for run in runs], indent=1), encoding="utf-8")


def chosen(half: str, only: Sequence[str]) -> list[Case]:
    """The cases of a half whose id contains one of the words."""
    found = [case for case in CASES.values() if half in ("all", case.half)]
    return [case for case in found if not only or any(word in case.id for word in only)]


def jobs_of(cases: Iterable[Case], bare: bool) -> Iterator[Job]:
    """A healthy program runs once, a faulty one with its fault and as its twin; `bare` adds a run without a watch."""
    for case in cases:
        for fault in (False,) if case.cause == HEALTHY else (True, False):
            if bare and not (case.cause != HEALTHY and fault):
                yield case.id, fault, False, 0
            yield case.id, fault, True, 0


def run_all(jobs: Iterable[Job], processes: int) -> Iterator[Run]:
    """Runs jobs in processes that have loaded everything before the first is timed; results in the order of the jobs."""
    jobs = list(jobs)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_load) as pool:
        for number, run in enumerate(pool.map(_one, jobs), 1):
            if sys.stderr.isatty():
                print(f"\r{number}/{len(jobs)} {run.case:60.60}", end="", file=sys.stderr)
            yield run
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _one(job: Job) -> Run:
    name, fault, watched, seed = job
    return measure(CASES[name], fault, watched, seed)


def _load() -> None:
    """Imports the files of cases, each of which fills the table, and what would otherwise be imported inside a timed run."""
    import sklearn.datasets  # noqa: F401

    from . import blind  # noqa: F401


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("tune", "report", "fresh", "blind", "all"), default="tune")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", default="")
    parser.add_argument("--no-bare", action="store_true", help="no runs without a watch: half the time, no overhead")
    parser.add_argument("--gaps", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()
