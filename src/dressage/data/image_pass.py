"""The two passes over image files, several files at a time: headers and hashes first, then the pixels."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dressage.data.decode import DAMAGED, TOLD, Unreadable, decode, decode_square, probe
from dressage.data.image_files import Listing, shown
from dressage.data.labels import SHOWN
from dressage.errors import DataError

Progress = Callable[[str, int, int], None]
T = TypeVar("T")
FILES_A_PIECE = 256
PIECE_BYTES = 4 << 20
LARGEST_FILE = 256 << 20
"""Bytes of the largest image file that is read."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the headers say: `height`, `width`, `channels`, `flags` each `(N,)`, and the SHA-256 of each file."""

    height: np.ndarray
    width: np.ndarray
    channels: np.ndarray
    flags: np.ndarray
    digests: list[bytes]

    def told(self) -> dict[str, list[int]]:
        """Rows of the images that need a word, by that word."""
        rows = {text: np.flatnonzero(self.flags & flag).tolist() for flag, text in TOLD.items()}
        return {text: found for text, found in rows.items() if found}


def probe_all(listing: Listing, progress: Progress | None) -> Probed:
    """Reads every file once: header and SHA-256. Raises DataError naming the files that are no images."""
    count = len(listing.paths)
    headers = np.zeros((count, 4), np.int32)
    digests: list[bytes] = []
    bad: list[tuple[str, str]] = []

    def work(rows: range) -> tuple[list[bytes], list[tuple[str, str]]]:
        hashes, unreadable = [], []
        for row in rows:
            try:
                data = read_file(listing, row)
                hashes.append(hashlib.sha256(data).digest())
                headers[row] = probe(data)
            except Unreadable as error:
                unreadable.append((listing.paths[row], str(error)))
        return hashes, unreadable

    with ThreadPoolExecutor(_threads()) as pool:
        for rows, (hashes, unreadable) in _in_order(pool, work, _pieces(count, FILES_A_PIECE)):
            digests += hashes
            bad += unreadable
            if progress:
                progress("reading images", rows.stop, count)
    _refuse(listing, bad)
    height, width, channels, flags = headers.T
    return Probed(height, width, channels, flags, digests)


def decode_all(
    listing: Listing,
    probed: Probed,
    shape: tuple[int, int, int, int],
    *,
    square: bool,
    notes: dict[str, object],
    progress: Progress | None,
) -> Iterator[np.ndarray]:
    """Yields the images in order as `(n, H, W, C)` uint8; `notes["damaged"]` gets the rows of forgiven damage.

    Raises DataError after the last file, naming all that cannot be decoded or changed since `probe_all`.
    """
    count, one = shape[0], int(np.prod(shape[1:]))
    bad: list[tuple[str, str]] = []
    damaged: list[int] = []
    decode_one = decode_square if square else decode

    def work(rows: range) -> tuple[np.ndarray, list[tuple[str, str]], list[int]]:
        out = np.empty((len(rows), *shape[1:]), np.uint8)
        unreadable, forgiven = [], []
        for i, row in enumerate(rows):
            try:
                data = read_file(listing, row)
                if hashlib.sha256(data).digest() != probed.digests[row]:
                    raise Unreadable("changed while it was read")
                if decode_one(data, int(probed.flags[row]), out[i]) & DAMAGED:
                    forgiven.append(row)
            except Unreadable as error:
                unreadable.append((listing.paths[row], str(error)))
        return out, unreadable, forgiven

    step = max(1, min(FILES_A_PIECE, PIECE_BYTES // one))
    with ThreadPoolExecutor(_threads()) as pool:
        for rows, (out, unreadable, forgiven) in _in_order(pool, work, _pieces(count, step)):
            bad += unreadable
            damaged += forgiven
            yield out
            if progress:
                progress("decoding images", rows.stop, count)
    _refuse(listing, bad)
    notes["damaged"] = damaged


def read_file(listing: Listing, row: int) -> bytes:
    """The bytes of one listed file, as many as it had when it was listed. Raises Unreadable."""
    size = listing.stamps[row][0]
    if size > LARGEST_FILE:
        raise Unreadable(f"{size:,} bytes, more than {LARGEST_FILE:,}")
    try:
        # os.read in one go: half the time of a file object, and most image files are small.
        handle = os.open(f"{listing.root}/{listing.paths[row]}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(handle, size + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    if len(data) != size:
        raise Unreadable("changed while it was read")
    return data


def _refuse(listing: Listing, bad: list[tuple[str, str]]) -> None:
    if not bad:
        return
    named = "; ".join(f"{shown(path, 80)} ({reason})" for path, reason in bad[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    found = f"{len(bad)} of {len(listing.paths)} files cannot be read as images"
    # Names and numbers come first, since a long message is cut at its end.
    raise DataError(
        f"{shown(listing.root)}: {found}: {named}{more}; expected intact images of at most 64 megapixels; "
        "repair or remove them"
    )


def _threads() -> int:
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _pieces(count: int, step: int) -> list[range]:
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[range], T], pieces: Iterable[range]
) -> Iterator[tuple[range, T]]:
    """Results in the order of the pieces, with a few under way at a time so that they do not pile up in memory."""
    waiting: deque[tuple[range, Future[T]]] = deque()
    for piece in pieces:
        waiting.append((piece, pool.submit(work, piece)))
        if len(waiting) > 2 * _threads():
            rows, result = waiting.popleft()
            yield rows, result.result()
    while waiting:
        rows, result = waiting.popleft()
        yield rows, result.result()
