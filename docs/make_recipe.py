"""Writes docs/recipe.md from the schema: `./dev docs`; with --check it only says whether the page is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from dressage.cli.options import default_of, fields_of, kind_of
from dressage.recipe import CHOSEN, SECTIONS, Recipe
from dressage.resolve import FAMILIES

PAGE = Path(__file__).with_name("recipe.md")
HEAD = """# The recipe

A recipe is everything that determines a run but for the data and the machine. It is written as TOML and given by
`--recipe FILE`, or value by value as options, `--optim.lr 1e-3`, which are laid over the file; from Python it is a
mapping, `{"optim": {"lr": 1e-3}}`, or a `Recipe`. What is not written is chosen when the data is known, and the run
says for each value where it came from and why.

```sh
dressage recipe init --out my.toml              # every value with its meaning, to be edited
dressage recipe show digits --optim.lr 3e-3     # what would be chosen for this data, and why
dressage recipe schema > recipe.schema.json     # for editors that complete and check
```

A technique is written as its name, or with options: `random_crop(padding=4)`. `dressage list` shows the families, and
`dressage list augment` what one of them holds, with formulas and sources. Numbers may be written as text (`"1e-3"`).

This page is made from the schema by `./dev docs`.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, "## At the top", "", *_table("")]
    for section in SECTIONS:
        about = " ".join((type(getattr(Recipe(), section)).__doc__ or "").split())
        lines += ["", f"## [{section}]", "", about, "", *_table(f"{section}.")]
    return "\n".join(lines) + "\n"


def _table(above: str) -> Iterator[str]:
    yield "| value | what it is | kind | default |"
    yield "|---|---|---|---|"
    for path, field in fields_of(Recipe):
        if path.startswith(above) and ("." in path) == bool(above):
            kind = f"see `dressage list {FAMILIES[path].family}`" if path in FAMILIES else kind_of(field)
            limits = ", ".join(_limits(field.metadata))
            cells = [
                f"`{path}`",
                field.description or "",
                kind + (f", {limits}" if limits else ""),
                _default(path, field),
            ]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(path: str, field: FieldInfo) -> str:
    text = default_of(path, field)
    return text if path in CHOSEN else f"`{text}`"


def _limits(metadata: list[object]) -> Iterator[str]:
    for limit in metadata:
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            value = getattr(limit, name, None)
            if value is not None:
                yield f"{sign} {'2⁶³' if value == 2**63 else value}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            PAGE.read_text(encoding="utf-8") != page() and "docs/recipe.md is not what the schema says: run ./dev docs"
        )
    PAGE.write_text(page(), encoding="utf-8")
