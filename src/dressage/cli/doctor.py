"""`dressage doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dressage import __version__
from dressage.cli.output import Output, short, table

PACKAGES = ("torch", "numpy", "pydantic", "safetensors", "pyarrow", "scikit-learn", "pillow", "simplejpeg")


def doctor(*, output: Output | None = None) -> None:
    """What this machine offers and whether all is well: versions, cores, device, number formats, disk.

    For example:
      dressage doctor
      dressage doctor --json
    """
    found = {"dressage": __version__, "python": platform.python_version(), **_packages(), **_torch(), **_disk()}
    problems = list(_problems(found))
    rows = [(name.replace("_", " "), value if value is not None else "not there") for name, value in found.items()]
    text = [*table(["what", "found"], [(name, str(value)) for name, value in rows], output), ""]
    text += [f"warning: {problem}" for problem in problems] or ["all is well"]
    (output or Output()).result({**found, "problems": problems}, text)


def _packages() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _torch() -> dict[str, Any]:
    import torch

    from dressage.fit.speed import has_bf16

    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name(0) if cuda else "mps" if torch.backends.mps.is_available() else "cpu"
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "vector_units": torch.backends.cpu.get_cpu_capability(),
        "bf16": "native" if has_bf16(torch.device("cuda" if cuda else "cpu")) else "emulated",
    }


def _disk() -> dict[str, Any]:
    from dressage.data.cache import cache_root
    from dressage.files import size_text

    cache = cache_root()
    held = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if cache.is_dir() else 0
    here = Path.cwd()
    return {
        "cache_folder": short(cache),
        "cache_size": size_text(held),
        "disk_free": size_text(shutil.disk_usage(here).free),
        "write_test": "passed" if _can_write(here) else "failed",
    }


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _problems(found: dict[str, Any]) -> Iterator[str]:
    for name in PACKAGES:
        if found[name] is None:
            yield f"{name} is not there; expected it beside dressage; run pip install {name}"
    if found["write_test"] != "passed":
        yield "this folder cannot be written in; expected a place for runs; go to another folder or give --out"
