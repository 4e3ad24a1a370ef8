"""./dev and .ci/run: what they are made of. That they work is seen by everyone who runs them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_scripts_are_plain_shell(script: str) -> None:
    text = (ROOT / script).read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n") and os.access(ROOT / script, os.X_OK)
    subprocess.run(["sh", "-n", ROOT / script], check=True)


def test_an_unknown_job_is_refused_before_anything_is_set_up() -> None:
    done = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True)
    assert done.returncode == 1 and "error: tset: no such job" in done.stderr
    assert "setup" in done.stdout
    assert subprocess.run([ROOT / "dev"], capture_output=True).returncode == 0


def test_ci_checks_and_tests() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "./dev check" in text and "./dev test" in text and "set -eu" in text


def test_everything_is_locked_by_hash_but_torch() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert all("--hash=sha256:" in block and "==" in block for block in blocks)
    names = {block.split("==")[0] for block in blocks}
    assert not {name for name in names if re.match(r"torch$|nvidia|cuda|triton", name)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    assert {re.split(r"[<>=]", name)[0] for name in wanted} - names == {"torch"}


def test_the_lock_names_no_machine() -> None:
    assert "://" not in LOCK and "\n#" not in LOCK


def test_no_file_imports_itself_through_others() -> None:
    """The rooms are checked by import-linter; this holds within a room too, and for imports that only types need."""
    graph = grimp.build_graph("dressage", cache_dir=None)
    imports = {file: graph.find_modules_directly_imported_by(file) for file in graph.modules}
    assert "dressage.data.source" in list(TopologicalSorter(imports).static_order()), "CycleError names the cycle"


def test_the_page_of_the_recipe_is_what_the_schema_says() -> None:
    import sys

    subprocess.run([sys.executable, ROOT / "docs" / "make_recipe.py", "--check"], check=True)
