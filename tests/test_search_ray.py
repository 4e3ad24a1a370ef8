"""Trials on a Ray cluster come to what they come to here, and those of a node that is lost are gone on with elsewhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dressage
from command import call, process
from dressage.errors import UsageError
from test_search_kills import everything

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
SPACE = ("--space", "optim.lr=log:1e-4:1", "regularize.weight_decay=log:1e-4:1")
FAST = ("--model.width", 16, "--model.depth", 1, "--train.batch_size", 16, "--train.checkpoint_seconds", 0.1)
WORDS = ("search", "digits", *SPACE, *FAST, "--stages", "4x4@300,4x24", "--finalists", 2, "--repeats", 1, "--plain")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("rai", "expected ray, or ray://HOST:PORT"),
        ("ray://nowhere", "expected ray, or ray://HOST:PORT"),
        ("ray://127.0.0.1:99999", "expected ray, or ray://HOST:PORT"),
        ("ray://127.0.0.1:1", "no cluster there"),
        ("ray://no.such.host.invalid:10001", "no cluster there"),
    ],
)
def test_a_dead_address_is_told_at_once_and_nothing_is_written(address: str, said: str, tmp_path: Path) -> None:
    began = time.monotonic()
    answer = call("search", "iris", "--on", address, "--out", tmp_path / "s")
    assert answer.code == 2 and len(answer.errors) == 1 and said in answer.err
    assert time.monotonic() - began < 10 and not (tmp_path / "s").exists()


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    answer = call("search", "iris", "--on", "ray", "--out", tmp_path / "s")
    assert answer.code == 2 and not (tmp_path / "s").exists()
    assert "--on ray: ray is not installed" in answer.err and "pip install 'dressage[ray]'" in answer.err


def test_data_from_python_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="every node can open by itself"):
        dressage.search(np.zeros((40, 2), np.float32), y=np.arange(40) % 2, on="ray://127.0.0.1:10001")
    assert not list(tmp_path.iterdir())


@needs_ray
@pytest.mark.slow
def test_somebody_else_who_listens_is_no_cluster(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        began = time.monotonic()
        address = f"ray://127.0.0.1:{listener.getsockname()[1]}"
        answer = process("search", "iris", "--on", address, "--out", tmp_path / "s")
    assert answer.code == 2 and "no Ray answered in 5 seconds" in answer.err and time.monotonic() - began < 60, (
        answer.err
    )


@pytest.fixture
def cluster() -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Two nodes with a processor each; a line kills one."""
    script = Path(__file__).parent / "ray_cluster.py"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, text=True, env=env) as process:
        assert process.stdin is not None and process.stdout is not None
        told = next((line for line in process.stdout if line.startswith("{")), "{}")
        yield process, json.loads(told)
        process.stdin.close()


def results(folder: Path) -> list[Path]:
    return list(folder.glob("trials/*/result.json"))


def begun(folder: Path) -> int:
    """Trials that are being carried out."""
    return sum(not (trial / "result.json").exists() for trial in folder.glob("trials/*"))


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("way", ["address", "client"])
def test_a_lost_node_loses_nothing(way: str, cluster: Any, tmp_path: Path) -> None:
    nodes, at = cluster
    assert process(*WORDS, "--jobs", 1, "--out", "whole", cwd=tmp_path, seconds=300).code == 0
    on = "ray" if way == "address" else at["client"]
    env = {**os.environ, "RAY_ADDRESS": at["address"] if way == "address" else "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dressage", *map(str, WORDS), "--on", on, "--out", "far"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True) as search:
        until = time.monotonic() + 200
        while not (len(results(tmp_path / "far")) >= 5 and begun(tmp_path / "far") == 2):
            assert search.poll() is None and time.monotonic() < until, search.communicate()
            time.sleep(0.02)
        nodes.stdin.write("kill\n")
        nodes.stdin.flush()
        assert nodes.stdout.readline() == "killed\n"
        _, said = search.communicate(timeout=300)
    assert search.returncode == 0 and "Traceback" not in said, said
    assert everything(tmp_path / "far") == everything(tmp_path / "whole")
