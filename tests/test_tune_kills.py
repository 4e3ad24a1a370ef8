"""A tuning that is killed goes on: no step is taken, and no trial run, twice; the training in the end as if it had never been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dressage
from command import call
from dressage.search.tune.procedure import load_tuned
from same import bits


def test_killed_and_gone_on_with_no_trial_is_run_twice(tmp_path):
    words = ["tune", "digits", "--budget", "15s", "--out", "t", "--no-train", "--jobs", "1", "--train.epochs", "4"]
    command = [sys.executable, "-m", "dressage", *words]
    begun = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 100
    while (
        len(list(tmp_path.glob("t/coarse/trials/*/result.json"))) < 3
        and begun.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.02)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    done = {
        p: p.stat().st_mtime_ns
        for p in tmp_path.glob("t/*/trials/*/result.json")
        if json.loads(p.read_text())["state"] == "done"
    }
    steps = {p: p.read_bytes() for p in tmp_path.glob("t/0*.json")}
    assert done and len(steps) == 3
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        answer = call("resume", "t", "--json")
    finally:
        os.chdir(here)
    assert answer.code == 0, answer.err
    assert answer.json["edit"] is not None and [s["number"] for s in answer.json["steps"]][:4] == [1, 2, 3, 4]
    assert all(p.stat().st_mtime_ns == t for p, t in done.items()), "a trial was run twice"
    assert all(p.read_bytes() == content for p, content in steps.items()), "a step was taken twice"
    shown = call("show", tmp_path / "t")
    assert shown.code == 0 and "4. coarse" in shown.out and "best.toml" in shown.out


IN_SIZES_OF_ITS_OWN = """
import sys
import dressage
from dressage.search.tune import rounds, sizes
from dressage.search.tune.sizes import Size

if __name__ == "__main__":  # workers read this too
    sizes.coarse = lambda pace, left: Size(4, 1, 0, 1e4)
    sizes.fine = lambda pace, left, before: Size(4, 3, 0, 1e4)
    sizes.final = lambda pace, left: (2, 6, 1)
    rounds.ROUNDS = 1
    recipe = {"train": {"epochs": 40, "threads": 1, "checkpoint_seconds": 0.2}, "watch": {"diagnose": False}}
    dressage.tune("digits", recipe=recipe, budget=1e4, jobs=int(sys.argv[1]), out="t")
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_the_training_in_the_end_too_nothing_is_lost(tmp_path, jobs):
    command = [sys.executable, "-c", IN_SIZES_OF_ITS_OWN, str(jobs)]
    rng, kept = np.random.default_rng(jobs), dict[Path, bytes]()
    trials, end = "t/*/trials/*/result.json", "t/run/checkpoints/[0-9]*"

    def come(sign: str) -> int:
        """So many trials are done, or the training in the end has come to that step."""
        found = list(tmp_path.glob(sign))
        return len(found) if sign == trials else max((int(p.name) for p in found), default=0)

    for sitting, sign in enumerate([trials] * 4 + [end] * 3 + [""]):
        before, begun = come(sign) if sign else 0, subprocess.Popen(command, cwd=tmp_path)
        until = time.monotonic() + 200
        while begun.poll() is None and time.monotonic() < until:
            if sign and come(sign) > before:
                time.sleep(rng.uniform(0, 0.3))
                break
            time.sleep(0.02)
        assert (begun.poll() is None) == bool(sign), f"sitting {sitting} came to its end"
        if begun.poll() is not None:
            break
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
        time.sleep(1)  # until workers have seen that nobody is left
        assert all(p.read_bytes() == content for p, content in kept.items()), f"done twice in sitting {sitting}"
        done = [*tmp_path.glob("t/0*.json"), *tmp_path.glob(trials)]
        kept |= {p: c for p in done if b'"paused"' not in (c := p.read_bytes())}
    assert begun.returncode == 0
    found = load_tuned(tmp_path / "t")
    assert found.run is not None and found.run.status == "finished"
    dressage.train("digits", recipe=found.recipe, out=tmp_path / "alone")
    assert bits(tmp_path / "alone") == bits(tmp_path / "t" / "run"), "as if it had never been killed"
