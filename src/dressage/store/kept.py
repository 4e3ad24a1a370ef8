"""What a run folder keeps of its network beside the recipe: the fitted preprocessing, and the weights that predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dressage.data.preprocess import Preprocess
from dressage.errors import DressageError, RunError
from dressage.optim import keeps_average
from dressage.recipe import Recipe
from dressage.store.checkpoint import newest, read_checkpoint
from dressage.store.manifest import read_verified
from dressage.store.tensors import read_tensors

PREPROCESS = "data.safetensors"


def kept_preprocess(folder: Path, data: Mapping[str, Any]) -> Preprocess:
    """The preprocessing as it was fitted; `data` is data.json. Raises RunError where it is not what was written."""
    try:
        size, digest = data["tensors"]
        content = read_verified(folder, PREPROCESS, size, digest)
        return Preprocess.from_state(data["preprocess"], read_tensors(content, folder / PREPROCESS))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise damaged(folder) from None


def damaged(folder: Path) -> DressageError:
    """What is raised of a data.json that no run writes."""
    found, expected = "was changed or damaged", "expected what dressage wrote"
    return RunError.of(folder / "data.json", found, expected, "restore it from a copy, or repeat the run")


def kept_weights(folder: Path, recipe: Recipe) -> dict[str, Tensor]:
    """The best weights of a run, or its last where none are best. Raises RunError where it has no checkpoint."""
    step, _ = newest(folder)
    if step is None:
        found, expected = "it has no checkpoint", "expected a run that was trained"
        raise RunError.of(folder, found, expected, f"try `dressage resume {folder}`")
    saved = read_checkpoint(folder, step)
    # Within an epoch the batch-norm statistics of an average are stale, unless it moves between epochs only.
    lasting = keeps_average(recipe.optim.name) and saved.state.get("epoch", 0) > 0
    whole = saved.state.get("batch", 0) == 0 or lasting
    average = saved.tensors.get("average") if whole else None
    return saved.tensors.get("best") or average or saved.tensors["model"]
