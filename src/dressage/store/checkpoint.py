"""Checkpoints on disk: whole or absent, each file with its SHA-256, the newest being the newest that verifies.

`checkpoints/000000120/{model.safetensors, optimizer.safetensors, state.json, manifest.json}`, and beside the folders
the text files `best` and `last` with a step's number. A kill at any moment leaves the old set or the new one: all is
written in a folder beside, flushed, and renamed. A folder that replaces one of its own step moves that to `….old` for
the moment between two renames, and every reader knows that name.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dressage.errors import DressageError, RunError
from dressage.files import TEMPORARY, from_json, read_bytes, sync_folder, to_json, write_atomic, write_synced, writing
from dressage.store.manifest import STATE, STEM, read_manifest, read_verified, verify, write_manifest
from dressage.store.tensors import read_tensors, write_tensors

Groups = Mapping[str, Mapping[str, Tensor]]
"""Tensors by the stem of their file and their name: `{"model": {"0.weight": …}, "optimizer": {…}}`."""
_FOLDER = re.compile(r"(\d{9,18})(\.old)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint as it was written: `tensors[file stem][name]` on the CPU, `state` as plain values."""

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def write_checkpoint(
    folder: Path, step: int, tensors: Groups, state: Mapping[str, object], *, keep: int = 2, best: int | None = None
) -> None:
    """Writes checkpoint `step` of run `folder`, then removes all but the last `keep` and the best.

    `best` is the step of the best one so far (None: as before). Raises UsageError when the disk is full or read-only;
    the older checkpoints are then untouched.
    """
    write_packed(folder, step, tensors, to_json(state), keep=keep, best=best)


def write_packed(folder: Path, step: int, tensors: Groups, state: str, *, keep: int, best: int | None) -> None:
    """`write_checkpoint` with the state already as text (`to_json`), so that a thread can do the rest."""
    if not (0 <= step < 10**18 and keep >= 1 and all(STEM.fullmatch(stem) for stem in tensors)):
        raise ValueError(f"step {step}, keep {keep} or the names {list(tensors)} cannot be used")
    root, text = folder / "checkpoints", state.encode()
    size = len(text) + sum(t.numel() * t.element_size() for group in tensors.values() for t in group.values())
    temporary = root / f"{TEMPORARY}{secrets.token_hex(6)}"
    with writing(root, size):
        root.mkdir(exist_ok=True)
        _sweep(root)
        try:
            temporary.mkdir()
            _fill(temporary, step, tensors, text)
            _put(temporary, root / f"{step:09d}")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    if best is not None:
        write_atomic(root / "best", f"{best:09d}\n")
    write_atomic(root / "last", f"{step:09d}\n")
    with writing(root, 0):
        _prune(folder, step, keep)


def newest(folder: Path) -> tuple[int | None, list[str]]:
    """The step of the newest checkpoint that verifies (None: there is none), and why each newer one does not."""
    reasons = []
    for step, path in reversed(_listed(folder)):
        try:
            verify(path, step)
        except DressageError as error:
            reasons.append(str(error))
        else:
            return step, reasons
    return None, reasons


def read_checkpoint(folder: Path, step: int, *, only: Collection[str] | None = None) -> Checkpoint:
    """Checkpoint `step` of run `folder`; `only` names the tensor files to read, e.g. `{"model"}`.

    Each file's SHA-256 is checked before it is parsed. Raises RunError: missing, damaged, another format or version.
    """
    first: DressageError | None = None
    for path in [path for number, path in reversed(_listed(folder)) if number == step]:
        try:
            return _read(path, step, only)
        except DressageError as error:
            first = first or error
    there = ", ".join(map(str, steps(folder))) or "none"
    raise first or RunError.of(folder, f"has no checkpoint of step {step}", f"there are: {there}", "choose one of them")


def steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint folder, rising; whether they verify is not looked at."""
    return sorted({step for step, _ in _listed(folder)})


def pointer(folder: Path, name: str) -> int | None:
    """The step that `best` or `last` names; None where there is no such file or it holds no number."""
    with suppress(DressageError, ValueError):
        return int(read_bytes(folder / "checkpoints" / name, 100).decode())
    return None


def cut_checkpoints(folder: Path, step: int) -> list[int]:
    """Removes the checkpoints after `step`, damaged ones too, before a run goes on from there; gives their steps."""
    later = [(number, path) for number, path in _listed(folder) if number > step]
    with writing(folder, 0):
        for _, path in later:
            _remove(path)
        if (pointer(folder, "best") or 0) > step:
            (folder / "checkpoints" / "best").unlink(missing_ok=True)
    return sorted({number for number, _ in later})


def differences(saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """What tells two sets of named tensors apart, a line each: names on one side only, other shapes, other types."""
    lines = [f"{name}: only in the checkpoint" for name in saved if name not in wanted]
    for name, tensor in wanted.items():
        if name not in saved:
            lines.append(f"{name}: not in the checkpoint")
        elif saved[name].shape != tensor.shape:
            lines.append(f"{name}: {list(saved[name].shape)} in the checkpoint, {list(tensor.shape)} expected")
        elif saved[name].dtype != tensor.dtype:
            lines.append(f"{name}: {saved[name].dtype} in the checkpoint, {tensor.dtype} expected")
    return lines


def require_same(saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: object) -> None:
    """Raises RunError with the first differences unless both have the same names, shapes and types."""
    lines = differences(saved, wanted)
    if lines:
        more = f", and {len(lines) - 5} more" if len(lines) > 5 else ""
        found = f"is of another architecture ({', '.join(lines[:5])}{more})"
        raise RunError.of(where, found, "expected the model of this recipe", "use the recipe that it was trained with")


def _read(path: Path, step: int, only: Collection[str] | None) -> Checkpoint:
    files = read_manifest(path, step)
    missing = sorted({f"{stem}.safetensors" for stem in only or ()} - set(files))
    if missing:
        raise RunError.of(path, f"has no {missing[0]}", f"it has {sorted(files)}", "use a checkpoint that has it")
    state = from_json(read_verified(path, STATE, *files.pop(STATE)), path / STATE)
    tensors = {}
    for name, (size, digest) in files.items():
        stem = name.removesuffix(".safetensors")
        if only is None or stem in only:
            tensors[stem] = read_tensors(read_verified(path, name, size, digest), path / name)
    return Checkpoint(step, tensors, state)


def _fill(temporary: Path, step: int, tensors: Groups, state: bytes) -> None:
    names = {f"{stem}.safetensors": group for stem, group in tensors.items()}
    written = {name: write_tensors(temporary / name, group) for name, group in names.items()}
    write_synced(temporary / STATE, state)
    write_manifest(temporary, step, written | {STATE: (len(state), hashlib.sha256(state).hexdigest())})
    sync_folder(temporary)


def _put(temporary: Path, target: Path) -> None:
    """Renames a finished folder to its place; one that is already there stays readable until the new one is."""
    old = target.with_name(f"{target.name}.old")
    if target.exists():
        if old.exists():
            _remove(old)
        target.rename(old)
    temporary.rename(target)
    sync_folder(target.parent)
    if old.exists():
        _remove(old)


def _prune(folder: Path, step: int, keep: int) -> None:
    """Removes what is older than the last `keep` up to `step`; folders after `step` are not this run's to judge."""
    kept = {*[s for s in steps(folder) if s <= step][-keep:], pointer(folder, "best")}
    for number, path in _listed(folder):
        if number < step and number not in kept:
            _remove(path)


def _remove(path: Path) -> None:
    # Renamed first: a kill while files are deleted must not leave a folder that looks like a damaged checkpoint.
    trash = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Removes what a killed writer left: a run has one writer at a time, so nobody is writing these."""
    for left in root.glob(f"{TEMPORARY}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """Checkpoint folders by step; of one step the `.old` one first."""
    try:
        paths = [path for path in (folder / "checkpoints").iterdir() if path.is_dir()]
    except OSError:
        return []
    found = [(int(match[1]), match[2] is None, path) for path in paths if (match := _FOLDER.fullmatch(path.name))]
    return [(step, path) for step, _, path in sorted(found)]
