"""Every block of code in the README and in docs/ runs, in order, in one folder a page.

A block after the comment `<!-- long -->` runs only with the slow tests, one after `<!-- not run -->` never. A command that
ends in `# Ctrl-C` gets one as soon as it has saved something.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGINT
from time import monotonic, sleep

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")])
BLOCK = re.compile(r"(?:<!-- (?P<mark>[a-z ]+) -->\n)?```(?P<kind>python|sh|console)\n(?P<code>.*?)^```", re.S | re.M)
CTRL_C = re.compile(r"^(?P<command>.*?) +# Ctrl-C\n", re.M)
SECONDS = 300


def path_of(page: Path) -> str:
    """As links name it from the root."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str, str, int]]:
    """Each block of a page: its kind, code, mark and line number."""
    text = page.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [(m["kind"], m["code"], m["mark"] or "", text.count("\n", 0, m.start("code")) + 1) for m in found]


def run(kind: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Carries out one block in `folder` as a reader would."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    if kind == "console":
        code = "\n".join(line[2:] for line in code.splitlines() if line.startswith("$ "))
    while kind != "python" and (stopped := CTRL_C.search(code)):
        before, code = code[: stopped.start()], code[stopped.end() :]
        assert not before.strip(), "the first command of its block"
        done = stop(stopped["command"], folder, env)
        assert done.returncode == 5, f"{stopped['command']}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    command = [sys.executable, "-c", code] if kind == "python" else ["sh", "-euc", code]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)


def stop(command: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Carries out a command and presses Ctrl-C once there is a checkpoint that was not there before."""
    known = set(folder.glob("**/checkpoints/*"))
    pipe = subprocess.PIPE
    begun = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)
    until = monotonic() + SECONDS
    while set(folder.glob("**/checkpoints/*")) <= known and begun.poll() is None and monotonic() < until:
        sleep(0.05)
    begun.send_signal(SIGINT)
    out, err = begun.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(command, begun.returncode, out, err)


def is_left_out(code: str, mark: str, slow: bool) -> bool:
    """Installing is not tried here; long blocks only when asked for."""
    return mark == "not run" or code.startswith("pip install") or (mark == "long" and not slow)


def check_page(page: Path, folder: Path, slow: bool) -> None:
    """Runs the blocks of a page one after the other; the first that fails is shown with its line."""
    tried = 0
    for kind, code, mark, line in blocks(page):
        if is_left_out(code, mark, slow):
            continue
        done = run(kind, code, folder)
        assert done.returncode == 0, f"{page.name}, line {line}:\n{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr, f"{page.name}, line {line}:\n{done.stderr[-2000:]}"
        tried += 1
    assert tried or not any(not is_left_out(c, m, slow) for _, c, m, _ in blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    check_page(page, tmp_path, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if any(mark == "long" for _, _, mark, _ in blocks(p))],
    ids=path_of,
)
def test_long_blocks_run(page: Path, tmp_path: Path) -> None:
    check_page(page, tmp_path, slow=True)


def test_pages_have_blocks() -> None:
    kinds = {kind for page in PAGES for kind, *_ in blocks(page)}
    assert {"python", "sh"} <= kinds
    assert len(blocks(ROOT / "README.md")) >= 4


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"
