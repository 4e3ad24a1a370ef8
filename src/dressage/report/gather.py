"""All that a report is made of, read from a run folder. A missing or damaged file leaves a gap and a line of text."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dressage.errors import DressageError, RunError
from dressage.files import read_bytes, read_json
from dressage.report.curves import History
from dressage.report.text import mapping
from dressage.store.folder import RunFolder
from dressage.store.reader import read_history

LIMIT = 32 * 2**20
"""Bytes of the largest file that is read whole."""
PARTS = ("test", "validation", "train_dev", "train")


@dataclass(frozen=True, slots=True)
class Nothing:
    """The history of a run that has none yet."""

    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    columns: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    epochs: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """The content of a run folder, as it was found: nothing in it is trusted to have the right form."""

    folder: Path
    """As it was given."""
    name: str
    recipe: Mapping[str, Any]
    reasons: Mapping[str, Any]
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    evaluation: Mapping[str, Mapping[str, Any]]
    """Part name → its evaluation, in the order test, validation, train_dev, train."""
    history: History
    state: Mapping[str, Any]
    """`status` (running, finished, interrupted, diverged, failed), `step` and what goes with them; empty if unknown."""
    repair: Mapping[str, Any]
    """What `train --fix` tried and changed; empty where it was not asked for, or found nothing."""
    gaps: tuple[str, ...]
    """What could not be read, a sentence each."""

    @property
    def judged(self) -> Mapping[str, Any]:
        """The evaluation that counts: of the test part, or of the first part that has one; empty without any."""
        return next(iter(self.evaluation.values()), {})


def gather(folder: Path) -> Files:
    """Reads what is there. Raises RunError only where `folder` is no folder."""
    if not folder.is_dir():
        raise RunError.of(folder, "is no folder", "expected a run folder", "give the folder that a training wrote")
    gaps: list[str] = []
    evaluation = _json(folder / "evaluation.json", gaps)
    judged = {part: mapping(evaluation.get(part)) for part in PARTS}
    return Files(
        folder=folder,
        name=folder.resolve().name,
        recipe=_toml(folder / "recipe.toml", gaps),
        reasons=_json(folder / "reasons.json", gaps),
        data=_json(folder / "data.json", gaps),
        environment=_json(folder / "environment.json", gaps),
        evaluation={part: found for part, found in judged.items() if found},
        history=_history(folder, gaps),
        state=_state(folder, gaps),
        repair=_json(folder / "repair.json", gaps),
        gaps=tuple(gaps),
    )


def _json(path: Path, gaps: list[str]) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return read_json(path, LIMIT)
    except DressageError as error:
        gaps.append(str(error).replace(str(path), path.name))
        return {}


def _toml(path: Path, gaps: list[str]) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(read_bytes(path, LIMIT).decode())
    except (DressageError, ValueError, RecursionError) as error:
        gaps.append(f"{path.name}: {error}")
        return {}


def _state(folder: Path, gaps: list[str]) -> Mapping[str, Any]:
    if not (folder / "status.json").exists():
        return {}
    try:
        return RunFolder(folder).status()
    except DressageError as error:
        gaps.append(str(error).replace(str(folder), folder.name))
        return {}


def _history(folder: Path, gaps: list[str]) -> History:
    if not (folder / "run.db").exists():
        return Nothing()
    try:
        history = read_history(folder)
        gaps.extend(f"run.db: {told}" for told in history.damaged[:10])
        return history
    except DressageError as error:
        gaps.append(str(error).replace(str(folder), folder.name))
        return Nothing()
