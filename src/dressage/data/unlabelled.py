"""Data that is learned from without its labels: opened whether it has any or not, split as if they were asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dressage.data.arrays import as_array, open_arrays
from dressage.data.open import Progress, open_data
from dressage.data.source import Source
from dressage.data.split import split
from dressage.errors import DataError
from dressage.recipe.schema import Data

SAID = "contrastive: two views of each sample are to be found again; labels are looked at only to split the rows"


def open_unlabelled(data: object, section: Data, *, y: object = None, progress: Progress | None = None) -> Source:
    """`open_data` that takes an array of images without labels too. Raises DataError."""
    if y is None and _is_bare(data):
        x: Any = data
        return open_arrays(x, torch.arange(len(as_array(x, "x"))), section.model_copy(update={"task": "regression"}))
    return open_data(data, section, y=y, progress=progress)


def without_labels(source: Source) -> Source:
    """The same rows with the number of each as its target."""
    assumed = {**source.assumed, "task": SAID}
    y = torch.arange(source.rows)
    return replace(source, task="contrastive", y=y, target="", classes=(), heads=(), assumed=assumed)


def split_unlabelled(source: Source, section: Data, seed: int) -> dict[str, Tensor]:
    """The parts that a training on the labels would have, so that it can take the network over and be judged on rows new to it.

    At random where the labels bear no such split: one class, or a class of one row. Raises DataError.
    """
    try:
        return split(source, section, seed)
    except DataError:
        return split(without_labels(source), section, seed)


def _is_bare(data: object) -> bool:
    others = isinstance(data, str | os.PathLike | Mapping | Dataset) or hasattr(data, "__arrow_c_stream__")
    return not others and not (isinstance(data, tuple) and len(data) == 2)
