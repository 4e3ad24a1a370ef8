"""Trials as tasks of a Ray cluster: `--on ray` for that of this machine, `--on ray://HOST:PORT` for another.

A task is a group of trials with the threads that they take. The cluster may lose nodes: Ray runs their tasks again elsewhere,
and the trials go on from their checkpoints. Ray pickles what passes between processes, so only texts of JSON do; everything else
lies in the folder of the search, which every node has to see under the same path, as it has to see the data.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dressage.errors import DressageError, RunError, UsageError, printable
from dressage.integrations.needed import needed
from dressage.search.conduct import Carry
from dressage.search.folder import ORPHANS, SearchFolder
from dressage.search.groups import Group
from dressage.search.together import carry_out
from dressage.search.trial import Result
from dressage.search.work import Bench, Task, fail
from dressage.search.worker import open_bench, tasks_of
from dressage.search.workers import DEATHS, TICK, interrupted, raised, to_json
from dressage.stopping import Stop
from dressage.store.folder import RunFolder

LONGEST = 5.0
"""Seconds in which a cluster has to answer."""
SEEN = 10.0
"""Seconds until a file that a node has written is seen here, on a network's file system."""
_OPEN: dict[str, Bench] = {}
"""In a process of the cluster: the data of the search that it works for, opened once."""


@contextmanager
def on_ray(bench: Bench, stop: Stop, address: str, model: str | None) -> Iterator[tuple[Carry, int]]:
    """Who carries out trials on a cluster, and how many at once. Raises UsageError: no such cluster; MissingPackage."""
    check_address(address)
    ray = needed("ray", extra="ray", where=f"--on {address}")
    joined = not ray.is_initialized()
    if joined:
        _join(ray, address, bench)
    try:
        yield lambda groups, may_begin: _carry(ray, bench, stop, model, groups, may_begin), _room(ray, *_share(bench))
    finally:
        if joined:
            with suppress(Exception):  # of a cluster that has gone
                ray.shutdown()


def check_address(address: str) -> None:
    """Raises UsageError for what is no address, and for one where nobody answers; MissingPackage."""
    if address != "ray":
        _require_listener(address)
    needed("ray", extra="ray", where=f"--on {address}")


def _require_listener(address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not address.startswith("ray://") or not host or not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError.of(
            "--on", f"{address[:80]!r} given", "expected ray, or ray://HOST:PORT", "e.g. ray://10.0.0.5:10001"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), LONGEST).close()
    except OSError as error:
        raise _dead(address, error.strerror or str(error)) from None


def carry_there(told: str) -> str:
    """Carries out trials in a process of the cluster: a text of JSON, and what came of it as another."""
    message = json.loads(told)
    try:
        place = SearchFolder.open(Path(message["folder"]))
        with place.working():
            if message["folder"] not in _OPEN:
                _OPEN.clear()
                _OPEN[message["folder"]] = open_bench(place, message["data"], message["model"])
            tasks = tasks_of(message)
            _wait_for(place, tasks)
            carry_out(_OPEN[message["folder"]], tasks, Stop())
    except DressageError as error:
        node = socket.gethostname()
        return json.dumps({"error": f"on node {node}: {error}", "kind": type(error).__name__})
    return json.dumps({"done": True})


def _wait_for(place: SearchFolder, tasks: Sequence[Task]) -> None:
    """Until a process that has lost its cluster has let go of the trials."""
    until = time.monotonic() + ORPHANS
    for task in tasks:
        while RunFolder(place.trial(task.trial.number)).is_held() and time.monotonic() < until:
            time.sleep(TICK)


def _join(ray: Any, address: str, bench: Bench) -> None:
    """Connects to a cluster; `ray`: that of this machine, or one that is started for the search."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
    try:
        if address == "ray":
            ray.init(**quiet, include_dashboard=False)
            return
        _require_answer(address)
        ray.init(address, **quiet)
    except DressageError:
        raise
    except Exception as error:  # whatever its libraries raise
        raise _dead(address, str(error).partition("\n")[0][:300]) from None


def _require_answer(address: str) -> None:
    """Raises UsageError unless a server of Ray's protocol answers: Ray itself would try for a minute."""
    grpc = needed("grpc", extra="ray", where=f"--on {address}")
    channel = grpc.insecure_channel(address.removeprefix("ray://"))
    try:
        grpc.channel_ready_future(channel).result(timeout=LONGEST)
    except grpc.FutureTimeoutError:
        raise _dead(address, f"somebody listens, but no Ray answered in {LONGEST:g} seconds") from None
    finally:
        channel.close()


def _carry(
    ray: Any, bench: Bench, stop: Stop, model: str | None, groups: Sequence[Group], may_begin: Callable[[], bool]
) -> Iterator[Result]:
    """Results as they come; as many groups at once as the cluster has room for."""
    threads, gpus = _share(bench)
    remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=DEATHS)(carry_there)
    fixed = {"folder": str(bench.place.path.resolve()), "data": bench.asked.data, "model": model}
    waiting, running = deque(groups), dict[Any, Group]()
    try:
        while waiting or running:
            while waiting and len(running) < _room(ray, threads, gpus):
                if not may_begin():
                    waiting.clear()
                    break
                group = waiting.popleft()
                running[remote.remote(json.dumps({**fixed, "tasks": [to_json(task) for task in group]}))] = group
            for done in ray.wait(list(running), num_returns=1, timeout=TICK)[0] if running else ():
                yield from _came(ray, bench, done, running.pop(done))
            if stop.asked:
                raise interrupted(bench.place)
    except ConnectionError as error:
        repair = f"go on with `dressage resume {bench.place.path}`"
        raise RunError.of(
            bench.place.path, f"the cluster was lost ({error})", "what was trained is saved", repair
        ) from None
    finally:
        for ref in running:
            with suppress(Exception):
                ray.cancel(ref, force=True)


def _came(ray: Any, bench: Bench, ref: Any, group: Group) -> Iterator[Result]:
    """What came of a group."""
    try:
        said = json.loads(ray.get(ref))
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:  # its process or node died again and again
        for task in group:
            yield fail(
                bench, task.trial, f"{DEATHS + 1} times its process on the cluster died ({type(error).__name__})"
            )
        return
    if "error" in said:
        raise raised(said)
    for task in group:
        yield _seen(bench, task)


def _seen(bench: Bench, task: Task) -> Result:
    """The result that a node has written, as soon as it is seen here. Raises RunError."""
    until = time.monotonic() + SEEN
    while (result := bench.place.result(task.trial)) is None or (
        result.state == "paused" and result.epoch < task.epoch
    ):
        if time.monotonic() > until:
            found = f"the result of trial {task.trial.number} is not here, though a node has written it"
            repair = "put the folder where every node sees it: --out on a shared file system"
            raise RunError.of(bench.place.path, found, "expected a folder that all nodes share", repair)
        time.sleep(TICK)
    return result


def _share(bench: Bench) -> tuple[int, int]:
    """Processors and graphics cards of a group."""
    return int(bench.asked.form["train.threads"]), int(bench.asked.form["train.device"] != "cpu")


def _room(ray: Any, threads: int, gpus: int) -> int:
    """Groups that the cluster carries out at once; 1 at least: nodes may come."""
    there = ray.cluster_resources()
    return max(1, int(there.get("GPU" if gpus else "CPU", 0) // (gpus or threads)))


def _dead(address: str, why: str) -> DressageError:
    expected, repair = "expected a Ray cluster that answers", "start one with `ray start --head`, or check the address"
    return UsageError.of(f"--on {address}", f"no cluster there ({printable(why)})", expected, repair)
