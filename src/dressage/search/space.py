"""What is searched: a range for each of some settings, checked against the recipe's schema before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from dressage.errors import DressageError, RecipeError, nearest, printable
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import nested
from dressage.resolve import FAMILIES, all_paths, name_problems, value_at
from dressage.search.edits import LISTS, entry, is_option, is_same, names_in, split_option
from dressage.search.ranges import Range, Value, log, uniform
from dressage.search.written import cut_text, parse_range

Space = Mapping[str, Range]
"""Ranges by path, in the order in which they were given."""
SECTIONS = ("model", "regularize", "optim", "schedule")
SINGLE = (
    "augment",
    "average",
    "data.preprocess",
    "loss.name",
    "loss.label_smoothing",
    "train.batch_size",
)
MOST = 100
"""Settings that are searched at once."""
COMMON = {
    **dict.fromkeys(("lr", "rate", "learning_rate", "step_size"), "optim.lr"),
    **dict.fromkeys(("decay", "reg", "l2", "wd", "weight_decay"), "regularize.weight_decay"),
    **dict.fromkeys(("batch", "batchsize", "batch_size"), "train.batch_size"),
    **dict.fromkeys(("hidden", "units", "neurons", "width"), "model.width"),
    **dict.fromkeys(("layers", "num_layers", "depth"), "model.depth"),
    **dict.fromkeys(("optimizer", "optimiser"), "optim.name"),
}
"""What settings are called elsewhere."""
KINDS: Mapping[type, tuple[str, ...]] = {
    float: ("log", "uniform", "choice"),
    int: ("integer", "choice"),
    str: ("choice",),
    bool: ("choice",),
}


def hyper_parameters() -> list[str]:
    """The paths that may be searched: what shapes a training, not what it is judged by, how long it is, or where it runs."""
    return [path for path in all_paths() if path in SINGLE or path.partition(".")[0] in SECTIONS]


def as_space(given: Mapping[str, Range | str] | Iterable[str] | str) -> Space:
    """The space of texts, `optim.lr=log:1e-5:1e-1`, or of ranges by path. Raises RecipeError with all errors, one a line."""
    problems: list[str] = []
    space: dict[str, Range] = {}
    for path, written in _pairs(given, problems):
        try:
            range_ = written if isinstance(written, Range) else parse_range(str(written))
            space[path] = _checked(path, range_)
        except DressageError as error:
            problems += [_at(path, line) for line in str(error).splitlines()]
    for path in space:
        problems += _condition_problems(space, path)
    if problems:
        raise RecipeError("\n".join(problems))
    return space


def texts_of(space: Space) -> list[str]:
    """The space as `--space` takes it; `as_space` reads it back exactly."""
    return [f"{path}={range_.text}" for path, range_ in space.items()]


def default_space(recipe: Recipe) -> Space:
    """What is searched where nothing was asked: rate and decay around those of the whole recipe, and dropout if it has any.

    Rate: 30 times up and down; decay: 100 times down, 10 up; both log-uniform. L7.
    """
    rate = recipe.optim.lr if isinstance(recipe.optim.lr, float) and recipe.optim.lr else 1e-3
    decay = recipe.regularize.weight_decay or 1e-3
    space = {"optim.lr": log(_round(rate / 30), _round(rate * 30))}
    space["regularize.weight_decay"] = log(_round(decay / 100), _round(decay * 10))
    if recipe.regularize.dropout:
        space["regularize.dropout"] = uniform(0.0, 0.6)
    return space


def takes(path: str, value: Value) -> bool:
    """Whether a recipe takes the value there."""
    try:
        _taken(path, value)
    except RecipeError:
        return False
    return True


def limits(path: str) -> tuple[float | None, float | None, bool]:
    """Least and largest number that a field may be, and whether the largest is excluded; None: no limit."""
    found: dict[str, float] = {}
    for rule in _field(path).metadata:
        found |= {name: value for name in ("ge", "gt", "le", "lt") if (value := getattr(rule, name, None)) is not None}
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt")), "lt" in found


def _pairs(
    given: Mapping[str, Range | str] | Iterable[str] | str, problems: list[str]
) -> list[tuple[str, Range | str]]:
    """Each path with its range; a path that comes twice is a problem."""
    if isinstance(given, Mapping):
        pairs = [(str(path), range_) for path, range_ in given.items()]
    else:
        pairs = []
        for text in [given] if isinstance(given, str) else given:
            try:
                pairs.append(cut_text(str(text)))
            except RecipeError as error:
                problems.append(str(error))
    twice = {path for i, (path, _) in enumerate(pairs) if path in dict(pairs[:i])}
    problems += [
        _at(path, "given twice; expected one range for a setting; leave one of them out") for path in sorted(twice)
    ]
    if (not pairs and not problems) or len(pairs) > MOST:
        example = "e.g. --space optim.lr=log:1e-5:1e-1"
        problems.append(str(RecipeError.of("space", f"{len(pairs)} settings given", f"expected 1 to {MOST}", example)))
    return pairs[:MOST]


def _checked(path: str, range_: Range) -> Range:
    """The range with choices of the field's own type. Raises RecipeError: no such setting, wrong kind, beyond its limits."""
    if is_option(path):
        return _checked_option(path, range_)
    known = hyper_parameters()
    if path not in known:
        is_there = path in all_paths()
        found = "is in the recipe, but is not searched" if is_there else "no such hyper-parameter"
        spelt = nearest("" if is_there else COMMON.get(path.rpartition(".")[2], path), known)
        raise RecipeError.of(path, found, spelt, "see `dressage recipe schema`")
    kind = _kind(path)
    if range_.scale not in KINDS[kind]:
        raise _wrong_kind(path, range_, kind)
    if not range_.is_choice:
        for end in (range_.low, range_.high):
            _taken(path, int(end) if range_.is_whole else end)
        return range_
    values = tuple(_taken(path, value) for value in range_.choices)
    return Range("choice", choices=values, when=range_.when)


def _taken(path: str, value: Value) -> Value:
    """The value as the recipe has it. Raises RecipeError where it does not take it."""
    recipe = as_recipe(nested({path: entry(path, value)}), "space", name_problems)
    problems = name_problems(recipe.model_dump(exclude_unset=True))
    if problems:
        raise RecipeError("\n".join(problems))
    taken = value_at(recipe, path)
    return str(value) if path in LISTS else taken  # type: ignore[return-value]  # the fields that are searched hold no other


def _checked_option(path: str, range_: Range) -> Range:
    """The range of a technique's option: the technique has it, and takes both its ends or each of its choices."""
    above, name, option = split_option(path)
    known = FAMILIES[above][name].options
    if option not in known:
        raise RecipeError.of(
            path, "no such option", nearest(option, known), f"see `dressage list {FAMILIES[above].family} {name}`"
        )
    annotation = str(known[option].annotation)
    kind = {"float": float, "int": int, "bool": bool}.get(annotation, str)
    if range_.scale not in KINDS[kind]:
        raise _wrong_kind(path, range_, kind)
    if not range_.is_choice:
        return range_
    values = tuple(_literal(value, kind) for value in range_.choices)
    for value in values:
        FAMILIES[above].check(f"{name}({option}={value!r})")
    return Range("choice", choices=values, when=range_.when)


def _literal(value: Value, kind: type) -> Value:
    """A word of a text as the option's own type; what cannot be one is left, and is refused by the catalogue."""
    if kind is bool:
        return {"true": True, "false": False}.get(str(value).lower(), value)
    try:
        return kind(value)  # type: ignore[no-any-return]
    except ValueError:
        return value


def _condition_problems(space: Space, path: str) -> list[str]:
    """What is wrong with the condition of a range, or with the technique that it is an option of."""
    when = space[path].when
    paths = list(space)
    if when is not None:
        above = when[0]
        if above not in space or not space[above].is_choice or paths.index(above) > paths.index(path):
            choices = ", ".join(p for p in paths[: paths.index(path)] if space[p].is_choice) or "there is none"
            found = f"if {printable(above, 80)}={printable(when[1], 80)}"
            expected = f"expected a choice that is searched and stands before it ({choices})"
            return [_at(path, f"{found}; {expected}; e.g. optim.name=choice:adamw:momentum")]
        if not any(is_same(value, when[1]) for value in space[above].choices):
            known = nearest(str(when[1]), map(str, space[above].choices))
            return [_at(path, f"{above} is never {printable(when[1], 80)}; {known}; correct the condition")]
    if is_option(path) and (above := split_option(path)[0]) in space:
        name = split_option(path)[1]
        if not any(name in names_in(value) for value in space[above].choices):
            return [_at(path, f"{above} is never {name}; expected it among the choices; add it there")]
        if paths.index(above) > paths.index(path):
            return [_at(path, f"stands before {above}; expected it after; turn them round")]
    return []


def _wrong_kind(path: str, range_: Range, kind: type) -> RecipeError:
    names = {float: "a number", int: "a whole number", str: "a name", bool: "true or false"}
    *first, last = KINDS[kind]
    expected = f"{', '.join(first)} or {last}" if first else last
    error = RecipeError.of(
        path,
        f"{range_.scale} given",
        f"it is {names[kind]}: expected {expected}",
        f"e.g. {EXAMPLES[kind]}",
    )
    assert isinstance(error, RecipeError)
    return error


EXAMPLES = {float: "log:1e-5:1e-1", int: "integer:16:256:log", str: "choice:relu:tanh", bool: "choice:true:false"}


@cache
def _field(path: str) -> FieldInfo:
    section, _, name = path.rpartition(".")
    model: Any = Recipe.model_fields[section].annotation if section else Recipe
    field: FieldInfo = model.model_fields[name]
    return field


def _kind(path: str) -> type:
    annotation = _field(path).annotation
    inner = (annotation, *get_args(annotation))  # a number may have a word beside it: a rate or auto
    return next((kind for kind in (float, int, bool) if kind in inner), str)


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _at(path: str, line: str) -> str:
    """The line with the setting that it is about."""
    about = f"space {printable(path, 80)}"
    return line if line.startswith((about, "space: ")) else f"{about}: {line.removeprefix(f'{path}: ')}"
