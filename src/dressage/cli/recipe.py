"""`dressage recipe init | show | schema`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from dressage.cli.options import fields_of, kind_of, with_recipe
from dressage.cli.output import Output, cell, short, table, to_json
from dressage.errors import UsageError
from dressage.recipe import Recipe, to_toml

if TYPE_CHECKING:
    from dressage.resolve import Resolved

app = App(
    name="recipe", help="Write, look at and check recipes: everything that determines a run.", help_format="plaintext"
)


@app.command(sort_key=0)
@with_recipe
def init(
    data: str | None = None, /, *, out: Path = Path("recipe.toml"), recipe: Recipe, output: Output | None = None
) -> None:
    """Write a recipe with a comment at every value, to be edited and given to `dressage train --recipe`.

    For example:
      dressage recipe init
      dressage recipe init flowers/ --out flowers.toml --optim.lr 3e-4

    Parameters
    ----------
    data
        Data to choose for; without it every value is left open, to be chosen when the data is known.
    out
        File to write; one that is there is left alone.
    """
    from dressage.files import write_atomic

    if out.exists() or out.is_symlink():
        raise UsageError.of(short(out), "there is such a file", "expected a new name", "choose another one with --out")
    output = output or Output()
    write_atomic(out, _commented(recipe, _resolved(data, recipe) if data else None))
    output.result(
        {"recipe": str(out)},
        [f"written: {short(out)}", f"next: dressage train {cell(data or 'DATA')} --recipe {short(out)}"],
    )


@app.command(sort_key=1)
@with_recipe
def show(data: str | None = None, /, *, recipe: Recipe, output: Output | None = None) -> None:
    """Every value of a recipe, where it came from and why; with DATA also what would be chosen for it.

    For example:
      dressage recipe show --recipe recipe.toml
      dressage recipe show digits --model.name convnet

    Parameters
    ----------
    data
        Data to choose for; without it what is not given is shown as the plain default.
    """
    from dressage.resolve import all_paths, check_names, given_paths, value_at

    output = output or Output()
    if data:
        found = _resolved(data, recipe)
        reasons = {path: (reason.origin, reason.why) for path, reason in found.reasons.items()}
        recipe = found.recipe
    else:
        check_names(recipe)
        given = given_paths(recipe)
        reasons = {
            p: ("given", "as written") if p in given else ("default", "until the data is known") for p in all_paths()
        }
    values = {path: value_at(recipe, path) for path in all_paths()}
    rows = [(path, to_json(value), *reasons[path]) for path, value in values.items()]
    record = {path: {"value": v, "origin": reasons[path][0], "why": reasons[path][1]} for path, v in values.items()}
    output.result({"recipe": record}, table(["value of", "is", "comes from", "because"], rows, output))


@app.command(sort_key=2)
def schema(*, output: Output | None = None) -> None:
    """The JSON schema of a recipe, for editors that complete and check TOML.

    For example:
      dressage recipe schema > recipe.schema.json
    """
    import json

    found = Recipe.model_json_schema()
    (output or Output()).result(found, [json.dumps(found, indent=2, ensure_ascii=False)])


def _resolved(data: str, recipe: Recipe) -> Resolved:
    from dressage.prepare import facts_of, opened, start_of
    from dressage.resolve import resolve

    start = start_of(recipe)
    return resolve(recipe, facts_of(*opened(data, recipe, start=start), recipe), start=start)


def _commented(recipe: Recipe, resolved: Resolved | None) -> str:
    """TOML whose values stand in comments where they are still open, each with what it means or why it was chosen."""
    fields = dict(fields_of(Recipe))
    meanings = {path: f"{field.description} [{kind_of(field)}]" for path, field in fields.items()}
    chosen: Mapping[str, str] = {}
    if resolved is not None:
        chosen = {
            path: f"{reason.why} ({reason.origin})"
            for path, reason in resolved.reasons.items()
            if reason.origin != "default"
        }
        recipe = resolved.recipe
    else:
        from dressage.resolve import given_paths

        chosen = dict.fromkeys(given_paths(recipe), "")
    comments = {path: " — ".join(filter(None, (meaning, chosen.get(path)))) for path, meaning in meanings.items()}
    section, lines = (
        "",
        ["# A recipe for `dressage train --recipe`. A value that is commented out is chosen when the data is known."],
    )
    for line in to_toml(recipe, comments).splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        name = line.partition(" = ")[0]
        is_open = f"{section}{name}" in fields and f"{section}{name}" not in chosen
        lines.append(f"# {line}" if is_open else line)
    return "\n".join(lines) + "\n"
