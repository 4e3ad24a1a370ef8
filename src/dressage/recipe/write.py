"""A recipe as TOML, each value with a comment that says why it is so."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel

from dressage.recipe.schema import SECTIONS, Recipe


def to_toml(recipe: Recipe, comments: Mapping[str, str] | None = None) -> str:
    """The recipe as TOML that `load_recipe` reads back to an equal recipe; `comments` maps `optim.lr` to its comment."""
    comments = comments or {}
    top = [
        _line(name, getattr(recipe, name), comments.get(name, ""))
        for name in Recipe.model_fields
        if name not in SECTIONS
    ]
    blocks = ["\n".join(top)]
    for section in SECTIONS:
        values: BaseModel = getattr(recipe, section)
        fields = type(values).model_fields
        lines = [_line(name, getattr(values, name), comments.get(f"{section}.{name}", "")) for name in fields]
        blocks.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _line(name: str, value: object, comment: str) -> str:
    text = f"{name} = {_value(value)}"
    one_line = " ".join(comment.split())
    printable = "".join(c for c in one_line if c.isprintable())
    return f"{text:<36} # {printable}" if printable else text


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return repr(value)
