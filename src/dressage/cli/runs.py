"""`dressage runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dressage.cli.output import Output, cell, short, table
from dressage.errors import DressageError, UsageError

DEEPEST = 3


def runs(folder: Path = Path("runs"), /, *, output: Output | None = None) -> None:
    """All runs in a folder, the newest first: their scores with intervals, what they trained, how they ended.

    For example:
      dressage runs
      dressage runs experiments/ --json

    Parameters
    ----------
    folder
        Where to look, three folders deep.
    """
    output = output or Output()
    if not folder.is_dir():
        expected = "expected a folder that holds runs"
        raise UsageError.of(short(folder), "there is no such folder", expected, "train first: dressage train digits")
    found = [_facts(place) for place in _run_folders(folder)]
    found.sort(key=lambda facts: str(facts["begun"]), reverse=True)
    rows = [(_name(f), f["status"], f["data"], f["model"], f["metric"], f["score"], _interval(f)) for f in found]
    head = ["run", "status", "data", "model", "metric", "score", "95 % interval"]
    output.result({"runs": found}, table(head, rows, output) if rows else [f"no runs in {short(folder)}"])


def _run_folders(folder: Path, depth: int = DEEPEST) -> list[Path]:
    if (folder / "recipe.toml").is_file():
        return [folder]
    if depth == 0:
        return []
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))
    return [run for place in below for run in _run_folders(place, depth - 1)]
