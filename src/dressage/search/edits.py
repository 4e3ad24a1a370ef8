"""From a point of a space to the edit of a recipe that it stands for.

`optim.lr` is a field of the recipe; `optim.name.sam.rho` is the option `rho` of the technique `sam` wherever `optim.name` is `sam`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from dressage.catalogue import parse
from dressage.errors import RecipeError
from dressage.recipe import Recipe, cut_at_commas
from dressage.resolve import FAMILIES, value_at
from dressage.search.ranges import Range, Value

Point = Mapping[str, Value]
"""A value for each path of a space that is searched at that place."""
Told = Sequence[tuple[Point, float | None]]
"""Points tried so far with their scores, higher is better; None where it failed."""
LISTS = ("augment", "data.preprocess", "regularize.techniques")
"""Paths with several techniques."""


def is_option(path: str) -> bool:
    """Whether a path has the form of a technique's option, `optim.name.sam.rho`."""
    return path.count(".") >= 2 and split_option(path)[0] in FAMILIES


def split_option(path: str) -> tuple[str, str, str]:
    """`optim.name.sam.rho` as (`optim.name`, `sam`, `rho`)."""
    above, name, option = path.rsplit(".", 2)
    return above, name, option


def is_searched(space: Mapping[str, Range], path: str, point: Point) -> bool:
    """Whether what was drawn before leaves this setting to be searched: by its condition, and by its technique."""
    when = space[path].when
    if when is not None and not (when[0] in point and is_same(point[when[0]], when[1])):
        return False
    if not is_option(path):
        return True
    above, name, _ = split_option(path)
    return above not in space or (above in point and name in names_in(point[above]))


def is_same(drawn: Value, wanted: Value) -> bool:
    """Whether a condition holds: the value itself, or the technique of that name."""
    return str(drawn) == str(wanted) or str(wanted) in names_in(drawn)


def names_in(value: object) -> list[str]:
    """Names of the techniques in a text, or in a list of texts."""
    texts = cut_at_commas(value)
    return [parse(str(text))[0] for text in texts] if isinstance(texts, list) else []


def as_edit(recipe: Recipe, point: Point) -> dict[str, object]:
    """The edit of a whole recipe: options are written into the text of their technique.

    Raises RecipeError where neither the recipe nor the point has the technique of an option.
    """
    edit = {path: entry(path, value) for path, value in point.items() if not is_option(path)}
    for path, value in point.items():
        if is_option(path):
            above, name, option = split_option(path)
            written = _with_option(path, edit.get(above, value_at(recipe, above)), (name, option, value))
            edit[above] = written if above in LISTS else written[0]
    return edit


def point_of(space: Mapping[str, Range], edit: Mapping[str, object]) -> Point:
    """The point of a space that an edit was made from: the inverse of `as_edit`."""
    point: dict[str, Value] = {}
    for path, range_ in space.items():
        value = _option_in(edit, path) if is_option(path) else edit.get(path)
        if path in FAMILIES and value is not None:
            value = _choice(path, range_, value)
        if isinstance(value, bool | int | float | str) and is_searched(space, path, point):
            point[path] = value
    return point


def _choice(path: str, range_: Range, value: object) -> Value | None:
    """The choice that became `value`: itself, or that with the same techniques, when an option was written into one of them."""
    same = (c for c in range_.choices if entry(path, c) == value)
    alike = (c for c in range_.choices if names_in(entry(path, c)) == names_in(value))
    return next(chain(same, alike), None)


def _option_in(edit: Mapping[str, object], path: str) -> object:
    above, name, option = split_option(path)
    now = edit.get(above, [])
    written = now if isinstance(now, list) else [now]
    return next((parse(str(t))[1].get(option) for t in written if parse(str(t))[0] == name), None)


def entry(path: str, value: Value) -> object:
    """A value as a recipe takes it: several techniques as a list, none of them as an empty one."""
    if path not in LISTS:
        return value
    texts = cut_at_commas(str(value))
    assert isinstance(texts, list)
    return [text for text in texts if text != "none"]


def _with_option(path: str, now: object, option: tuple[str, str, Value]) -> list[str]:
    """The techniques as they are now, with one option of one of them written anew."""
    written = [str(text) for text in now] if isinstance(now, list) else [str(now)]
    name, key, value = option
    at = next((i for i, text in enumerate(written) if parse(text)[0] == name), None)
    if at is None:
        above = split_option(path)[0]
        found = f"{above} is {', '.join(written) or 'empty'}"
        raise RecipeError.of(
            f"space {path}", found, f"expected {name}, whose option is searched", f"set {above} to {name}"
        )
    options = {**parse(written[at])[1], key: value}
    written[at] = f"{name}({', '.join(f'{k}={v!r}' for k, v in options.items())})"
    return written
