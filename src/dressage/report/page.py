"""The page itself: one HTML file that needs nothing else, and in which no text from a file is more than text."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import resources

import jinja2
import numpy as np
from markupsafe import Markup

from dressage.report import tables
from dressage.report.advice import hints
from dressage.report.command import repeat_command
from dressage.report.confusion import LABELS, confusion_svg
from dressage.report.curves import Chart, charts
from dressage.report.findings import finding_rows
from dressage.report.gather import Files
from dressage.report.limits import limits
from dressage.report.plots import line_svg
from dressage.report.repaired import repair_told
from dressage.report.scatter import scatter_svg
from dressage.report.story import headline, interval, penalties, status, tiles, title, trained
from dressage.report.text import listing, shown

UPLOT = "1.6.32"


def render(files: Files) -> str:
    """The whole page as text."""
    drawn, state, judged = charts(files.history), status(files), files.judged
    style, script = _resource("report.css") + _resource("uPlot.min.css", "vendor"), _script()
    columns, scores = tables.score_rows(files)
    rows = tables.settings(files)
    found, noted = finding_rows(files)
    return _template().render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        series=Markup(embed([_series(chart) for chart in drawn])),
        title=title(files),
        run=files.name,
        task=judged.get("task") or files.data.get("task") or "",
        status=state,
        headline=headline(files),
        trained=trained(files),
        penalties=penalties(files),
        tiles=[(t, Markup(t.picture)) for t in tiles(files)],
        hints=hints(files, state),
        columns=columns,
        scores=scores,
        limits=limits(files),
        judged=judged,
        metric_interval=interval,
        classes=tables.class_rows(judged),
        targets=tables.target_rows(judged),
        confusion=Markup(confusion_svg(judged)),
        confusion_names=len(listing(judged.get("classes"))) <= LABELS,
        confused=tables.confused_rows(judged),
        scatter=Markup(scatter_svg(judged)),
        mistakes=tables.misses(judged),
        charts=[(chart, Markup(line_svg(chart))) for chart in drawn],
        repair=repair_told(files.repair, files.name),
        findings=found,
        noted=noted,
        chosen=[row for row in rows if row.origin != "default"],
        usual=[row for row in rows if row.origin == "default"],
        facts=tables.facts(files.data),
        splits=tables.splits(files.data),
        counts=tables.class_counts(files.data),
        assumptions=tables.assumptions(files.data),
        warnings=[shown(w, 600) for w in listing(files.data.get("warnings"))][:50],
        data_columns=tables.data_columns(files.data),
        environment=tables.environment(files.environment),
        gaps=files.gaps,
        repeat=repeat_command(files),
    )


def embed(value: object) -> str:
    """JSON that may stand in a `<script>`: no `<`, `>` or `&` in it, so neither `</script` nor `<!--` can occur."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _series(chart: Chart) -> dict[str, object]:
    """The chart as uPlot wants it: one axis of steps, and a value or null for each line at each of them."""
    x = np.unique(np.concatenate([s.x for s in chart.series]))
    lines = []
    for s in chart.series:
        at = np.full(len(x), np.nan)
        at[np.searchsorted(x, s.x)] = s.y
        lines.append(
            {"label": s.label, "role": s.role, "y": [float(f"{v:.5g}") if np.isfinite(v) else None for v in at]}
        )
    return {"id": chart.id, "log": chart.log, "x": x.tolist(), "lines": lines, "mark": chart.mark}


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: this very script and style and pictures written in the page, and nothing else."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _script() -> str:
    licence = _resource("uPlot.LICENSE", "vendor").replace("*/", "")
    library = _resource("uPlot.iife.min.js", "vendor")
    return f"/* uPlot {UPLOT}\n{licence}\n*/\n{library}\n{_resource('report.js')}"


def _resource(name: str, folder: str = "templates") -> str:
    return resources.files("dressage.report").joinpath(folder, name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dressage.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def _printed(value: object) -> object:
    """What each expression goes through before it is escaped: Markup is ours, all else may come from files."""
    return value if isinstance(value, Markup) or value == "" else shown(value)
