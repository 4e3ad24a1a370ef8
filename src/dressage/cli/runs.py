"""`dressage runs`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dressage.cli.output import Output, short, table
from dressage.errors import DressageError, UsageError
from dressage.files import read_bytes, read_json

DEEPEST = 3
LIMIT = 1 << 20


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
    found = [facts_of(place) for place in _run_folders(folder)]
    found.sort(key=lambda facts: str(facts["begun"]), reverse=True)
    keys = ("run", "begun", "status", "data", "model", "metric", "score", "low", "high", "baseline")
    rows = [[facts[key] for key in keys] for facts in found]
    text = table(keys, rows, output) if rows else [f"no runs in {short(folder)}"]
    output.result({"runs": found}, text)


def facts_of(folder: Path) -> dict[str, Any]:
    """One line about a run, from its small files alone; what is missing or damaged is left empty."""
    from dressage.store.folder import RunFolder

    evaluation, data = _json(folder / "evaluation.json"), _json(folder / "data.json")
    try:
        status = RunFolder(folder).status()
    except DressageError:
        status = {"status": "damaged"}
    judged = _mapping(evaluation.get("test")) or _mapping(evaluation.get("validation"))
    metric = str(judged.get("headline") or "")
    score = _mapping(_mapping(judged.get("metrics")).get(metric))
    base = _mapping(_mapping(_mapping(judged.get("baseline")).get("metrics")).get(metric))
    return {
        "run": short(folder),
        "begun": status.get("begun"),
        "status": status.get("status"),
        "data": data.get("name"),
        "model": _mapping(_recipe(folder).get("model")).get("name"),
        "metric": metric,
        "score": score.get("value"),
        "low": score.get("low"),
        "high": score.get("high"),
        "baseline": base.get("value"),
    }


def _run_folders(folder: Path, depth: int = DEEPEST) -> list[Path]:
    if (folder / "status.json").is_file():
        return [folder]
    if depth == 0:
        return []
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))
    return [run for place in below for run in _run_folders(place, depth - 1)]


def _json(file: Path) -> Mapping[str, Any]:
    try:
        return read_json(file, LIMIT * 64) if file.exists() else {}
    except DressageError:
        return {}


def _recipe(folder: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_bytes(folder / "recipe.toml", LIMIT).decode())
    except (DressageError, ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
