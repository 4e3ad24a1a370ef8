"""A page in a browser, and everything that it should not have done there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
OPTIONS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"


@contextmanager
def opened() -> Iterator[Any]:
    """The system's Chromium; skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium here")
    with api.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        yield chromium
        chromium.close()


def visit(browser: Any, file: Path, width: int = 1100, scheme: str = "light") -> tuple[Any, list[str]]:
    """The page, and everything that it should not have done."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: faults.append(f"request: {request.url[:100]}"))
    page.goto(file.as_uri())
    page.wait_for_timeout(100)
    local = f"request: {file.as_uri()}"[:109]
    return page, [f for f in faults if not f.startswith((local, "request: data:"))]
