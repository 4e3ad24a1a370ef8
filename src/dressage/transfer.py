"""Taking over a trained network: what its run or file holds, its preprocessing for new rows, its weights for a new network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.data.preprocess import Preprocess, fit_preprocess
from dressage.data.preprocess.target import target_of
from dressage.data.source import Source
from dressage.errors import DressageError, RecipeError
from dressage.files import read_bytes, read_json
from dressage.models.units import belongs, units
from dressage.recipe import Recipe, load_recipe
from dressage.resolve import Resolved
from dressage.start import Start
from dressage.store.folder import RunFolder
from dressage.store.kept import kept_preprocess, kept_weights
from dressage.store.tensors import read_tensors

PATH = "transfer.source"
LARGEST = 2**36
"""Bytes of a file of weights that is read."""
REFIT = "refit"
"""Where a run keeps the network that was trained again on all rows."""
SHOWN = 4
"""Layers that an error names."""


def read_start(recipe: Recipe) -> Start | None:
    """What `transfer.source` names; None where nothing is taken over. Raises RecipeError, RunError for what is damaged."""
    written = recipe.transfer.source
    if not written:
        return None
    path = Path(written).expanduser()
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):
        is_file = is_folder = False
    if is_folder:
        return _of_run(path)
    if not is_file:
        raise _error(
            f"{written} does not exist", "expected the folder of a run, or a .safetensors file", "check the path"
        )
    if path.suffix != ".safetensors":
        expected = "expected the folder of a run, or a .safetensors file"
        repair = (
            "bring its state_dict into one with safetensors.torch.save_file"
            if path.suffix in (".pt", ".pth")
            else ("give the folder that `dressage train` named")
        )
        raise _error(f"{written} is another file", expected, repair)
    return Start(str(path.resolve()), read_tensors(read_bytes(path, LARGEST), path))


def _of_run(path: Path) -> Start:
    try:
        RunFolder.open(path)
    except DressageError as error:
        raise RecipeError(f"{PATH}: {error}") from None
    place = path / REFIT if (path / REFIT / "recipe.toml").is_file() and (path / "evaluation.json").is_file() else path
    recipe, data = load_recipe(place / "recipe.toml"), read_json(place / "data.json")
    weights = kept_weights(place, recipe)
    return Start(str(path.resolve()), weights, kept_preprocess(place, data), recipe, bool(data.get("own_model")))


def preprocess_for(source: Source, rows_train: Tensor, resolved: Resolved) -> Preprocess:
    """The source's preprocessing with its fitted numbers, where its steps are the recipe's; else fitted on these rows.

    The targets' scale is fitted in any case. Raises RecipeError where the rows are not of the form of the source's.
    """
    steps, start = resolved.recipe.data.preprocess, resolved.start
    if start is None or start.preprocess is None or list(start.preprocess.steps) != list(steps):
        return fit_preprocess(source, rows_train, steps)
    known = start.preprocess
    _require_form(source, known)
    target = target_of(source, rows_train)
    columns, classes, heads = list(source.columns), list(source.classes), list(source.heads)
    return replace(known, target=target, task=source.task, columns=columns, classes=classes, heads=heads)


def _require_form(source: Source, known: Preprocess) -> None:
    """Raises RecipeError unless rows of this data can go through the preprocessing of the source."""
    if isinstance(source.x, Tensor):
        found, wanted = tuple(source.x.shape[1:]), tuple(known.sample_shape)
        if found != wanted:
            repair = "bring them to that shape" + ", e.g. by data.image_size" * (source.kind == "images")
            raise _error(f"samples of shape {found}", f"it was trained on {wanted}", repair)
        return
    now = {c.name: c.kind for c in source.columns if c.name in set(source.x.column_names)}
    then = {encoding.name: _kind_in(known, encoding.name) for encoding in known.encodings}
    other = [f"no {name}" for name in then if name not in now]
    other += [f"{name}, which it has not" for name in now if name not in then]
    other += [f"{name} a {now[name]}, there a {kind}" for name, kind in then.items() if now.get(name, kind) != kind]
    if other:
        expected = "expected the columns that it was trained on"
        raise _error(f"the data has {_some(other)}", expected, "name others in data.ignore, or give data.preprocess")


def _kind_in(known: Preprocess, name: str) -> str:
    return next((column.kind for column in known.columns if column.name == name), "column")


def taken_over(start: Start, names: Sequence[str], model: nn.Module, preprocess: Preprocess) -> Start:
    """The same with the weights that fit `model`, by its names; loads them into it.

    `names`: those of the source's own network in its order, which pair with the new one's, or with those below its head;
    empty: they pair by name. The head is left out, and stays new, where the classes are others, or it is not there or has
    another shape. Raises RecipeError that names the layers which do not fit.
    """
    if names and start.preprocess is not None and start.preprocess.input_shape != preprocess.input_shape:
        found = f"the network gets samples of shape {tuple(preprocess.input_shape)}"
        expected = f"the source's got {tuple(start.preprocess.input_shape)}"
        raise _error(found, expected, "leave data.preprocess out, so that the source's is used")
    wanted = model.state_dict()
    head = units(model)[-1]
    of_head = [name for name in wanted if belongs(name, head)]
    weights = _paired(start.weights, names, list(wanted), of_head)
    if _other_task(start, preprocess) or any(not _fits(weights.get(name), wanted[name]) for name in of_head):
        weights = {name: tensor for name, tensor in weights.items() if not belongs(name, head)}
    _require_fit(weights, wanted, of_head)
    weights = {name: tensor.to(wanted[name].dtype) for name, tensor in weights.items()}
    _require_finite(weights)
    model.load_state_dict({**wanted, **weights})
    kept = start.preprocess if start.preprocess is not None and _same_steps(start, preprocess) else None
    return Start(start.where, weights, kept)


def has_new_head(start: Start, model: nn.Module) -> bool:
    """Whether the weights of the head are not among those that were taken over."""
    return not any(belongs(name, units(model)[-1]) for name in start.weights)


def told(start: Start, model: nn.Module) -> str:
    """What was taken over, in words."""
    parts = units(model)
    layers = [unit for unit in parts if any(belongs(name, unit) for name in start.weights)]
    new = "; its head is new" if has_new_head(start, model) else ""
    return f"{len(layers)} of {len(parts)} layers taken over{new}"


def _paired(
    weights: Mapping[str, Tensor], names: Sequence[str], wanted: Sequence[str], of_head: Sequence[str]
) -> dict[str, Tensor]:
    for own in (wanted, [name for name in wanted if name not in of_head]):
        if names and set(names) == set(weights) and len(names) == len(own):
            return {new: weights[old] for old, new in zip(names, own, strict=True)}
    return dict(weights)


def _other_task(start: Start, preprocess: Preprocess) -> bool:
    """Whether what the head said is known to be something else than what is wanted now."""
    then = start.preprocess
    if then is None or start.recipe is None:
        return False
    now_heads, then_heads = ([(h.name, list(h.classes)) for h in p.heads] for p in (preprocess, then))
    return then.task != preprocess.task or list(then.classes) != list(preprocess.classes) or now_heads != then_heads


def _same_steps(start: Start, preprocess: Preprocess) -> bool:
    return start.preprocess is not None and list(start.preprocess.steps) == list(preprocess.steps)


def _fits(tensor: Tensor | None, wanted: Tensor) -> bool:
    if tensor is None or tensor.shape != wanted.shape or tensor.is_complex() != wanted.is_complex():
        return False
    return tensor.is_floating_point() == wanted.is_floating_point()


def _require_fit(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], of_head: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in weights and name not in of_head]
    other = [f"{name} is not there" for name in missing]
    for name, tensor in weights.items():
        if name not in wanted:
            other.append(f"{name} has no place")
        elif not _fits(tensor, wanted[name]):
            other.append(f"{name} is {_form(tensor)}, not {_form(wanted[name])}")
    if not other and not weights:
        other = ["there is nothing in it"]
    if other:
        repair = "give the model, width, depth and norm that it was trained with"
        raise _error(f"its layers do not fit ({_some(other)})", "expected those of this recipe's network", repair)


def _require_finite(weights: Mapping[str, Tensor]) -> None:
    """Raises RecipeError; `weights` are of the types of the network, in which a large number may be infinite."""
    odd = [name for name, t in weights.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if odd:
        raise _error(
            f"numbers that are not finite in {_some(odd)}", "expected a trained network", "take another source"
        )


def _form(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _some(told: Sequence[str]) -> str:
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ", ".join(told[:SHOWN]) + more


def _error(found: str, expected: str, repair: str) -> DressageError:
    return RecipeError.of(PATH, found, expected, repair)
