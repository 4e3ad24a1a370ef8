"""The recipe's sections as options (`--optim.lr 1e-3`), made from the schema so that a new field needs no line here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dressage.recipe import CHOSEN, Recipe, load_recipe

Done = TypeVar("Done")  # what a command returns: nothing, or its exit code
ALIASES = {"data.target": "--target", "data.group": "--group"}


def with_recipe(command: Callable[..., Done]) -> Callable[..., Done]:
    """`command(..., recipe: Recipe)` as a command that has `--recipe FILE` and every field of the recipe as options.

    Only what was given is laid over the file, so that the recipe knows which values were chosen and which are free.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        p.replace(annotation=hints[p.name])
        for p in inspect.signature(command).parameters.values()
        if p.name != "recipe"
    ]
    fields = {path.replace(".", "__"): (path, field) for path, field in fields_of(Recipe)}

    @wraps(command)
    def wrapped(*args: Any, recipe: Path | None = None, **options: Any) -> Done:
        given: dict[str, Any] = {}
        for key in list(options):
            if key in fields:
                path, field = fields[key]
                value = options.pop(key)
                if value is not None:
                    _put(given, path, _list(value, field) if is_list(field) else value)
        return command(*args, **options, recipe=load_recipe(recipe, given, _wrong_names))

    file = Annotated[Path | None, Parameter(help="Recipe (TOML); the options below are laid over it.")]
    added = [_keyword("recipe", file), *(_keyword(key, _option(path, field)) for key, (path, field) in fields.items())]
    wrapped.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
    return wrapped


def fields_of(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each field of a recipe with its path, e.g. `optim.lr`."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields_of(field.annotation, f"{above}{name}.")
        else:
            yield above + name, field


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds several values."""
    return get_origin(field.annotation) in (list, tuple)


def kind_of(field: FieldInfo) -> str:
    """What may be written in a field, in words: `number`, `adamw | sgd`, `technique`, `list of techniques`."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return " | ".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) is UnionType or get_origin(annotation) is Union:
        return "number | auto"
    if is_list(field):
        inner = get_args(annotation)[0]
        if inner is float:
            return "list of numbers"
        return "list of techniques" if get_origin(inner) is Annotated else "list of names"
    return {"int": "whole number", "float": "number", "bool": "true | false", "str": "text"}.get(
        getattr(annotation, "__name__", ""), "text"
    )


def default_of(path: str, field: FieldInfo) -> str:
    """The default of a field as one would write it, or that it is chosen when the data is known."""
    if path in CHOSEN:
        return "chosen for the data"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"


def _option(path: str, field: FieldInfo) -> object:
    section = path.partition(".")[0] if "." in path else "recipe"
    order = list(Recipe.model_fields).index(section) + 2 if section in Recipe.model_fields else 1
    kind = kind_of(field)
    parameter = Parameter(
        name=[f"--{path}", *([ALIASES[path]] if path in ALIASES else [])],
        help=f"{field.description} [{f'{kind}; ' if '|' in kind else ''}default: {default_of(path, field)}]",
        group=_group(section, order),
        metavar={"number": "NUMBER", "whole number": "N"}.get(kind, "NAME"),
        show_default=False,
        negative="",
    )
    return Annotated[list[str] | None, parameter] if is_list(field) else Annotated[str | None, parameter]


@cache  # cyclopts wants one object for one group
def _group(section: str, order: int) -> Group:
    return Group(section, sort_key=order)


def _keyword(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _list(values: list[str], field: FieldInfo) -> list[str]:
    """`["flip,random_crop(padding=4, fill=0)"]` -> two techniques; names of columns are left whole."""
    if kind_of(field) == "list of names":
        return values
    parts = [part.strip() for value in values for part in re.split(r",(?![^(]*\))", value)]
    return [part for part in parts if part not in ("", "none")]


def _put(nested: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for key in above:
        nested = nested.setdefault(key, {})
    nested[last] = value


def _wrong_names(written: Mapping[str, object]) -> list[str]:
    """Techniques that do not exist: asked for only when something else is wrong too, since it imports torch."""
    from dressage.resolve import name_problems

    return name_problems(written)
