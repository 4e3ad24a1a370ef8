"""Image files to predict: one file, or all below a folder; labels only where the folders are named as the classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dressage.data.image_files import Listing, is_image, stamp
from dressage.data.image_pass import decode_all, probe_all
from dressage.errors import DataError


@dataclass(frozen=True, slots=True)
class LooseImages:
    """Images `x` `(N, H, W, C)` uint8, and their labels where every folder's name is a class."""

    x: Tensor
    labels: Sequence[str] | None
    ids: Sequence[str]
    notes: Sequence[str]


def read_loose(path: Path, shape: tuple[int, int, int], classes: Sequence[str]) -> LooseImages | None:
    """Decodes an image or a folder of images to `shape` `(H, W, C)`; None when there is no image file.

    Images of another size are brought to it as in training. Of a folder with a test part, that part is read.
    Raises DataError for files that cannot be decoded.
    """
    root, paths = _files(path)
    if not paths:
        return None
    listing = Listing(str(root), paths, stamps=[stamp((root / p).stat()) for p in paths])
    probed = probe_all(listing, None)
    height, width, _ = shape
    same = bool((probed.height == height).all() and (probed.width == width).all())
    if not same and height != width:
        raise DataError.of(
            path, "images of another size", f"expected {width}x{height} as in training", "bring them to that size"
        )
    notes: dict[str, object] = {}
    pieces = decode_all(listing, probed, (len(paths), *shape), square=not same, notes=notes, progress=None)
    x = torch.from_numpy(np.concatenate(list(pieces)))
    folders = [Path(p).parent.name for p in paths]
    labels = folders if set(folders) <= set(classes) else None
    resized = (
        [] if same else [f"images are cut to their central square and brought to {width}x{height}, as in training"]
    )
    return LooseImages(x, labels, paths, resized)


def _files(path: Path) -> tuple[Path, list[str]]:
    if path.is_file():
        return path.parent, [path.name]
    root = path / "test" if (path / "test").is_dir() else path
    found = []
    for folder, folders, files in os.walk(root):  # links to folders are not followed
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        inside = os.path.relpath(folder, root)
        found += [os.path.normpath(f"{inside}/{f}") for f in sorted(files) if is_image(f) and not f.startswith(".")]
    return root, found
