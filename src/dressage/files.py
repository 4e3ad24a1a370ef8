"""Files that appear whole or not at all, JSON that is exact, and errors that say what the disk had to say.

Everything here is the bottom room: paths, bytes and JSON, with no knowledge of runs and no torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dressage.errors import DressageError, RunError, UsageError

TEMPORARY = ".tmp-"
"""First letters of a file or folder that is still being written; a leftover may be deleted by whoever holds the run."""
JSON_LIMIT = 64 * 2**20
"""Bytes of the largest JSON text that is read: a split of a few million rows fits."""
JSON_DEPTH = 64
"""Deepest nesting of lists and objects that is written or read."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_RESTORE = "restore the file from a copy, or repeat the run"
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def write_atomic(path: Path, data: bytes | str) -> None:
    """Writes a file whole or not at all: beside it, flushed to disk, renamed. Raises UsageError where it cannot."""
    content = data.encode() if isinstance(data, str) else data
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(6)}"
    with writing(path, len(content)):
        try:
            write_synced(temporary, content)
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def write_synced(path: Path, data: bytes) -> None:
    """Writes a new file and flushes it to disk. Raises OSError; FileExistsError where the path is taken."""
    with path.open("xb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot, need not
            raise
    finally:
        os.close(handle)


@contextmanager
def writing(path: Path, size: int) -> Iterator[None]:
    """Turns what the system says while `size` bytes are written to `path` into a UsageError with the numbers."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, size, error) from error


def cannot_write(path: Path, size: int, error: OSError) -> DressageError:
    """The error of a place that cannot be written to: a full disk with its numbers, a read-only folder, a bad name."""
    elsewhere, system = "choose another place with --out", error.strerror or error
    if error.errno in _FULL:
        found = f"the disk is full: {size_text(free_bytes(path))} free, {size_text(size)} to write"
        return UsageError.of(path, found, "expected room for the file", f"free some space or {elsewhere}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError.of(path, f"cannot be written ({system})", "expected a folder you may write in", elsewhere)
    if error.errno == errno.EIO:
        repair = f"see whether a limit, a quota or the disk itself is the cause, or {elsewhere}"
        return UsageError.of(path, f"cannot be written ({system})", "expected a disk that takes it", repair)
    return UsageError.of(path, f"cannot be written ({system})", "expected an existing folder, a usable name", elsewhere)


def free_bytes(path: Path) -> int:
    """Bytes free to this user where `path` is or would be; 0 where nobody can say."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError, ValueError):
            return shutil.disk_usage(place).free
    return 0


def require_space(path: Path, size: int) -> None:
    """Raises UsageError with both numbers unless `size` bytes are free where `path` is or would be."""
    if free_bytes(path) < size:
        raise cannot_write(path, size, OSError(errno.ENOSPC, "no space"))


def size_text(size: int) -> str:
    """`5.2 MB`: a number of bytes for people."""
    value, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path, limit: int, kind: type[DressageError] = RunError) -> bytes:
    """The bytes of a plain file of at most `limit` bytes. Raises `kind`: missing, unreadable, no file, too large."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device would never end
            raise kind.of(path, "is not a plain file", "expected a file", "check the path")
        if about.st_size > limit:
            found = f"has {size_text(about.st_size)}"
            raise kind.of(path, found, f"expected at most {size_text(limit)}", "check that this is the right file")
        return path.read_bytes()
    except FileNotFoundError:
        raise kind.of(path, "does not exist", "expected a file", "check the path, or copy the folder again") from None
    except (OSError, ValueError) as error:
        found = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise kind.of(path, found, "expected a readable file", "check its permissions") from None


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Writes one JSON object atomically, numbers exactly. Raises UsageError (place), TypeError, ValueError."""
    write_atomic(path, to_json(value, indent=1) + "\n")


def read_json(path: Path, limit: int = JSON_LIMIT, kind: type[DressageError] = RunError) -> dict[str, Any]:
    """The object in a JSON file as `write_json` was given it. Raises `kind` for anything else."""
    return from_json(read_bytes(path, limit, kind), path, kind)


def to_json(value: object, indent: int | None = None) -> str:
    """JSON text that `from_json` turns back exactly, to the last bit of every float.

    JSON has no NaN and no infinity: they become `{"$float": "NaN"}`. Raises TypeError for anything but None, bool, int,
    float, str, list, tuple and dict with text as keys; ValueError when it is nested too deep.
    """
    # ASCII only: a name that reverses the text or steers a terminal stays harmless in a file that a person prints.
    return json.dumps(_packed(value, 0), indent=indent, allow_nan=False)


def from_json(text: bytes | str, where: object, kind: type[DressageError] = RunError) -> dict[str, Any]:
    """The object that a JSON text holds. Raises `kind`: no JSON, NaN, absurd numbers, nested too deep, no object."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        parsed = json.loads(decoded, parse_constant=_refused, parse_float=_float, parse_int=_int)
        value = _unpacked(parsed, 0)
    except (ValueError, RecursionError) as error:
        found = "nested too deep" if isinstance(error, RecursionError) else f"no JSON ({str(error)[:120]})"
        raise kind.of(where, found, "expected what dressage wrote", _RESTORE) from None
    if not isinstance(value, dict):
        raise kind.of(where, "holds no object", "expected a JSON object { … }", _RESTORE)
    return value


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > 20:  # 64 bits with a sign
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _packed(value: object, depth: int) -> object:
    if depth > JSON_DEPTH:
        raise ValueError(f"nested deeper than {JSON_DEPTH}")
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("JSON keys are text")
        packed = {key: _packed(item, depth + 1) for key, item in value.items()}
        return {"$dict": packed} if len(packed) == 1 and set(packed) <= {"$float", "$dict"} else packed
    if isinstance(value, list | tuple):
        return [_packed(item, depth + 1) for item in value]
    return value


def _unpacked(value: object, depth: int) -> object:
    if depth > JSON_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, list):
        return [_unpacked(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$float"}:
        if not (isinstance(value["$float"], str) and value["$float"] in _NOT_FINITE):
            raise ValueError("an unknown $float")
        return _NOT_FINITE[value["$float"]]
    inner = value["$dict"] if set(value) == {"$dict"} else value
    if not isinstance(inner, dict):
        raise ValueError("an unknown $dict")
    return {key: _unpacked(item, depth + 1) for key, item in inner.items()}


def inside(folder: Path, name: str, kind: type[DressageError] = RunError) -> Path:
    """The path of `name` in `folder`. Raises `kind`: a name that is empty, absolute, has `..`, leaves by a link."""
    path = Path(name)
    escapes = not name or "\0" in name or path.is_absolute() or ".." in path.parts
    if not escapes:
        try:
            escapes = not (folder / path).resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError):  # a loop of links
            escapes = True
    if escapes:
        found = f"the name {name[:200]!r} leads out of it"
        raise kind.of(folder, found, "expected a name inside the folder", "correct the name")
    return folder / path
