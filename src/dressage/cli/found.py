"""A finding for the terminal: what is wrong, how one sees it, why, and what to do, with the option that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dressage.cli.output import cell

NOTES = 3  # findings without harm that are told, a line each


def found_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """All of a run: those with harm whole, of the others the first in a line each."""
    harmful = [f for f in findings if f.get("severity") != "info"]
    noted = [f for f in findings if f.get("severity") == "info" and not str(f.get("id")).startswith("sym.")]
    lines = [line for f in harmful for line in finding_lines(f)]
    return lines + [f"note: {cell(f.get('cause'), 200)}: {cell(f.get('evidence'), 300)}" for f in noted[:NOTES]]


def finding_lines(found: Mapping[str, Any], *, briefly: bool = False) -> list[str]:
    """Of a stored finding; briefly: one line as it comes, since the whole of it is said at the end."""
    name, severity = cell(found.get("id", "")), cell(found.get("severity") or "finding")
    cause, step = cell(found.get("cause"), 300), found.get("step")
    if briefly:
        at = f"step {step:,}: " if isinstance(step, int) and step else ""
        return [f"{severity}: {at}{cause} ({name})"]
    where = f" at {cell(found['where'], 100)}" if found.get("where") else ""
    lines = [f"{severity}: {cause or name} ({name}{where})"]
    if found.get("evidence"):
        lines.append(f"    seen: {cell(found['evidence'], 500)}")
    if found.get("remedy"):
        lines.append(f"    do: {cell(found['remedy'], 400)}")
    written = options(found.get("edit") or {})
    if written and written not in str(found.get("remedy")):
        lines.append(f"    option: {cell(written, 400)}")
    elif found.get("code") and not written:
        lines.append(f"    code: {cell(found['code'], 300)}")
    return lines


def options(edit: object) -> str:
    """`{"optim.lr": 1e-3}` as `--optim.lr 0.001`."""
    if not isinstance(edit, Mapping):
        return ""
    return " ".join(f"--{path} {_value(value)}" for path, value in edit.items())


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        text = ",".join(map(str, value)) or "none"
        return f'"{text}"' if any(sign in text for sign in " ()") else text
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
