"""What was measured on this machine, kept in the cache folder: the form of a step that was fastest for a network."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.data.cache import cache_root
from dressage.errors import DressageError
from dressage.files import read_json, to_json, write_json
from dressage.fit.speed import Choice, Form
from dressage.recipe import Train
from dressage.store.environment import environment

MACHINE = ("torch", "processor", "cores", "threads", "cpu_capability", "device", "device_name", "cuda", "mkldnn")
LARGEST = 1 << 16


def measured_file(model: nn.Module, x: Tensor, train: Train) -> Path:
    """Where the choice for this network, batch and machine is kept."""
    here = environment(str(x.device))
    told: dict[str, object] = {name: here.get(name) for name in MACHINE}
    told |= {"network": str(model), "batch": list(x.shape), "parameters": [list(p.shape) for p in model.parameters()]}
    told |= {"given": [train.precision, train.memory_format, train.threads], "threads": torch.get_num_threads()}
    return cache_root() / "measured" / f"{hashlib.sha256(to_json(told).encode()).hexdigest()}.json"


def recall(file: Path) -> Choice | None:
    """The choice in a file; None where there is none or it cannot be read."""
    with suppress(DressageError, KeyError, TypeError, ValueError):
        kept = read_json(file, LARGEST)
        form = Form(kept["precision"], kept["memory_format"], int(kept["threads"]))
        if form.precision in ("float32", "bf16") and form.memory_format in ("contiguous", "channels_last"):
            return Choice(form, str(kept["why"])) if 1 <= form.threads <= 1024 else None
    return None


def remember(file: Path, choice: Choice) -> None:
    """Keeps a choice; where nothing can be written it is measured again the next time."""
    with suppress(DressageError, OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {**asdict(choice.form), "why": choice.why})
