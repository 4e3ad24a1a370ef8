"""The manifest of a checkpoint folder: each file's size and SHA-256, its own checksum, the version of the format."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dressage.errors import RunError
from dressage.files import from_json, read_bytes, sha256, write_synced
from dressage.version import __version__

FORMAT = 1
"""Version of the layout; a reader refuses a newer one."""
STATE = "state.json"
STEM = re.compile(r"[a-z][a-z0-9_]{0,60}", re.ASCII)
"""What a tensor file may be called, without `.safetensors`."""
_NAME = "manifest.json"
_MANIFEST_LIMIT, _FILE_LIMIT = 2**20, 2**42
_REPAIR = "use another checkpoint, or repeat the run"


def write_manifest(folder: Path, step: int, written: Mapping[str, tuple[int, str]]) -> None:
    """Writes the manifest; `written` maps each file's name to its size in bytes and its SHA-256. Raises OSError."""
    files = {name: {"size": size, "sha256": digest} for name, (size, digest) in written.items()}
    manifest = {
        "format": FORMAT,
        "dressage": __version__,
        "torch": str(torch.__version__),
        "step": step,
        "files": files,
    }
    write_synced(folder / _NAME, json.dumps(manifest | {"check": _check(manifest)}, indent=1).encode())


def read_manifest(folder: Path, step: int) -> dict[str, tuple[int, str]]:
    """Each file's size and SHA-256 by name. Raises RunError: damaged, of another step, of a newer format."""
    where = folder / _NAME
    manifest = from_json(read_bytes(where, _MANIFEST_LIMIT), where)
    version, check = manifest.get("format"), manifest.pop("check", None)
    if isinstance(version, int) and version > FORMAT:
        made = f"is of format {version}, made by dressage {manifest.get('dressage')}"
        expected = f"this is dressage {__version__}, which reads up to format {FORMAT}"
        raise RunError.of(where, made, expected, "update dressage: pip install -U dressage")
    if check != _check(manifest) or version != FORMAT:
        raise RunError.of(where, "was changed or damaged", "expected the checksum it carries", _REPAIR)
    if manifest.get("step") != step:
        raise RunError.of(where, f"is of step {manifest.get('step')}", f"expected step {step}", "undo the renaming")
    files = _files(manifest.get("files"))
    if STATE not in files or not all(
        STEM.fullmatch(name.removesuffix(".safetensors")) for name in set(files) - {STATE}
    ):
        raise RunError.of(where, f"lists {sorted(files)}", f"expected {STATE} and tensor files", _REPAIR)
    return files


def verify(folder: Path, step: int) -> None:
    """Raises RunError unless every file of the checkpoint folder has the size and SHA-256 of the manifest."""
    for name, (size, digest) in read_manifest(folder, step).items():
        try:
            found = (folder / name).stat().st_size, sha256(folder / name)
        except OSError as error:
            raise RunError.of(folder / name, f"cannot be read ({error.strerror})", "expected a file", _REPAIR) from None
        _require((size, digest), found, folder / name)


def read_verified(folder: Path, name: str, size: int, digest: str) -> bytes:
    """The bytes of one file of a checkpoint. Raises RunError unless they have this size and SHA-256."""
    data = read_bytes(folder / name, _FILE_LIMIT)
    _require((size, digest), (len(data), hashlib.sha256(data).hexdigest()), folder / name)
    return data


def _require(expected: tuple[int, str], found: tuple[int, str], where: Path) -> None:
    if found[0] != expected[0]:
        raise RunError.of(where, f"has {found[0]} bytes", f"expected {expected[0]}", _REPAIR)
    if found[1] != expected[1]:
        raise RunError.of(where, "was changed or damaged", "expected the SHA-256 of its manifest", _REPAIR)


def _files(listed: object) -> dict[str, tuple[int, str]]:
    if not isinstance(listed, dict) or not all(isinstance(entry, dict) for entry in listed.values()):
        return {}
    return {name: (entry.get("size", -1), entry.get("sha256", "")) for name, entry in listed.items()}


def _check(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
