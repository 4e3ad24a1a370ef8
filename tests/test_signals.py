"""What a process that is stopped leaves: SIGKILL, Ctrl-C and SIGTERM at any time, then the same run to the last bit."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dressage.store.folder import RunFolder
from dressage.store.reader import read_history
from dressage.store.tensors import read_tensors
from kills import PATIENCE, Ended, Parent, has_ended, parent, starved
from same import bits

ALL = ("--train.checkpoint_seconds", 0.1, "--average", "ema(decay=0.95)", "--regularize.dropout", 0.2, "--plain")
DIGITS = ("digits", *ALL, "--train.batch_size", 32, "--train.patience", 30, "--loss.label_smoothing", 0.1)
PICTURES = (
    *("pictures.npz", *ALL, "--augment", "horizontal_flip,random_crop(padding=1),mixup(alpha=0.3)"),
    *("--model.name", "convnet", "--model.width", 4, "--model.depth", 1, "--model.norm", "batch"),
    *("--train.batch_size", 16, "--train.precision", "float32", "--train.memory_format", "contiguous"),
)
SIZES = {"digits": (DIGITS, 30), "pictures": (PICTURES, 30)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (160, 10, 10, 3), dtype=np.uint8)
    np.savez(folder / "pictures.npz", x=x, y=(x.mean((1, 2, 3)) > 127).astype(np.int64))
    return folder


@pytest.fixture(scope="module")
def fork(place: Path) -> object:
    with parent(place) as found:
        yield found


def train(fork: Parent, kind: str, out: str, epochs: int | None = None, **when: object) -> Ended:
    words, usual = SIZES[kind]
    return fork("train", *words, "--train.epochs", epochs or usual, "--out", out, **when)


def killed_and_resumed(fork: Parent, place: Path, kind: str, out: str, when: list[float], epochs: int | None) -> int:
    """Kills a run at those times, each time going on with what is left, then lets it end; the kills that hit."""
    hits = 0
    for after in [*when, None]:
        if (place / out).exists():
            ended = fork("resume", out, "--plain", after=after)
        else:
            ended = train(fork, kind, out, epochs, after=after)
        if ended.code == 2:  # killed while the folder was being laid down: told, and begun anew
            assert "delete it and train again" in ended.said or "is no run folder" in ended.said, ended.said
            shutil.rmtree(place / out)
            ended = train(fork, kind, out, epochs)
        assert ended.code in (0, -9), ended
        hits += ended.code == -9
    if not (place / out).exists():
        assert train(fork, kind, out, epochs).code == 0
    return hits


def trials(fork: Parent, place: Path, kind: str, kills: int, seed: int, epochs: int | None = None) -> int:
    """Runs that are killed up to three times at random moments of their whole life, until `kills` have hit; how many."""
    whole = train(fork, kind, f"whole-{seed}", epochs)
    assert whole.code == 0, whole.said
    expected, draw = bits(place / f"whole-{seed}"), random.Random(seed)
    hits = runs = 0
    while hits < kills:
        runs += 1
        out = f"{kind}-{seed}-{runs}"
        when = [draw.uniform(0, whole.seconds) for _ in range(draw.choice((1, 1, 2, 3)))]
        hits += killed_and_resumed(fork, place, kind, out, when, epochs)
        assert bits(place / out) == expected, (out, when)
        assert RunFolder.open(place / out).status()["status"] == "finished"
        shutil.rmtree(place / out)
    print(f"{kind}, seed {seed}: {hits} kills in {runs} runs, {runs} of {runs} with the same bits")
    return runs


def test_killed_at_random_times_the_run_ends_in_the_same_bits(fork, place):
    assert trials(fork, place, "digits", 5, seed=1, epochs=8) >= 2


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("digits", 2), ("digits", 3), ("pictures", 4), ("pictures", 5)])
def test_a_hundred_of_a_hundred_kills_resume_to_the_same_bits(kind, seed, fork, place):
    assert trials(fork, place, kind, 25, seed) >= 8


@pytest.mark.slow
def test_killed_while_its_folder_is_laid_down(fork, place):
    """Every few milliseconds around the moment when the folder appears: told or resumable, never a traceback."""
    expected = None
    began = next_appears(fork, place)
    for number in range(40):
        out = f"early-{number}"
        ended = train(fork, "digits", out, 2, after=max(0.0, began - 0.05 + 0.005 * number))
        assert ended.code in (0, -9)
        if not (place / out).exists():
            continue
        again = fork("resume", out, "--plain")
        if again.code == 2:
            assert "delete it and train again" in again.said or "is no run folder" in again.said, again.said
            continue
        assert again.code == 0, again.said
        expected = expected or bits(place / out)
        assert bits(place / out) == expected


def next_appears(fork: Parent, place: Path) -> float:
    """Seconds from the start of a training to its folder."""
    began = time.time()
    assert train(fork, "digits", "appears", 2).code == 0
    return (place / "appears" / "data.safetensors").stat().st_mtime - began


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_with_workers_may_be_resumed_at_once_after_a_kill(workers, fork, place):
    """Workers outlive a killed parent by seconds: they must not hold the run."""
    slow = 0.002
    assert fork(dataset={"out": f"data-whole-{workers}", "workers": workers, "slow": 0}).code == 0
    out = f"data-{workers}"
    for once, after in ((f"{out}/status.json", 0.5), (None, 0.9)):  # a busy machine may take seconds to the first step
        assert fork(dataset={"out": out, "workers": workers, "slow": slow}, once=once, after=after).code in (0, -9)
    ended = fork(dataset={"out": out, "workers": workers, "slow": 0})
    assert ended.code == 0, ended.said
    assert bits(place / out) == bits(place / f"data-whole-{workers}")


# --- Ctrl-C and SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_training_saves_reports_and_says_how_to_go_on(number, fork, place):
    out = f"asked-{number.name}"
    ended = train(fork, "digits", out, 2000, once=f"{out}/checkpoints/last", after=0.4, signal=number)
    assert ended.code == 5 and ended.since_signal < 5, ended
    errors = [line for line in ended.said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and f"dressage resume {out}" in errors[0]
    status = RunFolder.open(place / out).status()
    assert status["status"] == "interrupted" and "killed" not in status and status["step"] > 0
    assert (place / out / "report.html").stat().st_size > 10_000
    assert read_history(place / out).steps[-1] == status["step"]  # nothing of it is lost


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_signals_at_any_time_end_within_five_seconds_and_lose_no_bit(number, fork, place):
    whole = train(fork, "digits", f"life-whole-{number}", 8)
    expected = bits(place / f"life-whole-{number}")
    codes = []
    for part in range(1, 9):  # not in the first milliseconds, when Python itself has not begun
        out = f"life-{number}-{part}"
        ended = train(fork, "digits", out, 8, after=whole.seconds * part / 8.5, signal=number)
        codes.append(ended.code)
        assert ended.since_signal < 5, ended
        if ended.code == 130:  # before anything was written, or while the result was printed
            assert not (place / out).exists() or RunFolder.open(place / out).is_finished()
            continue
        assert ended.code in (0, 5), ended
        again = fork("resume", out, "--plain")
        assert again.code == 0 and bits(place / out) == expected, again
        assert (place / out / "report.html").is_file()
    assert 5 in codes, codes


def test_a_second_signal_stops_at_once(fork, place):
    ended = train(fork, "digits", "twice", 2000, once="twice/run.db", after=0.5, again=0.0, signal=signal.SIGINT)
    assert ended.code == 5 and ended.since_signal < 2, ended
    assert "dressage resume twice" in ended.said


def test_an_interrupted_run_interrupted_again_at_every_turn(fork, place):
    whole = train(fork, "pictures", "turns-whole", 12)
    assert whole.code == 0, whole
    ended = train(fork, "pictures", "turns", 12, after=whole.seconds / 4, signal=signal.SIGINT)
    turns = 0
    while ended.code in (5, 130) and turns < 30:
        turns += 1
        ended = fork("resume", "turns", "--plain", after=whole.seconds * (1 + turns) / 16, signal=signal.SIGINT)
    assert ended.code == 0, ended
    assert bits(place / "turns") == bits(place / "turns-whole")


SLOW_VALIDATION = """
import time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, shape, outputs):
        super().__init__()
        self.linear = nn.Linear(shape[0], outputs)

    def forward(self, x):
        if not self.training and len(x) > 2:
            for _ in range(SLEEPS):
                time.sleep(0.1)
        return self.linear(x)
"""


@pytest.mark.slow
def test_a_validation_that_takes_long_is_broken_off_and_done_again(fork, place):
    # Checks before the first step would run the slow network too: here it is the validation that takes long.
    words = ("--model", "slow.py:Net", "--train.epochs", 2, "--plain", "--watch.diagnose", "false")
    net = place / "slow.py"
    net.write_text(SLOW_VALIDATION.replace("SLEEPS", "100"))
    ended = fork("train", "digits", *words, "--out", "valid", once="valid/run.db", after=1.5, signal=signal.SIGTERM)
    assert ended.code == 5 and ended.since_signal < 5, ended
    step = RunFolder.open(place / "valid").status()["step"]
    assert step > 1 and not read_history(place / "valid").epochs
    refused = fork("resume", "valid", "--model", "slow.py:Net", "--plain", after=2.0, signal=signal.SIGTERM)
    assert refused.code == 5 and RunFolder.open(place / "valid").status()["step"] == step


@pytest.mark.slow
def test_stopped_in_the_last_evaluation_it_ends_at_once_and_goes_on_there(fork, place):
    """The third call of a slow network in evaluation mode on more than two rows is the last evaluation."""
    net, words = place / "last.py", ("--model", "last.py:Net", "--train.epochs", 1, "--plain")
    net.write_text(SLOW_VALIDATION.replace("SLEEPS", "12"))
    ended = fork(
        "train", "digits", *words, "--out", "judging", once="judging/checkpoints", after=2.5, signal=signal.SIGINT
    )
    assert ended.code == 5 and ended.since_signal < 2, ended
    status = RunFolder.open(place / "judging").status()
    assert status["status"] == "interrupted" and not (place / "judging" / "evaluation.json").exists()
    again = fork("resume", "judging", "--model", "last.py:Net", "--plain")
    assert again.code == 0 and (place / "judging" / "evaluation.json").is_file(), again


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_the_command_as_a_process_of_its_own(number, tmp_path):
    out = tmp_path / "run"
    words = ["train", "digits", "--train.epochs", "3000", "--train.patience", "0", "--plain", "--out", str(out)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dressage.cli.main", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    )
    until = time.monotonic() + PATIENCE
    while not (out / "checkpoints" / "last").exists():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    asked, before = time.monotonic(), starved(process.pid)
    process.send_signal(number)
    assert has_ended(process.pid, PATIENCE)  # it says little: no pipe can fill
    seconds = time.monotonic() - asked - (starved(process.pid) - before)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 5 and seconds < 5, said
    assert b"Traceback" not in said and b"dressage resume" in said


# --- numbers that are not finite


def test_a_rate_far_too_high_ends_with_the_last_good_state(fork, place):
    words = ("--optim.name", "sgd", "--optim.lr", 1e12, "--train.epochs", 3, "--plain")
    ended = fork("train", "digits", *words, "--out", "high")
    assert ended.code == 4, ended
    status, history = RunFolder.open(place / "high").status(), read_history(place / "high")
    assert status["status"] == "diverged" and (place / "high" / "report.html").is_file()
    assert [f["id"] for f in history.findings] == ["sym.nonfinite_loss"] and history.findings[0]["step"] > 0
    assert status["step"] == history.findings[0]["step"] - 1 == (history.steps[-1] if len(history.steps) else 0)
    file = place / "high" / "checkpoints" / f"{status['step']:09d}" / "model.safetensors"
    weights = read_tensors(file.read_bytes(), file)
    assert all(bool(t.isfinite().all()) for t in weights.values())
    assert "lower the rate" in ended.said or "standardise" in ended.said
