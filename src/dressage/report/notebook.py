"""A short card for a notebook: what was trained, its score with interval and baseline, the loss as a small curve."""

from __future__ import annotations

from pathlib import Path

from dressage.report.curves import charts
from dressage.report.gather import gather
from dressage.report.plots import sparkline_svg
from dressage.report.story import headline, status, tiles, title, trained
from dressage.report.svg import plain
from dressage.report.text import shown

_CARD = (
    "font-family:system-ui,sans-serif;border:1px solid rgba(128,128,128,.35);border-radius:8px;"
    "padding:12px 16px;max-width:640px"
)
_QUIET = "opacity:.7;font-size:12px"


def run_html(folder: Path | str) -> str:
    """HTML without script, in the colours of the page around it; every text from a file is escaped.

    Raises RunError where there is no such folder.
    """
    files = gather(Path(folder))
    drawn = [chart for chart in charts(files.history, most=200) if chart.id == "loss"]
    lines = [s for s in drawn[0].series if s.role != "faint"] or list(drawn[0].series) if drawn else []
    figures = "".join(
        f'<div style="margin-right:28px"><div style="{_QUIET}">{plain(t.label)}</div>'
        f'<div style="font-size:20px;font-variant-numeric:tabular-nums">{plain(t.figure)}</div>'
        f'<div style="{_QUIET}">{plain(t.note)}</div></div>'
        for t in tiles(files)[:3]
    )
    return (
        f'<div style="{_CARD}"><div><strong>{plain(title(files))}</strong> '
        f'<span style="{_QUIET}">{plain(status(files).word)}</span></div>'
        f'<div style="margin:4px 0 10px">{plain(headline(files))}</div>'
        f'<div style="display:flex;flex-wrap:wrap;align-items:flex-end;gap:8px 0">{figures}'
        f"{sparkline_svg(lines) if lines else ''}</div>"
        f'<div style="{_QUIET};margin-top:8px">{plain(trained(files))} Run: {plain(shown(folder, 200))}</div></div>'
    )
