"""From a run folder to its report.html."""

from __future__ import annotations

from pathlib import Path

from dressage.files import write_atomic
from dressage.report.gather import gather
from dressage.report.page import render

NAME = "report.html"


def write_report(folder: Path | str) -> Path:
    """Writes `report.html` into a run folder, from the files in it alone, and returns its path.

    One file that works offline, under 3 MB. Files that are missing or damaged leave a gap that the page names.
    Raises RunError where there is no such folder, UsageError where the file cannot be written.
    """
    place = Path(folder)
    page = render(gather(place))
    write_atomic(place / NAME, page)
    return place / NAME
