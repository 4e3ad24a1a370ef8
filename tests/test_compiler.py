"""torch's compiler is imported by what compiles, not by each start of an optimiser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BEFORE = "from dressage.compiler import import_late, is_imported\nimport_late()\nimport torch\n"
STEP = (
    "w = torch.nn.Linear(2, 1); o = torch.optim.Adam(w.parameters())\n"
    "w(torch.ones(3, 2)).sum().backward(); o.step(); o.zero_grad()\n"
)


def said(program: str, *words: str, where: Path | None = None) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=where)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_training_from_the_command_line_does_not_import_it(tmp_path: Path) -> None:
    program = (
        "from dressage.cli.main import main; import dressage.compiler, sys\n"
        "assert main(sys.argv[1:]) == 0\nprint(dressage.compiler.is_imported())"
    )
    words = ("train", "iris", "--train.epochs", "2")
    assert said(program, *words, where=tmp_path).endswith("False")


@pytest.mark.parametrize(
    ("what", "imported"),
    [
        ("print(is_imported())", "False"),
        (STEP + "print(is_imported())", "False"),
        ("import inspect; inspect.getmodule(inspect.currentframe()); print(is_imported())", "False"),
        ("import torch._dynamo.config; print(is_imported())", "True"),
        ("from torch._dynamo import reset; reset(); print(is_imported())", "True"),
        ("torch._dynamo.reset(); print(is_imported())", "True"),
        (STEP + "c = torch.compile(w, backend='eager'); c(torch.ones(2, 2)); print(is_imported())", "True"),
    ],
)
def test_it_is_imported_by_what_needs_it(what: str, imported: str) -> None:
    assert said(BEFORE + what) == imported


def test_what_was_to_be_left_alone_is_left_alone_when_it_is_imported_later() -> None:
    program = BEFORE + (
        "seen = []\n"
        "def look(x):\n    seen.append(torch.compiler.is_compiling())\n    return x + 1\n"
        "alone = torch.compiler.disable(look)\n"
        "assert alone(torch.ones(1)).item() == 2 and not is_imported()\n"
        "f = torch.compile(lambda x: alone(2 * x), backend='eager')\n"
        "assert f(torch.ones(1)).item() == 3 and is_imported()\n"
        "print(seen)"
    )
    assert said(program) == "[False, False]"


def test_where_it_was_imported_before_nothing_changes() -> None:
    program = (
        "import torch._dynamo as before; from dressage.compiler import import_late, is_imported; import_late()\n"
        "import sys; print(sys.modules['torch._dynamo'] is before, is_imported())"
    )
    assert said(program) == "True True"


def test_steps_give_the_same_bits_as_with_it() -> None:
    steps = "torch.manual_seed(0)\n" + STEP + "o.step(); print(w.weight.tolist(), is_imported())"
    late, early = said(BEFORE + steps), said("import torch._dynamo\n" + BEFORE + steps)
    assert late.removesuffix(" False") == early.removesuffix(" True")
