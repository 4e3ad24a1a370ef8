"""The ids of causes and symptoms: all of them on the page, and none in the code that is not among them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dressage.causes import CAUSES, SYMPTOMS

ROOT = Path(__file__).resolve().parent.parent
ID = re.compile(r'Finding\(\s*"((?:data|model|loss|optim|eval|pipe|sym)\.[a-z_]+)"')


def test_the_page_is_what_the_code_says() -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "make_causes.py", "--check"], check=True)


def test_there_are_43_causes_and_10_symptoms() -> None:
    assert (len(CAUSES), len(SYMPTOMS)) == (43, 10)
    assert all(name == cause.id for name, cause in CAUSES.items())


def test_a_finding_carries_a_known_id() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = {name for text in sources for name in ID.findall(text)}
    assert len(used) > 15 and used <= {*CAUSES, *SYMPTOMS}
