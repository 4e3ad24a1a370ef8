"""docs/catalogue/: the pages are what the code says, and their examples do what they show."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from command import call
from dressage.cli.list_family import FAMILIES, catalogue_of
from dressage.cli.values import SWITCHED
from dressage.recipe import as_recipe
from dressage.resolve import given_paths
from test_docs import ROOT, blocks

FOLDER = ROOT / "docs" / "catalogue"
NO_RECIPE = ("data", "surface", "members", "combine", "transfer")
"""Families that a recipe does not name, or not without a run that was trained before."""
TOML = re.compile(r"^```toml\n(.*?)^```", re.S | re.M)


def text_of(family: str) -> str:
    return (FOLDER / f"{family}.md").read_text(encoding="utf-8")


def test_the_pages_are_what_the_code_says() -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "make_catalogue.py", "--check"], check=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_page_has_every_entry_with_formula_and_source(family: str) -> None:
    text = text_of(family)
    for entry in catalogue_of(family).values():
        assert f"\n## {entry.name}\n" in text
        assert entry.formula in text and entry.summary.rstrip(".")[1:] in text
        assert entry.source in text
    for value in SWITCHED.get(family, ()):
        assert f"\n## {value.path}\n" in text and value.formula in text and value.source in text


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in NO_RECIPE])
def test_the_example_is_a_recipe_and_its_command_says_the_same(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at as `dressage recipe show` settles it for the data of the example; the slow tests of test_docs train it."""
    monkeypatch.chdir(tmp_path)
    (written,) = TOML.findall(text_of(family))
    Path("my.toml").write_text(written)
    *making, (_, code, mark, _) = blocks(FOLDER / f"{family}.md")
    for _, python, _, _ in making:
        exec(python, {})
    program, verb, data, *options = shlex.split(code.splitlines()[-1])
    assert (mark, program, verb, options[-2:]) == ("long", "dressage", "train", ["--out", f"runs/{family}"])
    by_file = call("recipe", "show", data, "--recipe", "my.toml", "--json")
    by_words = call("recipe", "show", data, *options[:-2], "--json")
    assert by_file.code == by_words.code == 0, by_file.err + by_words.err
    found = by_file.json["recipe"]
    assert found == by_words.json["recipe"]
    assert all(found[path]["origin"] == "given" for path in given_paths(as_recipe(tomllib.loads(written))))


def test_the_index_leads_to_every_page_and_counts() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for family, (_, where) in FAMILIES.items():
        assert f"]({family}.md) | `{where}` | {len(catalogue_of(family))} |" in text


@pytest.mark.parametrize("name", ["activations.svg", "schedule.svg", "optim.svg", "init.svg"])
def test_a_picture_is_drawn(name: str) -> None:
    path = FOLDER / name
    paths = ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}path")
    assert sum(1 for one in paths if one.get("d")) >= 10 and path.stat().st_size < 100_000


def test_the_sheet_of_photographs_is_small() -> None:
    photograph = (FOLDER / "augment.jpg").read_bytes()
    assert photograph[:3] == b"\xff\xd8\xff" and 50_000 < len(photograph) < 200_000
