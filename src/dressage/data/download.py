"""One file from the net, whole and verified, or an error that says how to do without the net."""

from __future__ import annotations

import hashlib
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from dressage.errors import DataError

Progress = Callable[[str, int, int], None]
TIMEOUT_SECONDS = 30.0
PIECE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Remote:
    """A file in the net: its size in bytes and SHA-256 are part of what it is."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def fetch(remote: Remote, folder: Path, instead: str, progress: Progress | None = None) -> Path:
    """The verified file in `folder`, fetched unless it is there. Raises DataError; `instead` says what else to do."""
    path = folder / remote.name
    if path.is_file() and path.stat().st_size == remote.size and _sha256(path) == remote.sha256:
        return path
    part = folder / f".{remote.name}.{secrets.token_hex(6)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _download(remote, part, progress)
        if found != remote.sha256:
            raise DataError.of(
                remote.url,
                f"SHA-256 {found}",
                f"expected {remote.sha256}: the file is damaged or was replaced",
                instead,
            )
        part.replace(path)
    except (urllib.error.URLError, HTTPException, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the answer's socket
        raise DataError.of(
            remote.url, f"cannot be fetched ({reason})", "expected the net, and room for the file", instead
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return path


def _download(remote: Remote, part: Path, progress: Progress | None) -> str:
    """Writes the file to `part`, never more than its known size; its SHA-256."""
    total, done = hashlib.sha256(), 0
    with urllib.request.urlopen(remote.url, timeout=TIMEOUT_SECONDS) as answer, part.open("xb") as file:
        while piece := answer.read(PIECE_BYTES):
            done += len(piece)
            if done > remote.size:
                return f"of more than {remote.size:,} bytes"
            total.update(piece)
            file.write(piece)
            if progress:
                progress(f"fetching {remote.name}", done, remote.size)
    return total.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
