"""Image files into one uint8 tensor: decoded once, in parallel, into a cache that later runs map into memory."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dressage import recipe
from dressage.data import cache
from dressage.data.fingerprint import fingerprint, named_classes
from dressage.data.image_csv import list_csv
from dressage.data.image_files import Listing, list_folder, shown
from dressage.data.image_pass import Probed, decode_all, probe_all
from dressage.data.labels import SHOWN, Targets, check_classes, read_targets
from dressage.data.several import joined
from dressage.data.source import Head, Source
from dressage.errors import DataError

Progress = Callable[[str, int, int], None]
LARGEST_NATIVE = 256
"""Images of one size keep it up to this many pixels a side."""
CHOSEN_SIDE = 64
"""Side that larger images, or images of different sizes, are brought to unless the recipe says otherwise."""
SETTLED_NS = 2_000_000_000
"""A file changed twice within the clock's tick keeps its times, so what is younger than this is not remembered."""


def open_images(path: Path, section: recipe.Data, *, progress: Progress | None = None) -> Source:
    """The images of a folder (`train|val|test/<class>/`, `<class>/`) or of a CSV of paths and labels.

    `x (N, H, W, C)` uint8, mapped from the cache. Images of one size up to 256 keep it; all others are brought to a
    square of `image_size` (else the median shorter side, 64 at most): its central square, resampled bicubically.
    C is 1 where every image is grey, else 3. Raises DataError naming every file that gives no image.
    """
    listing = list_folder(path) if path.is_dir() else list_csv(path, section)
    if listing is None:
        raise DataError.of(
            path, "lists no image files", "expected a CSV with a column of image paths", "check the paths"
        )
    return source_of(listing, path, section, progress)


def source_of(listing: Listing, path: Path, section: recipe.Data, progress: Progress | None = None) -> Source:
    """The source of images that are listed. Raises DataError."""
    if not listing.paths:
        notes = "; ".join([*listing.warnings, *listing.assumed.values()])
        found = "no images in class folders" + (f" ({notes})" if notes else "")
        raise DataError.of(
            path, found, "expected train/<class>/… or <class>/…", "sort the images into a folder a class"
        )
    given = _given(path, listing)
    targets, heads, warnings = _read_targets(path, listing, section, given)
    images, assumed, more = _cached(listing, section, progress)
    damaged = [listing.paths[row] for row in images.notes.get("damaged", []) if row < len(listing.paths)]
    if damaged:
        more.append(f"damaged files that could be decoded all the same: {_some(damaged)}")
    return Source(
        name=str(path),
        kind="images",
        x=images.x,
        y=targets.y,
        task=targets.task,
        target=", ".join(listing.each) or section.target or "class",
        classes=targets.classes,
        given=given,
        group=_groups(listing),
        ids=listing.paths,
        assumed={**listing.assumed, **assumed, **targets.assumed},
        warnings=[*listing.warnings, *warnings, *more],
        fingerprint=fingerprint(images.digest, targets.y, given, targets.classes or named_classes(heads)),
        heads=heads,
    )


def _read_targets(
    path: Path, listing: Listing, section: recipe.Data, given: dict[str, Tensor]
) -> tuple[Targets, tuple[Head, ...], list[str]]:
    """The target, or several as columns of one with their heads; and warnings about thin classes."""
    if not listing.each:
        one = _targets(path, listing.labels, listing.paths, section, from_folder=path.is_dir())
        return one, (), check_classes(str(path), one.y, one.classes, given) if one.classes else []
    each, warnings = dict[str, Targets](), list[str]()
    for name, labels in listing.each.items():
        found = _targets(path, labels, listing.paths, section, from_folder=False)
        if found.classes:
            warnings += check_classes(f"{path}: {shown(name)}", found.y, found.classes, given)
        each[name] = found
    y, heads = joined(str(path), each)
    kinds = ", ".join(f"{shown(name, 40)} {found.task}" for name, found in each.items())
    return Targets(y, "multi", (), {"task": f"several targets: {kinds}"}), heads, warnings


def _targets(path: Path, labels: list[str], paths: list[str], section: recipe.Data, *, from_folder: bool) -> Targets:
    if section.time:
        raise DataError.of("data.time", f"'{section.time}' given for images", "expected no time column", "leave it out")
    task = "classification" if from_folder and section.task == "auto" else section.task
    if task != "classification":
        numbers = _numbers(labels)
        if numbers is not None or task == "regression":
            raw = np.array(labels) if numbers is None else numbers
            found = read_targets(f"{path}: labels", raw, task)
            if found.task == "regression":
                return found
    names = sorted(set(labels))
    number = {name: i for i, name in enumerate(names)}
    y = torch.tensor([number[label] for label in labels], dtype=torch.int64)
    if "" in number:
        row = paths[int((y == number[""]).nonzero()[0])]
        raise DataError.of(path, f"no label for {shown(row, 120)}", "expected a label in every row", "fill it in")
    why = "the folders' names" if from_folder else "the labels"
    return Targets(y, "classification", tuple(names), {"task": f"classification: {len(names)} classes, {why}"})


def _numbers(labels: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(label) for label in labels])
    except ValueError:
        return None


def _given(path: Path, listing: Listing) -> dict[str, Tensor]:
    parts = np.array(listing.parts)
    found = [part for part in ("train", "validation", "test") if (parts == part).any()]
    if found and "train" not in found:
        raise DataError.of(
            path, f"no images in train, but in {', '.join(found)}", "expected a train part", "add images to train"
        )
    return {part: torch.from_numpy(np.flatnonzero(parts == part)) for part in found}


def _groups(listing: Listing) -> Tensor | None:
    if not listing.groups:
        return None
    number = {name: i for i, name in enumerate(sorted(set(listing.groups)))}
    return torch.tensor([number[name] for name in listing.groups], dtype=torch.int64)


def _cached(
    listing: Listing, section: recipe.Data, progress: Progress | None
) -> tuple[cache.Cached, dict[str, str], list[str]]:
    """The pixels, what was assumed and warnings: from the cache where it has them, else decoded into it."""
    started = time.time_ns()
    seen = _listing_key(listing, section.image_size)
    known = cache.recall(seen)
    if known is not None:
        images = cache.load(str(known["content"]))
        if images is not None:
            return images, dict(known["assumed"]), list(known["warnings"])
    probed = probe_all(listing, progress)
    height, width, channels, square, why = choose_size(probed, section.image_size)
    assumed = {"images": why, **_told(listing, probed)}
    warnings = _repeated(listing, probed.digests)
    key = _content_key(probed.digests, (height, width, channels))
    shape = (len(listing.paths), height, width, channels)
    with cache.locked(key):
        images = cache.load(key)
        if images is None:
            cache.make_room(int(np.prod(shape, dtype=object)), section.cache_limit)
            notes: dict[str, object] = {"damaged": []}
            pieces = decode_all(listing, probed, shape, square=square, notes=notes, progress=progress)
            images = cache.store(key, shape, pieces, notes)
    if max(ctime for _, _, ctime, _ in listing.stamps) < started - SETTLED_NS:
        cache.remember(seen, {"content": key, "assumed": assumed, "warnings": warnings})
    return images, assumed, warnings


def choose_size(probed: Probed, wanted: int) -> tuple[int, int, int, bool, str]:
    """Height, width and channels of all images, whether they are cut to a square and resampled, and why."""
    heights, widths = probed.height, probed.width
    channels = 1 if (probed.channels == 1).all() else 3
    colour = "grey" if channels == 1 else "RGB"
    height, width = int(heights[0]), int(widths[0])
    same = bool((heights == height).all() and (widths == width).all())
    if same and (wanted in (0, height) and wanted in (0, width)) and max(height, width) <= max(LARGEST_NATIVE, wanted):
        return height, width, channels, False, f"{width}×{height} {colour}, as they are"
    sizes = f"{widths.min()}×{heights.min()} to {widths.max()}×{heights.max()}" if not same else f"{width}×{height}"
    side = wanted or min(CHOSEN_SIDE, int(np.median(np.minimum(heights, widths))))
    why = "as asked" if wanted else f"the median shorter side, {CHOSEN_SIDE} at most; data.image_size sets it"
    text = f"{side}×{side} {colour}: the central square of images of {sizes}, resampled ({why})"
    return side, side, channels, True, text


def _told(listing: Listing, probed: Probed) -> dict[str, str]:
    told = {}
    for text, rows in probed.told().items():
        told[f"images {text.split(',')[0]}"] = f"{len(rows)} {text}, e.g. {shown(listing.paths[rows[0]], 120)}"
    if (probed.channels == 1).any() and (probed.channels == 3).any():
        told["grey images"] = f"{(probed.channels == 1).sum()} of {len(probed.channels)} are grey, repeated over RGB"
    return told


def _repeated(listing: Listing, digests: list[bytes]) -> list[str]:
    """Warnings about files with the same bytes in two parts, in two classes, or where a split may part them."""
    first: dict[bytes, int] = {}
    across: list[str] = []
    classes: list[str] = []
    within: list[str] = []
    for row, digest in enumerate(digests):
        twin = first.setdefault(digest, row)
        if twin == row:
            continue
        pair = f"{shown(listing.paths[twin], 120)} = {shown(listing.paths[row], 120)}"
        if listing.parts[twin] != listing.parts[row]:
            across.append(pair)
        elif not listing.parts[row]:
            within.append(pair)
        if listing.labels[twin] != listing.labels[row]:
            classes.append(pair)
    texts = {
        "the same image in two parts, so the score of the later part is too good": across,
        "the same image under two labels": classes,
        "the same image more than once, perhaps on both sides of the split": within,
    }
    return [f"{len(pairs)} × {text}: {_some(pairs)}" for text, pairs in texts.items() if pairs]


def _listing_key(listing: Listing, image_size: int) -> str:
    rows = zip(listing.paths, listing.labels, listing.parts, listing.stamps, strict=True)
    text = "\n".join([f"2\0{listing.root}\0{image_size}", *[f"{p}\0{c}\0{s}\0{t}" for p, c, s, t in rows]])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _content_key(digests: list[bytes], shape: tuple[int, int, int]) -> str:
    settings = json.dumps({"decoder": 1, "shape": shape}).encode()
    return hashlib.sha256(settings + b"".join(digests)).hexdigest()[:40]


def _some(names: list[str]) -> str:
    listed = ", ".join(shown(name, 250) for name in names[:SHOWN])
    return listed + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
