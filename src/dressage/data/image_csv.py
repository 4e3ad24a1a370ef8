"""A CSV of image paths and labels: which column is which is found by looking at the files it names."""

from __future__ import annotations

import csv
import io
import os
import stat
from pathlib import Path

from dressage import recipe
from dressage.data.image_files import Listing, is_image, part_of, shown, stamp
from dressage.data.labels import SHOWN
from dressage.errors import DataError, nearest

SAMPLE = 20
"""Rows looked at to tell a list of images from a table."""
LARGEST = 1 << 30
LABEL_NAMES = ("label", "labels", "class", "classes", "target", "category", "y", "species", "diagnosis")
SEPARATOR = "\x1f"
PART_COLUMNS = ("split", "part", "set", "fold", "subset", "partition", "usage", "dataset")


def lists_images(path: Path) -> bool:
    """Whether a CSV is a list of image files, by its first rows."""
    header = _head(path)
    return bool(header) and _path_column(path.parent, header) is not None


def list_csv(path: Path, section: recipe.Data) -> Listing | None:
    """The images that a CSV lists, or None where it is no list of images. Raises DataError.

    Paths are relative to the CSV's folder and must stay inside it; an optional split column names the parts.
    """
    header = _head(path)
    if not header:
        return None
    column = _path_column(path.parent, header)
    if column is None:
        return None
    names, rows = _read(path)
    labels = _label_columns(path, names, column, section.target)
    part = next((i for i, n in enumerate(names) if n.lower() in PART_COLUMNS and _all_parts(rows, i)), None)
    listing = _listing(path, rows, column)
    listing.labels = [SEPARATOR.join(row[label] for label in labels) for row in rows]
    listing.each = {names[label]: [row[label] for row in rows] for label in labels} if len(labels) > 1 else {}
    listing.parts = [part_of(row[part]) if part is not None else "" for row in rows]
    called = " and ".join(f"'{names[label]}'" for label in labels)
    listing.assumed["columns"] = f"paths in '{names[column]}', labels in {called}" + (
        f", parts from {names[part]}" if part is not None else ""
    )
    if section.group:
        if section.group not in names:
            raise DataError.of(
                path, f"no column '{section.group}'", nearest(section.group, names), "correct data.group"
            )
        listing.groups = [row[names.index(section.group)] for row in rows]
    left = [n for i, n in enumerate(names) if i not in (column, *labels, part) and n != section.group]
    if left:
        listing.assumed["ignored"] = f"columns beside path and label: {', '.join(map(shown, left[:SHOWN]))}"
    return listing


def _head(path: Path) -> list[list[str]]:
    """The first rows; empty where the file is not a CSV of at least two columns in UTF-8."""
    try:
        with path.open("rb") as file:
            text = file.read(1 << 16).decode("utf-8-sig", "surrogateescape")
        if "\0" in text:
            return []
        rows = [row for row in csv.reader(io.StringIO(text), _dialect(text)) if row][: SAMPLE + 1]
    except (OSError, csv.Error):
        return []
    return rows if len(rows) > 1 and len(rows[0]) > 1 else []


def _dialect(text: str) -> type[csv.Dialect]:
    first = text.splitlines()[0] if text else ""

    class Found(csv.excel):
        delimiter = max(",;\t|", key=first.count)

    return Found


def _path_column(folder: Path, rows: list[list[str]]) -> int | None:
    """The first column where more than half of the sampled cells are image files that exist."""
    for column in range(len(rows[0])):
        cells = [row[column] for row in rows[1:] if len(row) > column and is_image(row[column])]
        try:
            there = sum((folder / cell).is_file() for cell in cells)
        except (OSError, ValueError):
            continue
        if there and 2 * there >= len(rows) - 1:
            return column
    return None


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    size = path.stat().st_size
    if size > LARGEST:
        raise DataError.of(path, f"{size:,} bytes", f"expected at most {LARGEST:,}", "split the list")
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), _dialect(text))
    rows: list[list[str]] = []
    try:
        names = [name.strip() for name in next(reader)]
        for row in reader:
            if row and len(row) != len(names):
                found = f"line {reader.line_num} has {len(row)} cells"
                raise DataError.of(path, found, f"expected {len(names)} as in the first line", "correct that line")
            if row:
                rows.append(row)
    except csv.Error as error:
        raise DataError.of(path, f"line {reader.line_num}: {error}", "expected a CSV", "correct that line") from None
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        raise DataError.of(path, f"column '{doubled[0]}' occurs twice", "expected different names", "rename one")
    return names, rows


def _label_columns(path: Path, names: list[str], column: int, target: str) -> list[int]:
    """The column that `data.target` names, or several between commas; else the one that is called like labels."""
    wanted = [target] if target in names else list(dict.fromkeys(t.strip() for t in target.split(",") if t.strip()))
    for name in wanted:
        if name not in names:
            raise DataError.of(path, f"no column '{name}'", nearest(name, names), "correct --target")
        if names.index(name) == column:
            raise DataError.of(path, f"'{name}' holds the paths", "expected a column of labels", "correct --target")
    return [names.index(name) for name in wanted] or [_label_column(path, names, column)]


def _label_column(path: Path, names: list[str], column: int) -> int:
    known = [i for i, n in enumerate(names) if n.lower() in LABEL_NAMES and i != column]
    others = [i for i, n in enumerate(names) if i != column and n.lower() not in PART_COLUMNS]
    if known or len(others) == 1:
        return (known or others)[0]
    found = f"columns {', '.join(map(shown, names[:SHOWN]))}, none of them called label"
    raise DataError.of(path, found, "expected one column of labels", "name it with --target")


def _all_parts(rows: list[list[str]], column: int) -> bool:
    values = {row[column] for row in rows}
    return all(map(part_of, values)) and "train" in map(part_of, values)


def _listing(path: Path, rows: list[list[str]], column: int) -> Listing:
    root = os.path.realpath(path.parent)
    listing = Listing(root)
    bad = []
    for row in rows:
        name = row[column]
        try:
            real = os.path.realpath(os.path.join(root, name), strict=True)  # noqa: PTH118 - a Path a row is slow
            about = os.stat(real)  # noqa: PTH116
        except (OSError, ValueError):
            bad.append(f"{shown(name, 120)} does not exist")
            continue
        if not real.startswith(root + os.sep) or not stat.S_ISREG(about.st_mode):
            bad.append(f"{shown(name, 120)} is not a file inside the CSV's folder")
            continue
        listing.paths.append(name)
        listing.stamps.append(stamp(about))
    if bad:
        found = "; ".join(bad[:SHOWN]) + (f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else "")
        raise DataError.of(
            path,
            f"{len(bad)} of {len(rows)} paths cannot be used: {found}",
            "expected image files",
            "correct the paths",
        )
    return listing
