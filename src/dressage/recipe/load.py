"""From a TOML file and overrides to a Recipe, with all errors at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from dressage.errors import RecipeError, UsageError, nearest, printable
from dressage.recipe.schema import Recipe

LARGEST_FILE = 1 << 20
Check = Callable[[Mapping[str, object]], list[str]]
"""Errors found in what was written, a line each."""
DEEPEST = 20


def load_recipe(
    file: Path | None = None, overrides: Mapping[str, object] | None = None, also: Check | None = None
) -> Recipe:
    """The recipe in `file` (or an empty one) with `overrides`, a nested mapping, laid over it.

    Numbers may be written as text. Raises UsageError when the file cannot be read and RecipeError with every error of the
    recipe, one a line, each with its path, what was found, what was expected and the nearest spelling; `also` finds more
    of them in what was written.
    """
    written = read_toml(file) if file else {}
    return as_recipe(_merge(written, overrides or {}), str(file) if file else "recipe", also)


def as_recipe(values: Recipe | Mapping[str, object] | None, where: str = "recipe", also: Check | None = None) -> Recipe:
    """A Recipe from what a person gives: a Recipe, a nested mapping, or nothing."""
    if isinstance(values, Recipe):
        return values
    if isinstance(values, str | Path):
        raise RecipeError.of(
            where,
            f"the text {str(values)!r} given",
            "expected a Recipe or a mapping",
            "read files with load_recipe(Path)",
        )
    if values is not None and not isinstance(values, Mapping):
        raise RecipeError.of(
            where, f"{type(values).__name__} given", "expected a Recipe or a mapping", "e.g. {'optim': {'lr': 1e-3}}"
        )
    try:
        return Recipe.model_validate(dict(values or {}))
    except ValidationError as error:
        problems = [_explain(where, e) for e in error.errors(include_url=False)]
        raise RecipeError("\n".join([*problems, *(also(values or {}) if also else [])])) from None


def read_toml(file: Path) -> dict[str, Any]:
    """The content of a TOML file of at most 1 MiB, nested at most 20 deep."""
    try:
        size = file.stat().st_size
        if size > LARGEST_FILE:
            raise RecipeError.of(
                file, f"{size:,} bytes", f"a recipe has at most {LARGEST_FILE:,}", "is this the right file?"
            )
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError.of(
            file,
            error.strerror or "cannot be read",
            "expected a recipe in TOML",
            "write one with `dressage recipe init`",
        ) from None
    except (ValueError, RecursionError) as error:
        found = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise RecipeError.of(
            file, f"not TOML ({found})"[:200], "expected a recipe in TOML", "see `dressage recipe init`"
        ) from None
    if _depth(content) > DEEPEST:
        raise RecipeError.of(
            file, "nested too deep", f"a recipe is nested at most {DEEPEST} deep", "see `dressage recipe schema`"
        )
    return content


def _depth(value: object, level: int = 0) -> int:
    if level > DEEPEST or not isinstance(value, dict | list):
        return level
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(v, level + 1) for v in inner), default=level + 1)


def _merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _explain(where: str, error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"]) or "recipe"
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        *above, key = error["loc"]
        known = _fields_at(above)
        found, expected = f"unknown key '{printable(key, 80)}'", nearest(str(key), known)
        section, _, name = str(key).partition(".")
        if not above and name in _fields_at([section]):
            expected = f"expected {{'{section}': {{'{name}': …}}}}"
    else:
        found = f"{str(given)[:80]!r} given" if not isinstance(given, BaseModel | Mapping) else "a table given"
        expected = error["msg"].replace("Input should be", "expected").replace("Value error, ", "")
        expected = (
            expected.partition(", unable to parse")[0].replace("a valid ", "a ").replace("integer", "whole number")
        )
    repair = error.get("ctx", {}).get("repair", "see `dressage recipe schema`")
    return str(RecipeError.of(f"{where}: {printable(path, 200)}", found, expected, repair))


def _fields_at(path: list[Any]) -> list[str]:
    model: type[BaseModel] = Recipe
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
