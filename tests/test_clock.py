"""Clocks that stand still while others have the cores."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from dressage.clock import own_seconds, work_seconds


def busy(core: int, seconds: float) -> None:
    os.sched_setaffinity(0, {core})
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the kernel does not tell")
def test_time_without_a_core_is_not_the_threads_own() -> None:
    cores = os.sched_getaffinity(0)
    core = min(cores)
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=busy, args=(core, 3.0)) for _ in range(3)]
    for other in others:
        other.start()
    try:
        os.sched_setaffinity(0, {core})
        before = (time.perf_counter(), own_seconds(), work_seconds())
        while time.perf_counter() - before[0] < 1.0:
            pass
        wall, own, work = (
            a - b for a, b in zip((time.perf_counter(), own_seconds(), work_seconds()), before, strict=True)
        )
    finally:
        os.sched_setaffinity(0, cores)
        for other in others:
            other.kill()
            other.join()
    assert own < 0.7 * wall and work <= own + 0.05


def test_time_asleep_is_the_threads_own() -> None:
    before = own_seconds()
    time.sleep(0.2)
    assert own_seconds() - before > 0.19
