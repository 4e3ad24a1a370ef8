"""The folder of decoded images: pixel files named by their content, whole or not there, shared by all runs of a person.

    images/<key>.pixels   uint8 values of (N, H, W, C) and nothing else, mapped into memory
    images/<key>.json     its shape, SHA-256 and what was told while decoding; written last: where it is, all is
    images/<key>.lock     held while the pixels are written; a key's .part file without a holder is a dead writer's
    seen/<key>.json       which content a folder with these names, sizes and times had: saves reading the files again

`images` keys are hashes of the files' bytes and of how they were decoded; `seen` keys are hashes of a listing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dressage.errors import DataError, DressageError
from dressage.files import read_json, size_text, sync_folder, write_json

CHECKED_BYTES = 1 << 30
"""Pixel files up to this size have their SHA-256 checked each time they are opened (half a second at most)."""


@dataclass(frozen=True, slots=True)
class Cached:
    """Decoded images `x (N, H, W, C)` uint8, mapped copy-on-write; `digest` their SHA-256; `notes` what was told."""

    x: Tensor
    digest: str
    notes: dict[str, Any]


def cache_root() -> Path:
    """`$DRESSAGE_CACHE`, else `$XDG_CACHE_HOME/dressage`, else `~/.cache/dressage`."""
    if own := os.environ.get("DRESSAGE_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared, "dressage")
    return Path.home() / ".cache" / "dressage"


def recall(key: str) -> dict[str, Any] | None:
    """What `remember` stored under a listing's key; None where there is nothing that can be read."""
    return _json(cache_root() / "seen" / f"{key}.json")


def remember(key: str, value: dict[str, Any]) -> None:
    """Stores what is known of a listing. A cache that cannot be written only costs time, so nothing is raised."""
    path = cache_root() / "seen" / f"{key}.json"
    with contextlib.suppress(OSError, DressageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)


def load(key: str) -> Cached | None:
    """The images cached under `key`; None where they are not there whole, or do not verify."""
    pixels, about = _paths(key)
    meta = _json(about)
    if meta is None:
        return None
    try:
        shape = tuple(int(side) for side in meta["shape"])
        size = int(np.prod(shape, dtype=object))
        if len(shape) != 4 or not size or pixels.stat().st_size != size:
            return None
        if size <= CHECKED_BYTES and _sha256(pixels) != meta["sha256"]:
            return None
        os.utime(about)  # When it was last of use, for `_make_room`.
        mapped = np.memmap(pixels, np.uint8, "c", 0, shape)
        return Cached(torch.from_numpy(mapped), str(meta["sha256"]), dict(meta["notes"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def store(key: str, shape: tuple[int, int, int, int], pieces: Iterable[np.ndarray], notes: dict[str, Any]) -> Cached:
    """Writes images `(n, H, W, C)` uint8 that `pieces` yields, in order, and opens them. Raises DataError.

    `notes` is read after the last piece, so that the decoder can fill it on the way. The caller holds `locked(key)`.
    """
    pixels, about = _paths(key)
    part = pixels.with_suffix(".part")
    size = int(np.prod(shape, dtype=object))
    total = hashlib.sha256()
    try:
        with part.open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # A full disk is met here, not after minutes; macOS has it not.
                os.posix_fallocate(file.fileno(), 0, size)
            for piece in pieces:
                total.update(piece.data)
                file.write(piece.data)
            file.flush()
            os.fsync(file.fileno())
            if file.tell() != size:
                raise ValueError(f"{file.tell()} bytes written of {size}")
        part.replace(pixels)
        write_json(about, {"shape": list(shape), "sha256": total.hexdigest(), "notes": notes})
        sync_folder(about.parent)
    except OSError as error:
        found = f"cannot be written ({error.strerror}): {size_text(size)} needed, {size_text(_free(part.parent))} free"
        raise DataError.of(part.parent, found, "expected room for the decoded images", _elsewhere()) from None
    finally:
        part.unlink(missing_ok=True)
    cached = load(key)
    if cached is None:
        raise DataError.of(pixels, "cannot be read back", "expected what was just written", "check the disk")
    return cached


def make_room(size: int, limit_gib: float) -> None:
    """Raises DataError with the numbers unless `size` bytes fit under the limit and on the disk.

    The sets that were not used for longest go when all together would pass the limit; what a running program has
    mapped stays readable until it ends.
    """
    folder, limit = cache_root() / "images", int(limit_gib * 2**30)
    if size > limit:
        found = f"the decoded images take {size_text(size)}"
        repair = "use smaller images (--data.image_size), or raise the limit (--data.cache_limit, in GiB)"
        raise DataError.of("data.cache_limit", found, f"expected at most {size_text(limit)}", repair)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError.of(
            folder, f"cannot be made ({error.strerror})", "expected a place for decoded images", _elsewhere()
        ) from None
    _clean(folder)
    others = sorted((about.stat().st_mtime, about) for about in folder.glob("*.json"))
    used = sum(p.stat().st_size for p in folder.glob("*.pixels"))
    for _, about in others:
        if used + size <= limit and _free(folder) >= size:
            break
        used -= _forget(about)
    if _free(folder) < size:
        found = f"{size_text(_free(folder))} free on the disk"
        raise DataError.of(folder, found, f"expected {size_text(size)} for the decoded images", _elsewhere())


@contextlib.contextmanager
def locked(key: str) -> Iterator[None]:
    """Holds the key's lock; another process that decodes the same images waits. A killed holder's lock is free."""
    path = _paths(key)[0].with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    except OSError as error:
        raise DataError.of(
            path.parent, f"cannot be written ({error.strerror})", "expected a place for decoded images", _elsewhere()
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget(about: Path) -> int:
    """Removes a set that nobody is writing; the bytes that became free."""
    pixels = about.with_suffix(".pixels")
    with contextlib.suppress(OSError), about.with_suffix(".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = pixels.stat().st_size
        about.unlink()
        pixels.unlink()
        return size
    return 0


def _clean(folder: Path) -> None:
    """Removes what killed writers left: .part files whose lock nobody holds."""
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError), part.with_suffix(".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)


def _paths(key: str) -> tuple[Path, Path]:
    folder = cache_root() / "images"
    return folder / f"{key}.pixels", folder / f"{key}.json"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path, 16 << 20)
    except DressageError:
        return None  # Damaged or of another version: as if it were not there.


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _free(folder: Path) -> int:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


def _elsewhere() -> str:
    return "free some space, or set DRESSAGE_CACHE to a folder on another disk"
