"""IDX files (MNIST and its relatives), plain or gzipped: a big-endian header, then the values.

Format: http://yann.lecun.com/exdb/mnist/ — two zero bytes, a type byte, the number of sides, each side as 4 bytes.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from dressage import recipe
from dressage.data.named_arrays import open_named_arrays
from dressage.data.npz import available_memory
from dressage.data.source import Source
from dressage.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DEFLATE_LIMIT = 1032
"""No gzip file unpacks to more than this many times its size, so a larger claim is false."""
NAME = re.compile(r"(?P<stem>.*?)[-_.]?(?P<role>images|labels)[-_.]idx\d[-_.]ubyte(\.gz)?$", re.IGNORECASE)


def is_idx(name: str) -> bool:
    """Whether a file is called like an IDX file: `train-images-idx3-ubyte.gz`, `t10k-labels.idx1-ubyte`."""
    return NAME.match(name) is not None


def open_idx(path: Path, section: recipe.Data, *, name: str = "", classes: Sequence[str] = ()) -> Source:
    """A folder of IDX files, or one of a pair, as a source; parts by name (`train`, `t10k`). Raises DataError."""
    folder = path if path.is_dir() else path.parent
    files = sorted(p.name for p in folder.iterdir() if is_idx(p.name))
    if not path.is_dir():
        stem = _split(path.name)[0]
        files = [f for f in files if _split(f)[0] == stem]
    chosen: dict[str, str] = {}
    for file in files:
        stem, role = _split(file)
        key = f"{stem or 'all'}_{role}".replace("-", "_")
        if key not in chosen or not file.endswith(".gz"):  # The unpacked file of two that are there opens faster.
            chosen[key] = file
    if not path.is_dir():  # One pair is one set, whatever part its name speaks of.
        chosen = {key.rsplit("_", 1)[1]: file for key, file in chosen.items()}
    arrays: dict[str, object] = {key: read_idx(folder / file) for key, file in chosen.items()}
    if classes:
        arrays["classes"] = np.array(classes)
    return open_named_arrays(arrays, section, name=name or str(path))


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file; its claimed size is checked before memory is taken. Raises DataError."""
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    return _read(file, path, size * DEFLATE_LIMIT)
            return _read(raw, path, size)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError.of(path, f"cannot be read ({error})", "expected an IDX file", "fetch the file again") from None


def _read(file: IO[bytes] | gzip.GzipFile, path: Path, most: int) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not 1 <= head[3] <= 8:
        raise DataError.of(
            path, f"begins with {head.hex() or 'nothing'}", "expected an IDX header", "check that it is the right file"
        )
    sides = file.read(4 * head[3])
    shape = struct.unpack(f">{len(sides) // 4}I", sides[: len(sides) // 4 * 4])
    dtype = np.dtype(TYPES[head[2]])
    wanted = math.prod(shape) * dtype.itemsize
    if len(shape) != head[3] or wanted > most:
        found = (
            f"the header claims {'×'.join(map(str, shape))} of {dtype}, {wanted:,} bytes, more than the file can hold"
        )
        raise DataError.of(path, found, "expected them to agree", "the file is cut off or damaged: fetch it again")
    if wanted > available_memory():
        raise DataError.of(
            path,
            f"takes {wanted:,} bytes",
            f"expected at most the {available_memory():,} that are free",
            "use a larger machine",
        )
    values = bytearray(wanted)
    view, filled = memoryview(values), 0
    while filled < wanted:
        piece = file.read(min(1 << 20, wanted - filled))
        if not piece:
            break
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
    if filled < wanted or file.read(1):
        found = f"{filled:,} bytes of values" if filled < wanted else f"more than {wanted:,} bytes of values"
        raise DataError.of(
            path, found, f"expected {wanted:,} by its header", "the file is cut off or damaged: fetch it again"
        )
    # A view of the bytearray keeps the values writable, so that torch takes them without a copy.
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _split(name: str) -> tuple[str, str]:
    match = NAME.match(Path(name).name)
    if match is None:
        raise DataError.of(
            name,
            "a file name of an unknown form",
            "expected e.g. train-images-idx3-ubyte.gz",
            "rename the file and its partner",
        )
    return match["stem"].lower(), match["role"].lower()
