"""A page without a script: one HTML file that needs nothing else, and in which no text from a file is more than text."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from importlib import resources

import jinja2
from markupsafe import Markup

from dressage.report.text import shown


def still_page(package: str, template: str, style: str, values: Mapping[str, object], *, colours: str = "") -> str:
    """A template of a package with these values, in the report's style and that of `style`, a file beside the template.

    `colours`: further style, of pictures. The template is handed `style` and `policy`. Pictures are given as `Markup`;
    all else is escaped, and shortened.
    """
    css = _resource("dressage.report", "report.css") + colours + _resource(package, style)
    return _templates(package).get_template(template).render({**values, "style": Markup(css), "policy": _policy(css)})


def _policy(style: str) -> str:
    """Content-Security-Policy: this very style and pictures written in the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _resource(package: str, name: str) -> str:
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _templates(package: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("dressage.report")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) or value == "" else shown(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
