"""What a catalogue entry is, and the written form of a technique: `name` or `name(option=value, …)`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dressage.errors import RecipeError, nearest

T = TypeVar("T")
Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One technique. The keyword-only parameters of `build` are the options that a person may write."""

    name: str
    build: Callable[..., T]
    summary: str
    formula: str
    source: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else a person may want to know before choosing it, by name."""

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options of the technique, by name, with their annotations and defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


class Catalogue(Mapping[str, Entry[T]]):
    """The techniques of one family by name; a name that does not exist gets the nearest spelling."""

    def __init__(self, family: str, *entries: Entry[T]) -> None:
        self.family = family
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Entry[T]:
        if name not in self._entries:
            raise RecipeError.of(
                f"'{name}'", f"no such {self.family}", nearest(name, self), f"see `dressage list {self.family}`"
            )
        return self._entries[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def check(self, written: str) -> None:
        """Raises RecipeError unless `written` names an entry with options that it has, of the right types."""
        name, options = parse(written)
        known = self[name].options
        for option, value in options.items():
            if option not in known:
                raise RecipeError.of(
                    f"{name}",
                    f"no option '{option}'",
                    nearest(option, known) if known else "it has no options",
                    "correct the spelling",
                )
            _check_type(name, known[option], value)

    def build(self, written: str, *args: object) -> T:
        """What the entry builds from `args` and the options in `written`, e.g. `random_crop(padding=4)`."""
        self.check(written)
        name, options = parse(written)
        return self[name].build(*args, **options)


def parse(written: str) -> tuple[str, dict[str, Value]]:
    """`random_crop(padding=4)` -> `("random_crop", {"padding": 4})`. Literals and bare words: nothing is evaluated."""
    text = written.strip()
    if text.isidentifier():
        return text, {}
    error = RecipeError.of(
        "technique",
        f"{text[:80]!r} cannot be read",
        "expected a name or name(option=value, …)",
        "e.g. random_crop(padding=4)",
    )
    if len(text) > 500:
        raise error
    try:
        call = ast.parse(text, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args):
            raise error
        options = {k.arg or "**": _value(k.value) for k in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise error from None
    if "**" in options or not all(isinstance(v, bool | int | float | str) for v in options.values()):
        raise error
    return call.func.id, options


def _value(node: ast.expr) -> Value:
    """A literal, or a bare word as text: `pool=average` is what a person types; true and false as TOML has them."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}.get(node.id, node.id)
    value: Value = ast.literal_eval(node)
    return value


def _check_type(name: str, parameter: inspect.Parameter, value: Value) -> None:
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    annotation = (
        parameter.annotation if isinstance(parameter.annotation, str) else getattr(parameter.annotation, "__name__", "")
    )
    wanted = kinds.get(annotation)
    fits = wanted is None or type(value) is wanted or (wanted is float and type(value) is int)
    if not fits:
        raise RecipeError.of(
            f"{name}.{parameter.name}",
            f"{value!r} given",
            f"expected {annotation}",
            f"e.g. {name}({parameter.name}={parameter.default!r})",
        )
