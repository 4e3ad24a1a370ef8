"""The image files of a folder with their classes and parts, found by looking; nothing is opened yet."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dressage.data.labels import SHOWN
from dressage.data.named_arrays import PART_NAMES
from dressage.errors import DataError, printable

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
Stamp = tuple[int, int, int, int]
"""Size in bytes, times of the last change of content and of the file's record in ns, inode."""


@dataclass(slots=True)
class Listing:
    """Image files in a fixed order: `paths` relative to `root`, and for each its label, part (`""`: none) and stamp."""

    root: str
    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    """Of several targets all of a row's, in one text."""
    each: dict[str, list[str]] = field(default_factory=dict)
    """The labels of each of several targets by name; empty for one."""
    parts: list[str] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    assumed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def list_folder(folder: Path) -> Listing:
    """`train|val|test/<class>/…` or `<class>/…`: the images with their classes, class names sorted.

    Raises DataError for links that lead out of the folder or in circles, and for folders that cannot be read.
    """
    root = os.path.realpath(folder)
    listing = Listing(root)
    folders, loose = _children(root, listing)
    if len(folders) == 1 and not loose and "train" in map(part_of, _children(str(Path(root, folders[0])), listing)[0]):
        listing.assumed["folder"] = f"the only folder inside, {shown(folders[0])}"
        listing.root = root = str(Path(root, folders[0]))
        listing.skipped.clear()
        folders, loose = _children(root, listing)
    parts = _part_folders(folder, folders)
    if parts:
        listing.assumed["parts"] = ", ".join(f"{part} from {shown(name)}/" for part, name in parts.items())
        others = [name for name in folders if name not in parts.values()]
        for part, name in parts.items():
            _add_classes(listing, part, name)
    else:
        others = []
        for name in sorted(folders):
            _add_images(listing, "", name, name)
    if loose:
        listing.warnings.append(f"{loose} images outside any class folder were left out")
    if others:
        listing.warnings.append(f"folders that are no part were left out: {_some(others)}")
    if listing.skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(listing.skipped.items()))
        listing.assumed["skipped"] = f"files that are not images by their names: {kinds}"
    return listing


def part_of(name: str) -> str:
    """`val` -> `validation`; `""` for a name that means no part."""
    return PART_NAMES.get(name.strip().lower(), "")


def stamp(found: os.stat_result) -> Stamp:
    """What changes when a file changes."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def is_image(name: str) -> bool:
    """Whether a file is called like an image."""
    return name.lower().endswith(SUFFIXES)


def shown(name: object, limit: int = 120) -> str:
    """A name as it can stand in one line on a terminal."""
    return printable(name, limit)


def _part_folders(folder: Path, names: list[str]) -> dict[str, str]:
    """The folders that are parts, by part; empty when there is no train among them."""
    found: dict[str, str] = {}
    for name in sorted(names):
        part = part_of(name)
        if part and part in found and "train" in map(part_of, names):
            where = f"'{found[part]}' and '{name}' both mean {part}"
            raise DataError.of(folder, where, "expected one folder a part", "rename or move one of them")
        if part:
            found[part] = name
    return {part: found[part] for part in ("train", "validation", "test") if part in found} if "train" in found else {}


def _add_classes(listing: Listing, part: str, name: str) -> None:
    folders, loose = _children(str(Path(listing.root, name)), listing)
    if loose:
        listing.warnings.append(f"{loose} images in {shown(name)}/ without a class folder were left out")
    for label in sorted(folders):
        _add_images(listing, part, label, f"{name}/{label}")


def _add_images(listing: Listing, part: str, label: str, inside: str) -> None:
    """Adds all images below the folder `inside`, in the order of their paths."""
    found = sorted(_walk(listing, inside))
    if not found:
        listing.warnings.append(f"the folder {shown(inside)}/ has no image")
    listing.paths += [path for path, _ in found]
    listing.stamps += [about for _, about in found]
    listing.labels += [label] * len(found)
    listing.parts += [part] * len(found)


def _walk(listing: Listing, inside: str) -> Iterator[tuple[str, Stamp]]:
    folders = [inside]
    while folders:
        here = folders.pop()
        for entry in _entries(listing.root + os.sep + here):
            path = f"{here}/{entry.name}"
            if entry.is_symlink():
                _check_link(listing.root, entry)
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    folders.append(path)
                continue
            if entry.name.startswith(".") or not is_image(entry.name):
                listing.skipped[_kind(entry.name)] += 1
                continue
            about = entry.stat()
            if stat.S_ISREG(about.st_mode):
                yield path, stamp(about)
            else:
                listing.skipped["special"] += 1


def _children(folder: str, listing: Listing) -> tuple[list[str], int]:
    """The folders and the number of images directly in `folder`; other files are counted as skipped."""
    folders, loose = [], 0
    for entry in _entries(folder):
        if entry.is_symlink():
            _check_link(listing.root, entry)
        if entry.name.startswith("."):
            listing.skipped["hidden"] += 1
        elif entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        elif is_image(entry.name):
            loose += 1
        else:
            listing.skipped[_kind(entry.name)] += 1
    return folders, loose


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError.of(
            folder, f"cannot be read ({error.strerror})", "expected a folder", "check its permissions"
        ) from None


def _check_link(root: str, entry: os.DirEntry[str]) -> None:
    """A link to a file inside the tree is a file; any other may repeat data endlessly or fetch what was never meant."""
    try:
        target = os.path.realpath(entry.path, strict=True)
        fine = target.startswith(root + os.sep) and not entry.is_dir()
    except (OSError, RuntimeError):
        fine, target = False, "nowhere"
    if not fine:
        found = f"the link leads to {shown(target, 200)}"
        raise DataError.of(
            entry.path, found, "expected links to files inside the folder", "replace it by a copy, or remove it"
        )


def _kind(name: str) -> str:
    return "hidden" if name.startswith(".") else shown(Path(name).suffix.lower()[:12] or "without suffix")


def _some(names: list[str]) -> str:
    return ", ".join(map(shown, sorted(names)[:SHOWN])) + (", …" if len(names) > SHOWN else "")
