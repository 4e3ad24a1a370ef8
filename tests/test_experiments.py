"""The experiments: each can be run, what they print is counted rightly, and both arms of a pair share all but the technique."""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = ROOT / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

import compare  # noqa: E402
import sets  # noqa: E402
from label_noise import with_wrong_labels  # noqa: E402

NAMES = sorted(
    p.stem for p in EXPERIMENTS.glob("*.py") if p.stem not in ("compare", "page", "sets", "searches", "spent")
)
CLAIMS = [name for name in NAMES if name != "notes_search"]


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    differences = [1.0, 2.0, 4.0]
    mean, low, high = compare.interval(differences)
    half = 4.302652729911275 * np.std(differences, ddof=1) / math.sqrt(3)  # t for 2 degrees of freedom
    assert mean == pytest.approx(7 / 3) and low == pytest.approx(7 / 3 - half) and high == pytest.approx(7 / 3 + half)
    assert math.isnan(compare.interval([1.0])[1])


def test_a_verdict_says_no_more_than_the_interval() -> None:
    assert compare.verdict(0.1, 2.0, lower=False) == compare.verdict(-2.0, -0.1, lower=True) == "holds"
    assert compare.verdict(-2.0, -0.1, lower=False) == "does not hold at this size"
    for low, high in ((-1.0, 1.0), (0.0, 0.0), (math.nan, math.nan)):
        assert compare.verdict(low, high, lower=False) == "cannot be told"


def test_a_row_pairs_the_scores_of_a_seed() -> None:
    comparison = compare.Comparison("claim", "score", lambda seed, quick: {}, {"with": "without"})
    rows = compare.result(comparison, {"without": [50.0, 60.0, 70.0], "with": [51.0, 61.5, 71.0]})
    assert "difference" not in rows[0] and rows[0]["sd"] == pytest.approx(10)
    assert rows[1]["difference"] == pytest.approx(3.5 / 3) and rows[1]["verdict"] == "holds"
    printed = compare.table(rows).splitlines()
    assert len(printed) == 3 and "holds" in printed[2] and not any(line.endswith(" ") for line in printed)


def test_changes_are_laid_over_section_by_section() -> None:
    base = {"augment": [], "optim": {"name": "adamw", "lr": 1.0}}
    merged = compare.laid_over(base, {"augment": ["mixup"], "optim": {"lr": 2.0}, "loss": {"label_smoothing": 0.1}})
    assert merged["optim"] == {"name": "adamw", "lr": 2.0} and merged["loss"] == {"label_smoothing": 0.1}
    assert base == {"augment": [], "optim": {"name": "adamw", "lr": 1.0}}


def test_wrong_labels_are_wrong_and_only_where_it_is_learned() -> None:
    arrays = sets.digits(0)
    noisy = with_wrong_labels(arrays, 0.4, seed=3)
    learned = np.concatenate([noisy["y_train"], noisy["y_validation"]])
    assert abs(float((learned != arrays["y_train"]).mean()) - 0.4) < 0.05
    assert noisy["y_test"] is arrays["y_test"] and set(learned) <= set(range(10))
    assert len(noisy["x_train"]) == len(noisy["y_train"]) and len(noisy["x_validation"]) == len(noisy["y_validation"])


def test_arms_that_do_not_differ_have_one_score() -> None:
    base = {"model": {"name": "mlp", "width": 16, "depth": 1}, "train": {"epochs": 2, "batch_size": 64}}
    measure = compare.arms(
        sets.digits, base, {"without": {}, "nothing": {}, "dropout": {"regularize": {"dropout": 0.5}}}
    )
    found = measure(4, True)
    assert found["without"] == found["nothing"] != found["dropout"]


def test_a_training_that_diverges_knows_nothing() -> None:
    arrays = sets.digits(0)
    recipe = {
        "model": {"name": "mlp", "width": 8, "depth": 4},
        "optim": {"name": "sgd", "lr": 1e9},
        "train": {"epochs": 2, "batch_size": 32},
    }
    probabilities, _ = compare.trained(arrays, recipe, 0, quick=False)
    assert (probabilities == 0.1).all()


def test_processor_seconds_of_a_process_nobody_waits_for_are_counted(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    orphaned = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}], start_new_session=True)"
    script = f"""
import subprocess, sys, time
from spent import counted, seconds
with counted() as group:
    before = seconds(group)
    subprocess.run([sys.executable, "-c", {orphaned!r}], check=True)
    while len((group / "cgroup.procs").read_text().split()) > 1:
        time.sleep(0.05)
    print(seconds(group) - before)
print(group.exists())
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=EXPERIMENTS, check=False, timeout=60)
    if "no control group" in done.stderr:
        pytest.skip("no control group can be made here")
    assert done.returncode == 0, done.stderr[-2000:]
    used, is_left = done.stdout.split()
    assert 0.5 <= float(used) < 5 and is_left == "False"


def test_one_runs_as_a_command(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    command = [sys.executable, EXPERIMENTS / "average.py", "--quick", "--json", target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "n = 2 seeds" in done.stdout and "95 % interval" in done.stdout and "ONLY TRIED" in done.stdout
    (found,) = json.loads(target.read_text(encoding="utf-8"))
    assert [row["n"] for row in found["rows"]] == [2] * 4 and not list(tmp_path.glob("runs*"))


@pytest.mark.slow
def test_the_search_of_the_notes_can_be_tried(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    command = [sys.executable, EXPERIMENTS / "notes_search.py", "digits", "--quick", "--jobs", "1", "--json", target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < json.loads(target.read_text())["best"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_each_can_be_tried(name: str, tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    command = [sys.executable, EXPERIMENTS / f"{name}.py", "--quick", "--json", target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(math.isfinite(row["mean"]) for found in json.loads(target.read_text()) for row in found["rows"])


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_of_each(name: str) -> None:
    assert importlib.import_module(name).__doc__
    assert f"experiments/{name}.py" in (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
