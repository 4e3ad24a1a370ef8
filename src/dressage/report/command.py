"""The line that repeats a run, as it works where its report was written from."""

from __future__ import annotations

import shlex
from pathlib import Path

from dressage.report.gather import Files


def repeat_command(files: Files) -> str:
    """`dressage reproduce runs/mine`, quoted for the shell; in Python where the data came from there."""
    place, own = place_of(files.folder), bool(files.data.get("own_model"))
    if "given" in files.data and files.data["given"] is None:
        return f"dressage.reproduce({place!r}, x, y=y{', model=…' if own else ''})"
    return f"dressage reproduce {shlex.quote(place)}" + (" --model FILE.py:Name" if own else "")


def place_of(folder: Path) -> str:
    """The folder as seen from the working directory; where it is not below it, as it was given.

    So a report that is passed on tells of no folder above the run that the person did not name.
    """
    whole, here = folder.absolute(), Path.cwd()
    place = str(whole.relative_to(here) if whole.is_relative_to(here) else folder)
    return f"./{place}" if place.startswith("-") else place  # else it would be taken for an option
