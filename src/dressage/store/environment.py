"""What a run was made with and on: what its numbers may depend on, and nothing secret."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dressage.version import __version__

Environment = dict[str, str | int | bool | list[str] | None]
_PACKAGES = ("numpy", "safetensors", "pyarrow", "pillow", "simplejpeg", "scikit-learn")
_SECRET = re.compile(r"(token|secret|passw|api[-_]?key|credential|auth)", re.IGNORECASE)
_LOGIN = re.compile(r"(\w+://)[^/@\s]+@")
# What can change the bits of a result; the rest of the record is for people.
_SOFTWARE = ("dressage", "torch", "numpy", "cuda", "cudnn", "deterministic", "mkldnn", "matmul_precision")
_NUMERIC = (*_SOFTWARE, "machine", "processor", "cpu_capability", "threads", "device", "device_name")


def environment(device: str = "cpu") -> Environment:
    """Versions, machine, processor, threads, device, the switches that change numbers, and the command.

    `processor` is the model's name, `cores` those this process may use, `memory` bytes. No environment variable, user
    or host name is kept, and in the command what follows a word like token or password is left out.
    """
    import torch
    from torch.backends import cudnn, mkldnn

    on_cuda = device.startswith("cuda") and torch.cuda.is_available()
    found: Environment = {"dressage": __version__, "python": platform.python_version(), "torch": str(torch.__version__)}
    found |= {name: _version(name) for name in _PACKAGES}
    found |= {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _memory(),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if on_cuda else None,
        "cuda": torch.version.cuda if on_cuda else None,
        "cudnn": cudnn.version() if on_cuda else None,  # type: ignore[no-untyped-call]
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": bool(mkldnn.enabled and mkldnn.is_available()),  # type: ignore[no-untyped-call]
        "matmul_precision": torch.get_float32_matmul_precision(),
        "command": without_secrets(sys.argv),
    }
    return found


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What differs between two environments and may change a result, a line each: `threads: 2 then, 1 now`."""
    return [
        f"{name}: {_shown(then.get(name))} then, {_shown(now.get(name))} now"
        for name in _NUMERIC
        if then.get(name) != now.get(name)
    ]


def without_secrets(command: Sequence[str]) -> list[str]:
    """A command line whose secrets are `***`: what a word like token names, and logins in addresses."""
    kept, hide = [], False
    for word in command:
        name, equals, _ = word.partition("=")
        secret = bool(_SECRET.search(name)) and name.startswith("-")
        if hide and not word.startswith("-"):
            kept.append("***")
        else:
            kept.append(f"{name}=***" if secret and equals else _LOGIN.sub(r"\1***@", word))
        hide = secret and not equals
    return kept


def _shown(value: object) -> str:
    return "none" if value is None else str(value)[:100]


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _processor() -> str:
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or "unknown"


def _memory() -> int | None:
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
