"""Writes docs/causes.md from the code: `./dev docs`; with --check it only says whether the page is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from dressage.causes import CAUSES, SYMPTOMS

PAGE = Path(__file__).with_name("causes.md")
HEAD = f"""# What can be wrong

The {len(CAUSES)} causes that dressage names, wherever it looks: before a training (`dressage check`, `dressage.preflight`), in it
([`dressage train`, `dressage.watch`](watch.md)) and after it. The ids stay as they are: a script may rely on them. A cause is
a warning only where harm was shown, by a simple model or by a copy of the training that does better with one thing changed;
without it, it is a note, or nothing is said.

This page is made from `dressage.causes` by `./dev docs`.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD, "| cause | what is seen | what tells it from others | what to do |", "|---|---|---|---|"]
    lines += [f"| `{c.id}` | {c.seen} | {c.told_by} | {c.remedy} |" for c in CAUSES.values()]
    lines += ["", "## Symptoms", "", "A symptom says what is seen, and not why: it is a reason to look.", ""]
    lines += ["| symptom | what is seen |", "|---|---|", *(f"| `{name}` | {seen} |" for name, seen in SYMPTOMS.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            PAGE.read_text(encoding="utf-8") != page() and "docs/causes.md is not what the code says: run ./dev docs"
        )
    PAGE.write_text(page(), encoding="utf-8")
