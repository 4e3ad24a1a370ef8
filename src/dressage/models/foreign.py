"""Networks of the user's own, named on the command line as `FILE.py:Name`.

The file is run as Python: only a path that a person typed comes here, never one that a recipe or a checkpoint names.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from dressage.errors import UsageError, nearest

Made = nn.Module | Callable[..., object]
PREFIX = "dressage_user_"
"""Of the modules that `load_module` makes."""


def load_module(spec: str) -> Made:
    """The class, function or module called Name in FILE.py. Raises UsageError where it cannot be had.

    While the file is run its folder is on the import path, so that it finds its neighbours as it does under `python
    FILE.py`.
    """
    where = f"--model {spec}"
    file, _, name = spec.rpartition(":")
    if not file or not name.isidentifier():
        raise UsageError.of(where, "it has no name of a network", "expected FILE.py:Name", "e.g. --model net.py:Net")
    path = Path(file)
    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise UsageError.of(where, f"no file {file}", nearest(path.name, there), "correct the path")
    if path.suffix != ".py":
        raise UsageError.of(where, f"{path.name} is not a Python file", "expected a file ending in .py", "rename it")
    module = _run(where, path)
    made = vars(module).get(name)
    if made is None:
        networks = [n for n, v in vars(module).items() if _fits(v) and getattr(v, "__module__", "") == module.__name__]
        raise UsageError.of(where, f"{path.name} has no '{name}'", nearest(name, networks), "correct the name")
    if not _fits(made):
        raise UsageError.of(
            where,
            f"'{name}' is of type {type(made).__name__}",
            "expected an nn.Module, its class, or a function that makes one",
            "name that",
        )
    return made  # type: ignore[no-any-return]


def spec_of(made: object) -> str | None:
    """The FILE.py:Name that `load_module` was given for it; None for what it has not loaded."""
    module, name = getattr(made, "__module__", ""), getattr(made, "__qualname__", "")
    if not str(module).startswith(PREFIX) or not str(name).isidentifier() or module not in sys.modules:
        return None
    return f"{Path(str(sys.modules[module].__file__)).resolve()}:{name}"


def build_foreign(made: Made, shape: tuple[int, ...], outputs: int) -> nn.Module:
    """The network that `made` is or makes. Raises UsageError where it makes none.

    An nn.Module is taken as it is. A class or function is called with those of the keywords `shape` (one sample's
    shape) and `outputs` (classes or targets) that its signature names; every other parameter must have a default.
    Weights stay as it sets them.
    """
    if isinstance(made, nn.Module):
        return made
    if not callable(made):
        found, expected = (
            f"{type(made).__name__} given",
            "expected an nn.Module, its class, or a function that makes one",
        )
        raise UsageError.of("model", found, expected, "give the network itself: model=Net")
    where = f"model {getattr(made, '__name__', type(made).__name__)}"
    given = {"shape": shape, "outputs": outputs}
    try:
        parameters = inspect.signature(made).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    flexible = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    lacking = [n for n, p in parameters.items() if p.default is p.empty and p.kind not in flexible and n not in given]
    if lacking:
        raise UsageError.of(
            where, f"it asks for {', '.join(lacking)}", "only shape and outputs are given", "give the others a default"
        )
    try:
        model = made(**{n: v for n, v in given.items() if n in parameters})
    except Exception as error:
        raise UsageError.of(
            where, f"building it raised {type(error).__name__}: {error}", "expected a network", "correct it"
        ) from error
    if not isinstance(model, nn.Module):
        raise UsageError.of(where, f"it returned {type(model).__name__}", "expected an nn.Module", "return the network")
    return model


def check_forward(model: nn.Module, shape: tuple[int, ...], outputs: int) -> None:
    """Passes two samples of zeros through `model` in evaluation mode.

    Raises UsageError unless `(2, outputs)` comes out. Training mode and torch's default generators are left as before.
    """
    where = f"model {type(model).__name__}"
    modes = [(m, m.training) for m in model.modules()]
    first = next(model.parameters(), torch.empty(0))
    given, expected = f"(2, {', '.join(map(str, shape))})", f"an output of shape (2, {outputs})"
    try:
        with torch.no_grad(), torch.random.fork_rng([first.device] if first.is_cuda else []):
            result = model.eval()(torch.zeros(2, *shape, device=first.device))
    except Exception as error:
        raise UsageError.of(
            where,
            f"an input of shape {given} raised {type(error).__name__}: {error}",
            f"expected {expected}",
            "correct its layers",
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    found = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
    if found != (2, outputs):
        raise UsageError.of(
            where,
            f"an input of shape {given} gave {found}",
            f"expected {expected}",
            f"let its last layer have {outputs} outputs",
        )


def _fits(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, nn.Module)
    return isinstance(value, nn.Module) or inspect.isfunction(value)


def _run(where: str, path: Path) -> ModuleType:
    # The path's hash in the name keeps two files called net.py apart; the name must be known for dataclasses to work.
    name = f"{PREFIX}{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError.of(
            where, f"{path.name} cannot be read as Python", "expected a file ending in .py", "check the file"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError.of(
            where,
            f"running it raised {type(error).__name__}: {error}",
            "expected a file that runs",
            "try `python` on it",
        ) from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return module
