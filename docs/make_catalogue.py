"""Writes docs/catalogue/ from the code: `./dev docs`; with --check it only says whether the pages are up to date.

Pictures that follow from formulas are compared too; of those that are measured (first weights) or binary (augmentation)
it is asked only whether they are there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from typing import Any

import catalogue_pictures as pictures
from catalogue_families import FAMILIES as PAGES
from catalogue_families import IMAGES, Family

from dressage.catalogue import Entry
from dressage.causes import CAUSES
from dressage.cli.list_family import FAMILIES, catalogue_of
from dressage.cli.values import SWITCHED

FOLDER = Path(__file__).with_name("catalogue")
DRAWN = {"activations.svg": pictures.activations, "schedule.svg": pictures.schedules, "optim.svg": pictures.paths}
MEASURED = {"init.svg": pictures.first_weights, "augment.jpg": pictures.augmentations}
NOTES = "L6, C784, R5, CMU3 and DR10 are lecture notes on deep learning, from which dressage was begun."
MADE = "This page is made from the code by `./dev docs`."
EPOCHS = 3
MAKING = f"""For an example with images, some of the digits as such:

<!-- long -->
```python
import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
np.savez("{IMAGES}", x=np.uint8(digits.images[:600] * 15), y=digits.target[:600])
```

""".splitlines()


def index() -> str:
    """The page that leads to the others."""
    counts = {name: len(catalogue_of(name)) for name in FAMILIES}
    said = f"{sum(counts.values())} techniques and sets in {len(counts)} families"
    lines = ["# The catalogue", "", f"{said}. `dressage list` shows the same in the terminal.", ""]
    lines += ["| family | what a recipe calls it | entries | what there is |", "|---|---|---|---|"]
    for name, (_, where) in FAMILIES.items():
        inside = ", ".join(f"[{entry}]({name}.md#{entry})" for entry in catalogue_of(name))
        lines.append(f"| [{PAGES[name].title}]({name}.md) | `{where}` | {counts[name]} | {inside} |")
    lines.append(f"| [What can be wrong](../causes.md) | | {len(CAUSES)} | what is found in a training, by id |")
    return "\n".join(
        [
            *lines,
            "",
            f"A technique is written as its name, or with options: `random_crop(padding=4)`. {NOTES}",
            "",
            MADE,
            "",
        ]
    )


def page(name: str) -> str:
    """The page of a family."""
    about, entries = PAGES[name], list(catalogue_of(name).values())
    where = f"In a recipe: `{FAMILIES[name][1]}`." if about.example else ""
    lines = [f"# {about.title}", "", f"{about.about} {where}".strip(), "", *_example(name, about)]
    if about.picture:
        file, seen = about.picture
        lines += [f"![{seen}]({file})", "", seen, ""]
    lines += [*_facts(entries), *(line for entry in entries for line in _section(entry)), *_values(name)]
    if about.slips:
        lines += ["## Where the notes slip", "", *(f"- {slip}" for slip in about.slips), ""]
    return "\n".join([*lines, f"{NOTES} {MADE} `dressage list {name}` shows the same in the terminal.", ""])


def _example(name: str, about: Family) -> Iterator[str]:
    """The same as TOML and as a command."""
    if about.command:
        yield from ("<!-- long -->", "```sh", about.command, "```", "")
        return
    recipe = {**about.example, "train.epochs": EPOCHS}
    if about.example:
        yield from ("```toml", "\n".join(_toml(recipe)).strip(), "```", "")
    words = [f"--{path} {_word(value)}" for path, value in recipe.items()]
    yield from MAKING if about.data == IMAGES else ()
    yield from ("<!-- long -->", "```sh")
    yield f"dressage train {about.data} {' '.join(words)} --out runs/{name}"
    yield from ("```", "")


def _toml(recipe: dict[str, object]) -> Iterator[str]:
    section = ""
    for path, value in recipe.items():
        above, _, key = path.rpartition(".")
        if above != section:  # what stands at the top comes first
            section = above
            yield from ("", f"[{section}]")
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _word(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'"{text}"' if re.search(r"[( ]", text) else text


def _facts(entries: list[Entry[Any]]) -> Iterator[str]:
    """What is known of each beside the formula, as a table."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.facts))
    if not names:
        return
    yield f"| | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for entry in entries:
        yield f"| [{entry.name}](#{entry.name}) | {' | '.join(entry.facts.get(name, '') for name in names)} |"
    yield ""


def _section(entry: Entry[Any]) -> Iterator[str]:
    summary = entry.summary
    if not summary.endswith("."):
        summary = f"{summary[:1].upper()}{summary[1:]}."
    yield from (f"## {entry.name}", "", " ".join(filter(None, [summary, said(entry)])), "")
    given = [name if p.default is p.empty else f"{name}={p.default!r}" for name, p in entry.options.items()]
    yield from (f"- written: `{entry.name}({', '.join(given)})`",) if given else ()
    yield from (f"- formula: {_code(entry.formula)}",) if entry.formula else ()
    yield from (f"- source: {entry.source}",) if entry.source else ()
    yield ""


def _values(name: str) -> Iterator[str]:
    """The techniques of the family that a value of the recipe switches on."""
    for value in SWITCHED.get(name, ()):
        yield from (f"## {value.path}", "", value.summary, "", f"- written: `{value.written}`")
        yield from (f"- formula: {_code(value.formula)}", f"- source: {value.source}", "")


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def said(entry: Entry[Any]) -> str:
    """What its docstring says beyond the first sentence, which is the summary or the formula again; no errors, no sources."""
    if not entry.build.__module__.startswith("dressage."):
        return ""
    text = " ".join((getdoc(entry.build) or "").split())
    text = re.sub(r"Sources?: .*|Raises \w+(?:Error)?.*?\.(?=\s|$)", "", text)
    _, _, rest = re.sub(r"(?<!et al)\.(\)?)(?=\s|$)", r".\1\0", text, count=1).partition("\0")
    return " ".join(rest.split())


def stale() -> list[str]:
    """The files that are not what the code says, or are missing, or should not be there."""
    wanted = {**_pages(), **{name: draw() for name, draw in DRAWN.items()}}
    there = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    changed = {name for name, text in wanted.items() if there.get(name) != text.encode()}
    return sorted(changed | (MEASURED.keys() ^ (there.keys() - wanted.keys())))


def _pages() -> dict[str, str]:
    return {"README.md": index(), **{f"{name}.md": page(name) for name in FAMILIES}}


if __name__ == "__main__":
    if "--check" in sys.argv:
        old = ", ".join(f"docs/catalogue/{name}" for name in stale())
        sys.exit(f"{old}: not what the code says: run ./dev docs" if old else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, made in {**_pages(), **{name: draw() for name, draw in {**DRAWN, **MEASURED}.items()}}.items():
        (FOLDER / name).write_bytes(made if isinstance(made, bytes) else made.encode())
