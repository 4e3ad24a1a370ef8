"""New rows for a trained network: read as the training's were, with or without targets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dressage import recipe
from dressage.data.arrays import as_array, lay_out
from dressage.data.image_csv import lists_images
from dressage.data.image_files import is_image
from dressage.data.kinds import other_kind, require_kind
from dressage.data.loose_images import read_loose
from dressage.data.named_arrays import X_NAMES, Y_NAMES
from dressage.data.npz import read_npy, read_npz
from dressage.data.open import open_data
from dressage.data.preprocess import Preprocess
from dressage.data.several import class_numbers, columns_of, named_targets, numbers_of
from dressage.data.source import Source
from dressage.errors import DataError


@dataclass(frozen=True, slots=True)
class Inputs:
    """Rows to predict: `x` goes into `Preprocess.apply`; `y` class numbers or values where every row has one, else None."""

    x: Tensor | pa.Table
    y: Tensor | None
    ids: Sequence[str]
    notes: Sequence[str] = ()


def open_inputs(data: object, preprocess: Preprocess, *, y: object = None) -> Inputs:
    """Reads `data`, a path, a named set, arrays, a frame or a torch Dataset, for a network trained on rows like these.

    Raises DataError when it is of another kind or shape than the training's, or its labels are not the training's classes.
    """
    require_kind(data, preprocess)
    inputs = _read_table(data, preprocess) if preprocess.kind == "table" else _read_tensors(data, preprocess)
    return (
        inputs
        if y is None or preprocess.task == "contrastive"
        else Inputs(inputs.x, _given(y, preprocess), inputs.ids, inputs.notes)
    )


def _given(y: object, preprocess: Preprocess) -> Tensor:
    """Labels that were given beside the rows."""
    if not preprocess.heads:
        return _numbers(as_array(y, "y").tolist(), preprocess)
    several = named_targets(y)
    if several is None:
        names = ", ".join(head.name for head in preprocess.heads)
        raise DataError.of("y", f"a {type(y).__name__}", f"expected {names} by name", "e.g. y={'kind': …, 'size': …}")
    return numbers_of(
        {name: as_array(labels, f"y['{name[:60]}']").tolist() for name, labels in several.items()}, preprocess.heads
    )


def _read_table(data: object, preprocess: Preprocess) -> Inputs:
    try:
        table = Path(data) if isinstance(data, str | os.PathLike) else pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        found = f"{type(data).__name__} that is no table ({str(error)[:200]})"
        raise other_kind("data", found, preprocess) from None
    rows = preprocess.table(table)
    return Inputs(rows.x, rows.y, rows.ids, [*rows.notes, *_unknown_words(rows.x, preprocess)])


def _unknown_words(x: pa.Table, preprocess: Preprocess) -> list[str]:
    """A note for each column with words that have no feature of their own: the network cannot tell them apart."""
    notes = []
    for encoding in preprocess.encodings:
        if encoding.kind != "category":
            continue
        words = x[encoding.name].drop_null()
        unknown = words.filter(pc.invert(pc.is_in(words, pa.array(encoding.levels, words.type))))
        if len(unknown):
            treated = "as other" if encoding.other else "as none of them"
            notes.append(
                f"{encoding.name}: {len(unknown)} cells hold words that the training had rarely or never, "
                f"e.g. '{unknown[0].as_py()}'; they count {treated}"
            )
    return notes


def _read_tensors(data: object, preprocess: Preprocess) -> Inputs:
    inputs = _read_path(Path(data), preprocess) if isinstance(data, str | os.PathLike) else None
    if inputs is None and isinstance(data, str | dict | os.PathLike | Dataset):
        several = ",".join(head.name for head in preprocess.heads)  # names that a list of images has its columns by
        task = preprocess.task if preprocess.task in ("classification", "regression") else "auto"
        inputs = _labelled(
            open_data(data, recipe.Data(task=task, target=several if _is_list(data) else "")), preprocess
        )
    if inputs is None:
        x = _fitting(as_array(data, "x"), "x", preprocess)
        inputs = Inputs(x, None, _numbered(len(x)))
    return inputs


def _is_list(data: object) -> bool:
    return isinstance(data, str | os.PathLike) and Path(data).is_file() and lists_images(Path(data))


def _read_path(path: Path, preprocess: Preprocess) -> Inputs | None:
    """Files that may hold rows without labels; None for what only holds them with labels."""
    if path.suffix.lower() == ".npy":
        x = _fitting(read_npy(path), str(path), preprocess)
        return Inputs(x, None, _numbered(len(x)))
    if path.suffix.lower() == ".npz":
        members = read_npz(path)
        xs, ys = ([m for m in members if m.lower() in names] for names in (X_NAMES, Y_NAMES))
        if not xs and len(members) != 1:
            return None
        x = _fitting(members[xs[0] if xs else next(iter(members))], str(path), preprocess)
        labelled = ys and not preprocess.heads and preprocess.task != "contrastive" and len(members[ys[0]]) == len(x)
        y = _numbers(members[ys[0]].tolist(), preprocess) if labelled else None
        if preprocess.heads:
            named = {head.name: members[head.name].tolist() for head in preprocess.heads if head.name in members}
            y = numbers_of(named, preprocess.heads) if len(named) == len(preprocess.heads) else None
        return Inputs(x, y, _numbered(len(x)))
    if preprocess.kind == "images" and (path.is_dir() or is_image(path.name)):
        height, width, channels = preprocess.sample_shape
        read = read_loose(path, (height, width, channels), preprocess.classes)
        if read is None:
            return None
        labels = None if read.labels is None or preprocess.task == "regression" else _numbers(read.labels, preprocess)
        return Inputs(read.x, labels, read.ids, read.notes)
    return None


def _labelled(source: Source, preprocess: Preprocess) -> Inputs:
    """All rows of a source; where it has parts, those of its test part."""
    rows = source.given.get("test", torch.arange(source.rows))
    if not isinstance(source.x, Tensor):
        raise other_kind(source.name, "a table", preprocess)
    _check_fits(source.x, source.name, preprocess)
    y = source.y[rows]
    ids = [source.ids[i] for i in rows.tolist()] if source.ids is not None else [f"row {i}" for i in rows.tolist()]
    if preprocess.task == "contrastive":
        return Inputs(source.x[rows], None, ids)
    labels = _numbers([source.classes[i] for i in y.tolist()], preprocess) if source.classes else y
    if source.heads or preprocess.heads:
        labels = _of_heads(source, y, preprocess)
    return Inputs(source.x[rows], labels, ids)


def _of_heads(source: Source, y: Tensor, preprocess: Preprocess) -> Tensor:
    named = {
        head.name: [head.classes[i] for i in column.tolist()] if head.classes else column.tolist()
        for head, column in zip(source.heads, columns_of(y, source.heads), strict=True)
    }
    return numbers_of(named, preprocess.heads)


def _numbers(labels: Sequence[object], preprocess: Preprocess) -> Tensor:
    if preprocess.task == "regression":
        return torch.tensor(labels, dtype=torch.float32)
    return torch.tensor(class_numbers(labels, preprocess.classes, "labels"))


def _fitting(values: np.ndarray, where: str, preprocess: Preprocess) -> Tensor:
    x, _ = lay_out(values, where)
    _check_fits(x, where, preprocess)
    return x


def _check_fits(x: Tensor, where: str, preprocess: Preprocess) -> None:
    """Raises DataError unless these are images where the training had images, and of the same shape."""
    wanted, size = preprocess.sample_shape, tuple(x.shape[1:])
    if (x.dtype == torch.uint8) != (preprocess.kind == "images"):
        found = f"uint8 images of {size[1]}×{size[0]} pixels" if x.dtype == torch.uint8 else f"numbers of shape {size}"
        raise other_kind(where, found, preprocess)
    if size != tuple(wanted):
        raise DataError.of(
            where,
            f"samples of shape {size}",
            f"expected {tuple(wanted)} as in training",
            "bring them to that shape",
        )


def _numbered(count: int) -> list[str]:
    return [f"row {i}" for i in range(count)]
