"""Scripts as people write them, with a fault or healthy: what `dressage.watch`, with its two lines, says of each.

    DRESSAGE_TEST_DATA=FOLDER python benchmarks/wild.py [WORD ...] [--place wild|wild2/a|wild2/b|wild3|...|wild15] [--twins]

A script names the causes that are right answers in its first lines; `--twins` runs the repaired ones too, watched.
What they share is wild/kit.py; by hand: `WATCH=1 FIX=0 PYTHONPATH=benchmarks/wild python benchmarks/wild2/a/b01_...py`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KIT = HERE / "wild"  # holds kit.py
LIMIT = 600  # seconds after which a script counts as hanging


def main() -> None:
    options = _options()
    place, words = HERE / options.place, options.words
    scripts = [p for p in sorted(place.glob("[bh][0-9]*.py")) if not words or any(w in p.stem for w in words)]
    if not scripts:
        sys.exit(
            f"error: {options.place} {' '.join(words)}: no such script; expected part of a name in a folder that --help names"
        )
    told = [line(script, ran(script, repaired=False), causes(script)) for script in scripts]
    if options.twins:
        for script in scripts:
            if causes(script):
                line(script, ran(script, repaired=True), set())
    print(summary([(causes(script), found) for script, found in zip(scripts, told, strict=True)]))


def causes(script: Path) -> set[str]:
    """The ids that a script's first lines name; none for a healthy one."""
    found = re.search(r"^cause: (.*)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return set(found[1].split()) if found else set()


def ran(script: Path, *, repaired: bool) -> dict[str, Any]:
    """What a script told: its score, its processor seconds, the findings."""
    path = os.pathsep.join(filter(None, (str(KIT), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "FIX": str(int(repaired)), "WATCH": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    answer = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=LIMIT)
    if answer.returncode:
        sys.exit(f"error: {script.name}: ended with {answer.returncode}\n{answer.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return told


def line(script: Path, told: dict[str, Any], right: set[str]) -> list[str]:
    """Prints a row; the ids that were warned of, in order."""
    warned = [name for name, severity in told["findings"] if severity != "info"]
    mark = "right" if (right & set(warned[:1]) or not (right or warned)) else "WRONG"
    print(f"{script.stem:<40} {told['score']:>9} {told['seconds']:>6} s  {mark}  {', '.join(warned)}", flush=True)
    return warned


def summary(rows: list[tuple[set[str], list[str]]]) -> str:
    """Recall and precision of causes, first-named right, detection, false alarms."""
    faulty = [(right, warned) for right, warned in rows if right]
    healthy = [warned for right, warned in rows if not right]
    said = [(name, right) for right, warned in faulty for name in warned]
    return (
        f"named {sum(bool(right & set(w)) for right, w in faulty)} of {len(faulty)}, "
        f"first {sum(bool(right & set(w[:1])) for right, w in faulty)}, "
        f"detected {sum(bool(w) for _, w in faulty)}, "
        f"right among warnings {sum(name in right for name, right in said)} of {len(said)}; "
        f"healthy with a warning {sum(bool(w) for w in healthy)} of {len(healthy)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="parts of names; none: every script")
    parser.add_argument("--place", default="wild", help="a folder beside this file")
    parser.add_argument("--twins", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
