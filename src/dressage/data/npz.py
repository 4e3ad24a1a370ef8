"""npy and npz files, read without pickle, and only after the header was checked against the bytes that follow."""

from __future__ import annotations

import os
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from dressage import recipe
from dressage.data.named_arrays import open_named_arrays
from dressage.data.source import Source
from dressage.errors import DataError

LARGEST_HEADER = 10_000
MOST_MEMBERS = 1000
BOMB_BYTES = 256 << 20
BOMB_RATIO = 100
"""A member above both is refused: deflate reaches 1032 on zeros, real data seldom 10."""


def open_npz(path: Path, section: recipe.Data) -> Source:
    """The arrays of an npz file as a source. Raises DataError."""
    return open_named_arrays(read_npz(path), section, name=str(path))


def open_npy(path: Path, section: recipe.Data, *, name: str = "") -> Source:
    """A folder of npy files, or the folder of the one npy file given, as a source. Raises DataError."""
    folder = path if path.is_dir() else path.parent
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".npy" and not p.name.startswith("."))
    if len(files) < 2:
        repair = "put the labels beside it as y.npy, or save both in one npz"
        raise DataError.of(path, "a single npy file", "expected x and y", repair)
    return open_named_arrays({p.stem: read_npy(p) for p in files}, section, name=name or str(path))


def read_npy(path: Path) -> np.ndarray:
    """A copy-on-write memory map of the array in an npy file. Raises DataError."""
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(file, str(path))
            offset, size = file.tell(), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DataError.of(
            path, f"cannot be read ({error.strerror})", "expected a readable file", "check its permissions"
        ) from None
    _check_size(str(path), shape, dtype, size - offset)
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "c", offset, shape, "F" if fortran else "C")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file by name; sizes are checked before anything is unpacked. Raises DataError."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if not members or len(members) > MOST_MEMBERS:
                found = f"{len(members)} arrays among {len(archive.infolist())} files"
                raise DataError.of(
                    path, found, f"expected 1 to {MOST_MEMBERS} arrays", "write it with np.savez(file, x=x, y=y)"
                )
            _check_bomb(path, members)
            for member in members:
                with archive.open(member) as file:
                    arrays[member.filename[: -len(".npy")]] = _read_member(
                        file, f"{path}: {member.filename}", member.file_size
                    )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError.of(
            path, f"cannot be read ({error})", "expected an npz file", "write it anew with np.savez(file, x=x, y=y)"
        ) from None
    return arrays


def _check_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    free = available_memory()
    total = sum(m.file_size for m in members)
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > BOMB_BYTES and ratio > BOMB_RATIO:
            found = f"{member.filename} unpacks from {member.compress_size:,} to {member.file_size:,} bytes"
            raise DataError.of(
                path,
                found,
                f"expected less than {BOMB_RATIO} times",
                "if it is what you want, save it with np.savez, uncompressed",
            )
    if total > free:
        found = f"the arrays take {total:,} bytes and {free:,} are free in memory"
        raise DataError.of(
            path,
            found,
            "expected data that fits in memory",
            "save each array as an npy file in one folder: those are mapped, not loaded",
        )


def _read_member(file: IO[bytes], where: str, size: int) -> np.ndarray:
    shape, fortran, dtype = _header(file, where)
    count = _check_size(where, shape, dtype, size - file.tell())
    array = np.empty(count, dtype)
    view, filled = array.view(np.uint8).reshape(-1).data, 0
    while filled < len(view):
        piece = file.read(min(1 << 20, len(view) - filled))
        if not piece:
            raise EOFError(f"{where} ends after {filled:,} of {len(view):,} bytes")
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and type from an npy header; raises DataError for objects, structures and nonsense."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of headers written by Python 2.
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file, max_header_size=LARGEST_HEADER)
    except Exception as error:  # NumPy hands the text to Python's parser, which can fail in many ways.
        raise DataError.of(
            where, f"no npy header ({str(error)[:200]})", "expected an array saved by np.save", "save it anew"
        ) from None
    if dtype.hasobject:
        raise DataError.of(
            where,
            "holds Python objects, which only pickle can read, and pickle can run code",
            "expected numbers or texts",
            "save it as np.asarray(values, dtype=...)",
        )
    if dtype.kind not in "biufUS":
        raise DataError.of(
            where, f"values of type {dtype}", "expected real numbers or texts", "save each field as its own array"
        )
    return shape, fortran, dtype


def _check_size(where: str, shape: tuple[int, ...], dtype: np.dtype, there: int) -> int:
    """The number of values; raises DataError unless the header's shape is what the file has bytes for."""
    count = 1
    for side in shape:
        count *= side
    if count * dtype.itemsize != there or min(shape, default=0) < 0:
        found = f"the header claims {shape} of {dtype}, {count * dtype.itemsize:,} bytes, and {there:,} follow"
        raise DataError.of(where, found, "expected them to agree", "the file is cut off or damaged: save it anew")
    return count


def available_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
