"""A search that is killed, stopped, or finds the disk full, goes on to the same end: nothing lost, no trial run twice."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kills import Parent, parent
from same import bits

FAST = ("--model.width", 16, "--model.depth", 1, "--train.batch_size", 32, "--train.checkpoint_seconds", 0.05)
SPACE = ("--space", "optim.lr=log:1e-4:3", "regularize.weight_decay=log:1e-4:1")
WORDS = ("search", "digits", *SPACE, *FAST, "--stages", "4x2@300,3x4", "--finalists", 1, "--repeats", 2, "--plain")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def fork(place: Path) -> Iterator[Parent]:
    with parent(place) as found:
        yield found


@pytest.fixture(scope="module")
def expected(fork: Parent, place: Path) -> dict[str, Any]:
    """What an uninterrupted search in one process finds."""
    ended = fork(*WORDS, "--jobs", 1, "--out", "whole")
    assert ended.code == 0, ended.said
    return everything(place / "whole")


def everything(folder: Path) -> dict[str, Any]:
    """Of each trial its result and the bits of its run, and the winner's recipe; clocks and the folder's name left out."""
    found: dict[str, Any] = {"best": (folder / "best.toml").read_text().replace(folder.name, "NAME")}
    for trial in sorted((folder / "trials").iterdir()):
        result = json.loads((trial / "result.json").read_text())
        found[trial.name] = ({k: v for k, v in result.items() if k != "seconds"}, bits(trial))
    return found


def ended_trials(folder: Path) -> dict[Path, int]:
    """Results that are final, and when they were written."""
    files = [f for f in folder.glob("trials/*/result.json") if json.loads(f.read_text())["state"] != "paused"]
    return {f: f.stat().st_mtime_ns for f in files}


def go_on(fork: Parent, place: Path, out: str, jobs: int, **when: Any) -> int:
    """Goes on with a search where there is one, else begins it; its exit code. What had ended is not touched."""
    before = ended_trials(place / out)
    words = (
        ("resume", out, "--plain") if (place / out / "search.json").exists() else (*WORDS, "--jobs", jobs, "--out", out)
    )
    ended = fork(*words, **when)
    assert ended.code in (0, -9, 5, 130), ended.said
    assert {f: f.stat().st_mtime_ns for f in before if f.exists()} == before, "a trial that had ended was run again"
    return ended.code


def removed(folder: Path) -> None:
    """A process of a search that was killed may still be writing its last file for a moment."""
    for wait in (0.1, 1, 5, 0):
        with suppress(OSError):
            shutil.rmtree(folder)
        if not folder.exists():
            return
        time.sleep(wait)
    shutil.rmtree(folder)


def killed_at_random(fork: Parent, place: Path, expected: dict[str, Any], kills: int, seed: int, jobs: int) -> None:
    draw, hits, runs = random.Random(seed), 0, 0
    while hits < kills:
        runs += 1
        out = f"killed-{seed}-{runs}"
        for number in sorted(draw.sample(range(9), draw.choice((1, 2, 3)))):
            when = {"once": f"{out}/trials/{number:04d}", "after": draw.uniform(0, 0.5), "signal": signal.SIGKILL}
            hits += go_on(fork, place, out, jobs, **when) == -9
        while go_on(fork, place, out, jobs) != 0:
            pass
        assert everything(place / out) == expected
        removed(place / out)
    print(f"{hits} kills in {runs} searches, all the same to the bit")


def test_killed_at_random_moments_it_goes_on_to_the_same_end(
    fork: Parent, place: Path, expected: dict[str, Any]
) -> None:
    killed_at_random(fork, place, expected, kills=1, seed=1, jobs=1)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "jobs"), [(2, 1), (3, 1), (4, 2), (5, 2)])
def test_a_hundred_kills(seed: int, jobs: int, fork: Parent, place: Path, expected: dict[str, Any]) -> None:
    killed_at_random(fork, place, expected, kills=25, seed=seed, jobs=jobs)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_saves_and_says_how_to_go_on(number: int, fork: Parent, place: Path, expected: dict[str, Any]) -> None:
    out = f"asked-{number}"
    ended = fork(*WORDS, "--jobs", 1, "--out", out, once=f"{out}/trials/0003", after=0.1, signal=number)
    assert ended.code == 5 and ended.since_signal < 5, ended
    errors = [line for line in ended.said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and f"dressage resume {out}" in errors[0]
    assert json.loads((place / out / "state.json").read_text())["status"] == "interrupted"
    assert go_on(fork, place, out, 1) == 0 and everything(place / out) == expected


def started(place: Path, out: str, jobs: int, **more: Any) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "dressage", *map(str, WORDS), "--jobs", str(jobs), "--out", out]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=place, env=env, stdout=pipe, stderr=pipe, text=True, **more)


def children(process: int) -> list[int]:
    with suppress(OSError):
        return [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced(place: Path, expected: dict[str, Any]) -> None:
    with started(place, "replaced", 2) as process:
        killed, until = 0, time.monotonic() + 100
        while process.poll() is None and time.monotonic() < until:
            workers = children(process.pid)
            if killed < 2 and workers and len(ended_trials(place / "replaced")) > 2 * killed:
                os.kill(workers[killed % len(workers)], signal.SIGKILL)
                killed += 1
            time.sleep(0.02)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and killed == 2, said
    assert everything(place / "replaced") == expected


@pytest.mark.slow
def test_with_the_search_its_workers_end(place: Path, fork: Parent, expected: dict[str, Any]) -> None:
    with started(place, "orphans", 2) as process:
        until = time.monotonic() + 60
        while not ended_trials(place / "orphans") and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        workers = children(process.pid)
        process.kill()
        process.communicate()
    assert len(workers) == 2
    assert go_on(fork, place, "orphans", 2) == 0  # at once: it waits for those that have not noticed yet
    until = time.monotonic() + 30  # one that was still importing holds nothing, and notices when it is done with that
    while (left := [w for w in workers if Path(f"/proc/{w}").exists()]) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left
    assert everything(place / "orphans") == expected


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_with_two_workers(number: int, place: Path, fork: Parent, expected: dict[str, Any]) -> None:
    out = f"two-{number}"
    with started(place, out, 2) as process:
        until = time.monotonic() + 60
        while len(ended_trials(place / out)) < 2 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        asked = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 5 and time.monotonic() - asked < 30, said  # most of it is Python ending
        assert "Traceback" not in said and f"dressage resume {out}" in said
    assert go_on(fork, place, out, 2) == 0 and everything(place / out) == expected


@pytest.mark.slow
def test_a_second_search_on_its_folder_is_refused_and_harms_nothing(place: Path, expected: dict[str, Any]) -> None:
    with started(place, "shared", 1) as one:
        until = time.monotonic() + 60
        while not (place / "shared" / "trials" / "0000").exists() and time.monotonic() < until and one.poll() is None:
            time.sleep(0.02)
        with started(place, "shared", 1) as two:
            _, said = two.communicate(timeout=60)
        _, other = one.communicate(timeout=60)
    assert one.returncode == 0, other
    refused = two.returncode == 2 and f"process {one.pid} is writing this search" in said
    assert refused or two.returncode == 0, said  # it may have come when the first had ended
    assert everything(place / "shared") == expected


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_is_told_and_nothing_is_lost(
    jobs: int, place: Path, fork: Parent, expected: dict[str, Any]
) -> None:
    """A process that may write few bytes a file gets the same answer from the system as on a full disk."""
    out, limit = f"full-{jobs}", 30_000

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with started(place, out, jobs, preexec_fn=small) as process:
        _, said = process.communicate(timeout=60)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert process.returncode == 2 and len(errors) == 1 and "Traceback" not in said, said
    assert "room" in errors[0] or "cannot be written" in errors[0]  # by SQLite or by us, whoever met it
    assert go_on(fork, place, out, jobs) == 0 and everything(place / out) == expected
