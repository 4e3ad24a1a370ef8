"""What the watch found, for the page: those with harm open, the rest as notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dressage.report.gather import Files
from dressage.report.text import mapping, setting, shown

ORDER = {"critical": 0, "warning": 1, "info": 2}
MOST = 50


def finding_rows(files: Files) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The findings with harm, the gravest first, and those without; symptoms without harm are left out."""
    ordered = sorted(files.history.findings, key=lambda f: ORDER.get(str(f.get("severity")), 3))[:MOST]
    rows = [_row(f) for f in ordered]
    notes = [row for row in rows if row["severity"] == "info" and not str(row["id"]).startswith("sym.")]
    return [row for row in rows if row["severity"] != "info"], notes


def _row(found: Mapping[str, Any]) -> dict[str, object]:
    severity, evidence = str(found.get("severity")), found.get("evidence")
    if isinstance(evidence, dict):
        evidence = ", ".join(f"{shown(k, 60)} {shown(v, 60)}" for k, v in evidence.items())
    edit = mapping(found.get("edit"))
    return {
        **{key: found.get(key) for key in ("id", "where", "source")},
        "cause": _sentence(found.get("cause")),
        "remedy": _sentence(found.get("remedy")),
        "evidence": evidence,
        "step": None if "step" in str(evidence) else found.get("step"),
        "severity": severity if severity in ORDER else "info",
        "edit": [f"{shown(k, 80)} = {setting(v)}" for k, v in edit.items()][:10],
        "code": "" if edit else found.get("code") or "",
    }


def _sentence(value: object) -> str:
    text = shown(value, 600) if value else ""
    return text[:1].upper() + text[1:]
