"""What was measured on this machine, kept in the cache folder: the form of a step that was fastest for a network, and how
many trainings of a kind are fastest together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.data.cache import cache_root
from dressage.errors import DressageError
from dressage.files import read_json, to_json, write_json
from dressage.fit.population import Member, Pace, measure, sketch
from dressage.fit.speed import Choice, Form
from dressage.recipe import Train
from dressage.store.environment import environment

MACHINE = ("torch", "processor", "cores", "threads", "cpu_capability", "device", "device_name", "cuda", "mkldnn")
LARGEST = 1 << 16


def measured_file(model: nn.Module, x: Tensor, train: Train) -> Path:
    """Where the choice for this network, batch and machine is kept."""
    told: dict[str, object] = {"network": str(model), "batch": list(x.shape), "parameters": _shapes(model)}
    told |= {"given": [train.precision, train.memory_format, train.threads]}
    return _file(told, str(x.device))


def pace_of(members: Sequence[Member], most: int) -> Pace:
    """How fast trainings of one kin take steps alone and together, up to `most` at once: as it was measured the first time."""
    first = members[0]
    told: dict[str, object] = {
        "network": sketch(first),
        "parameters": _shapes(first.state.model),
    }
    told |= {
        "rows": list(first.batches.part.x.shape[1:]),
        "batch": first.batches.bounds[1],
        "average": first.recipe.average,
    }
    told |= {"optim": first.recipe.optim.name, "loss": first.recipe.loss.name, "augment": first.recipe.augment}
    told |= {"techniques": first.recipe.regularize.techniques, "orders": len({m.batches.seed for m in members})}
    file = _file(told, str(first.state.device))
    with suppress(DressageError, KeyError, TypeError, ValueError):
        kept = read_json(file, LARGEST)
        known = {int(size): float(pace) for size, pace in kept["together"].items()}
        if int(kept["most"]) >= most:
            return Pace(float(kept["alone"]), {size: pace for size, pace in known.items() if size <= most})
    pace = measure(members, most)
    together = {str(size): each for size, each in pace.together.items()}
    _write(file, {"alone": pace.alone, "together": together, "most": most})
    return pace


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
    _write(file, {**asdict(choice.form), "why": choice.why})


def _write(file: Path, told: Mapping[str, object]) -> None:
    with suppress(DressageError, OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, told)


def _file(told: Mapping[str, object], device: str) -> Path:
    here = environment(device)
    machine = {name: here.get(name) for name in MACHINE}
    text = to_json({**machine, **told, "threads": torch.get_num_threads()})
    return cache_root() / "measured" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _shapes(model: nn.Module) -> list[list[int]]:
    return [list(p.shape) for p in model.parameters()]
