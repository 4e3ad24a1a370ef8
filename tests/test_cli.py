"""The command line: what it understands, how it refuses, how fast it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from command import Answer, call, process
from dressage import __version__
from dressage.cli import options
from dressage.cli.app import COMMANDS
from dressage.cli.load import load_network
from dressage.cli.output import Output, cell, duration, sparkline, table, to_json
from dressage.cli.values import SWITCHED
from dressage.errors import DataError, Diverged, Interrupted, RecipeError, RunError, UsageError
from dressage.recipe import Recipe

HEAVY = ("torch", "sklearn", "pyarrow", "pandas")


def check_refused(answer: Answer, code: int, *named: str) -> None:
    """One line `error: where: found; expected; repair` that names these, and nothing on stdout."""
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (code, "", 1), answer
    assert answer.err.startswith("error: ") and answer.err.count("; ") >= 2, answer.err
    assert "Traceback" not in answer.err
    for name in named:
        assert name in answer.err, answer.err


def test_version() -> None:
    answer = process("--version")
    assert (answer.code, answer.out.strip()) == (0, __version__)
    assert answer.cpu < 0.15 * 3, "it should take a thirtieth of a second"  # a busy machine is given room


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; from dressage.cli.main import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = done.stderr
    assert not [name for name in HEAVY if f"'{name}'" in imported]
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert process("--help").cpu < 0.6 * 2


def test_the_public_names_are_functions_whatever_was_imported_first() -> None:
    program = "import dressage.train, dressage.fit; print(callable(dressage.train), callable(dressage.fit))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"], done.stderr


@pytest.mark.parametrize("name", [*COMMANDS, "recipe init", "recipe show", "recipe schema"])
def test_each_help_has_an_example(name: str) -> None:
    answer = call(*name.split(), "--help")
    assert answer.code == 0
    if name != "recipe":
        assert "For example:\n" in answer.out and f"  dressage {name}" in answer.out
        assert "--json" in answer.out and "--plain" in answer.out


def test_the_line_in_the_list_is_the_one_in_the_file() -> None:
    top = " ".join(call("--help").out.split())
    for _, line in COMMANDS.values():
        assert line in top


def test_train_help_has_every_field_under_its_section() -> None:
    text = call("train", "--help").out
    for path, field in options.fields_of(Recipe):
        assert f"--{path} " in text
        assert (field.description or "").split()[0] in text
    assert [s for s in ("\n   optim ", "\n   regularize ", "\n   watch ") if s not in text] == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["trian", "x"], ["trian", "did you mean train?"]),
        (["frobnicate"], ["frobnicate", "demo, train, resume"]),
        (["--fast"], ["--fast", "no such"]),
        (["train"], ["DATA", "not given"]),
        (["train", "x", "--optim.lt", "3"], ["--optim.lt", "did you mean --optim.lr?"]),
        (["train", "x", "--optim.lt=3"], ["--optim.lt:", "did you mean --optim.lr?"]),
        (["train", "x", "--optim.lr"], ["--optim.lr", "no value given"]),
        (["train", "x", "y"], ["y: one word too many"]),
        (["train", "x", "--jsn"], ["--jsn", "did you mean --json?"]),
        (["train", "x", "--seed", "1", "--seed", "2"], ["--seed", "twice"]),
        (["train", "x", "--optim.lr", "fast"], ["optim.lr", "'fast'", "number"]),
        (["train", "x", "--optim.lr", "-1"], ["optim.lr", "greater than or equal to 0"]),
        (["train", "x", "--optim.lr", "nan"], ["optim.lr", "nan"]),
        (["train", "x", "--recipe", "missing.toml"], ["missing.toml", "recipe init"]),
        (["train", "x", "--model", "Net"], ["--model", "FILE.py:Name"]),
        (["train", "x", "--model", "none.py:Net"], ["--model", "no file none.py"]),
        (["list", "activatoin"], ["activatoin", "did you mean 'activation'?"]),
        (["runs", "nowhere"], ["nowhere", "no such folder"]),
        (["completion", "tcsh"], ["tcsh", "bash"]),
    ],
)
def test_refused_in_one_line(words: list[str], named: list[str]) -> None:
    check_refused(call(*words), 2, *named)


def test_several_errors_of_a_recipe_come_at_once() -> None:
    answer = call("recipe", "show", "--optim.lr", "fast", "--train.epochs", "0", "--schedule.warmup", "-2")
    assert answer.code == 2
    assert [e for e in ("optim.lr", "train.epochs", "schedule.warmup") if e not in answer.err] == []
    assert len(answer.errors) == len(answer.err.splitlines()) == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError, 2), (RecipeError, 2), (RunError, 2), (DataError, 3), (Diverged, 4), (Interrupted, 5)],
)
def test_exit_codes(error: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: list[str]) -> None:
        raise error("x: a; b; c")

    monkeypatch.setattr("dressage.cli.app.run", fail)
    check_refused(call("doctor"), code)


def test_a_bug_is_one_line_and_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: list[str]) -> None:
        raise ZeroDivisionError("one\ntwo\x1b[31m")

    monkeypatch.delenv("DRESSAGE_TRACEBACK", raising=False)
    monkeypatch.setattr("dressage.cli.app.run", fail)
    check_refused(call("doctor"), 70, "this is a bug in dressage", "ZeroDivisionError", "DRESSAGE_TRACEBACK=1")
    assert "\x1b" not in call("doctor").err
    monkeypatch.setenv("DRESSAGE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        call("doctor")


def test_only_what_was_given_is_laid_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[optim]\nname = 'sgd'\nlr = 0.1\n")
    words = [
        "--recipe",
        file,
        "--optim.lr",
        "1e-3",
        "--target",
        "price",
        "--augment",
        "a,random_crop(padding=4, fill=0)",
    ]
    seen: list[Recipe] = []

    def command(*, recipe: Recipe) -> None:
        """Looks."""
        seen.append(recipe)

    from cyclopts import App

    app = App(default_command=options.with_recipe(command), result_action="return_value")
    app([str(w) for w in [*words, "--augment", "b"]], exit_on_error=False, print_error=False)
    (recipe,) = seen
    assert recipe.optim.name == "sgd" and recipe.optim.lr == 1e-3 and recipe.data.target == "price"
    assert recipe.augment == ["a", "random_crop(padding=4, fill=0)", "b"]
    assert recipe.model_fields_set == {"optim", "data", "augment"}
    assert recipe.optim.model_fields_set == {"name", "lr"}


def test_names_of_columns_may_hold_commas() -> None:
    fields = dict(options.fields_of(Recipe))
    assert options._list(["a, b"], fields["data.ignore"]) == ["a, b"]
    assert options._list(["none"], fields["augment"]) == []


def test_list_causes_has_each_id_that_findings_carry() -> None:
    told = call("list", "causes", "--json").json
    assert len(told["causes"]) == 43 and len(told["symptoms"]) == 10
    assert {c["id"] for c in told["causes"]} >= {"data.leakage", "optim.lr_too_high", "pipe.data_stall"}
    text = call("list", "faults").out
    assert "loss.double_softmax" in text and "sym.plateau" in text
    assert call("list", "--json").json["families"]["optim"] > 15


def test_list_prints_what_the_catalogue_holds() -> None:
    entries = call("list", "activations", "--json").json["entries"]
    relu = next(entry for entry in entries if entry["name"] == "relu")
    assert relu["formula"] and relu["source"] and relu["summary"]
    text = call("list", "activation").out
    assert all(entry["name"] in text and entry["formula"] in text for entry in entries)
    everything = call("list", "--json").json["families"]
    assert everything["activation"] == len(entries)


def test_list_has_what_a_value_of_the_recipe_switches_on() -> None:
    for family, values in SWITCHED.items():
        found, text = call("list", family, "--json").json["values"], call("list", family).out
        assert [one["path"] for one in found] == [value.path for value in values]
        for value in values:
            assert all(part in text for part in (value.written, value.summary, value.formula, value.source))
            shown = call("recipe", "show", "digits", f"--{value.path}", value.value, "--json").json["recipe"][
                value.path
            ]
            assert (shown["value"], shown["origin"]) == (value.value, "given")


def test_recipe_schema_and_doctor() -> None:
    assert "optim" in json.loads(call("recipe", "schema").out)["properties"]
    assert call("recipe", "schema", "--json").json["title"] == "Recipe"
    found = call("doctor", "--json").json
    assert found["write_test"] == "passed" and found["problems"] == []


def test_recipe_init_leaves_open_what_was_not_given(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    assert call("recipe", "init", "--out", file, "--optim.lr", "3e-4").code == 0
    from dressage.recipe import load_recipe

    recipe = load_recipe(file)
    assert recipe.optim.lr == 3e-4 and recipe.optim.model_fields_set == {"lr"}
    assert "# epochs = " in file.read_text()
    check_refused(call("recipe", "init", "--out", file), 2, "recipe.toml", "there is such a file")
    shown = call("recipe", "show", "--recipe", file, "--json").json["recipe"]
    assert shown["optim.lr"] == {"value": 3e-4, "origin": "given", "why": "as written"}
    assert shown["optim.name"]["origin"] == "default"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_options(shell: str) -> None:
    script = call("completion", shell).out
    assert "dressage" in script and len(script) > 500


def test_own_module_is_named_before_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net_of_mine.py"
    file.write_text("import sys\nprint('it runs', file=sys.stderr)\nfrom torch import nn\nclass Net(nn.Module): ...\n")
    net = load_network(f"{file}:Net", Output())
    assert getattr(net, "__name__", "") == "Net"
    said = capsys.readouterr().err
    assert 0 <= said.index(str(file)) < said.index("it runs")
    assert load_network(None, Output()) is None
    with pytest.raises(UsageError, match="did you mean 'Net'"):
        load_network(f"{file}:Nett", Output())


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m dressage recipe schema | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("{", "")


def test_text_forms() -> None:
    assert [duration(s) for s in (7, 750, 11045, float("nan"))] == ["0:07", "12:30", "3:04:05", "0:00"]
    assert sparkline([0, 1, float("nan"), 2]) == "▁▅ █"
    assert len(sparkline(list(range(1000)))) == 40
    assert sparkline([]) == "" and sparkline([3, 3]) == "▁▁"
    assert to_json({"a": float("nan"), "b": [1.5, Path("x")]}) == '{"a": null, "b": [1.5, "x"]}'
    assert cell("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    lines = table(["name", "n"], [("字", 5), ("long", 10)])
    assert lines == ["name   n", "字     5", "long  10"]


def test_a_long_table_of_columns_is_cut_and_nothing_steers_the_terminal() -> None:
    from dressage.cli.described import MOST, described_lines
    from dressage.data.describe import Row

    rows = [Row("data", "x", "64 features"), *(Row("column", f"c{i}", "number\x1b[31m") for i in range(64))]
    lines = list(described_lines([*rows, Row("warning", "", "look " * 100)]))
    assert len(lines) == 1 + MOST + 1 and "data.json" in lines[-2]
    assert lines[-1].startswith("warning") and lines[-1].endswith("look")
    assert "\x1b" not in "".join(lines)


def test_progress_is_a_line_an_epoch_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from dressage.cli.progress import Progress
    from dressage.fit import EpochEvent, PlanEvent, StepEvent

    with Progress(Output()) as progress:
        progress(PlanEvent(100, 0, 10, 2, []))
        for epoch in (1, 2):
            for step in range(10 * epoch - 9, 10 * epoch + 1):
                progress(StepEvent(step, epoch, torch.tensor(0.5), 1e-3))
            progress(
                EpochEvent(10 * epoch, epoch, {"train_loss": 0.5, "val_loss": 1e-9, "val_accuracy": 1.0}, epoch == 1)
            )
    said = capsys.readouterr()
    head, first, second = said.err.splitlines()
    assert said.out == ""
    assert head.split() == ["epoch", "train", "loss", "validation", "loss", "accuracy", "rate", "time", "left"]
    assert first.split()[:5] == ["1/2", "0.5000", "1.00e-09", "1.0000", "1.00e-03"] and first.endswith("best")
    assert second.split()[-1] == "0:00"


def test_the_time_left_is_that_of_both_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from dressage.cli import progress as module
    from dressage.fit import EpochEvent, PlanEvent, StepEvent

    clock = iter(range(1000))
    monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    said: list[str] = []
    monkeypatch.setattr(Output, "note", lambda _, text: said.append(text))
    with module.Progress(Output()) as progress:
        progress(PlanEvent(100, 0, 10, 2, [], more=30))
        for step in (1, 10):
            progress(StepEvent(step, 1, torch.tensor(0.5), 1e-3))
        progress(EpochEvent(10, 1, {"train_loss": 0.5}, False))
        progress(PlanEvent(120, 0, 12, 2, [], again="its loss was lowest there"))
        for step in (1, 12):
            progress(StepEvent(step, 1, torch.tensor(0.5), 1e-3))
        progress(EpochEvent(12, 1, {"train_loss": 0.5}, False))
    assert said[1].split()[-1] == "0:09", "40 steps at two seconds for nine"
    assert said[2] == "training again on all 120 rows for 2 epochs: its loss was lowest there"
    assert said[-1].split()[-1] == "0:02", "12 steps at two seconds for eleven"


def test_colour_only_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Output().lively(terminal)  # type: ignore[arg-type]
    assert not Output(plain=True).lively(terminal)  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Output().lively(terminal)  # type: ignore[arg-type]


def test_json_says_what_failed_and_how_the_run_stands(tmp_path: Path) -> None:
    answer = call("train", "digitz", "--json")
    assert answer.json == {"error": answer.errors[0].removeprefix("error: "), "exit_code": 3}
    run = tmp_path / "run"
    answer = call("train", "iris", "--json", "--out", run, "--optim.name", "sgd", "--optim.lr", "1e30")
    assert (answer.code, answer.json["exit_code"]) == (4, 4) and answer.errors[0].endswith(answer.json["error"])
    assert (answer.json["run"], answer.json["status"], answer.json["scores"]) == (str(run), "diverged", {})
    (finding,) = answer.json["findings"]
    shown = call("show", run).out
    assert finding["evidence"] in shown and finding["remedy"] in shown and "next:" not in shown
    check_refused(call("show", tmp_path), 2, f"`dressage runs {tmp_path}`")


def test_an_error_of_the_users_network_is_not_called_a_bug_of_dressage(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self, shape, outputs):\n"
        "        super().__init__(*shape, outputs)\n\n    def forward(self, x):\n"
        "        if self.training:\n            raise ValueError('late')\n        return super().forward(x)\n"
    )
    answer = call("train", "iris", "--model", f"{net}:Net", "--out", tmp_path / "run")
    assert answer.code == 2 and "net.py line 10: your network raised ValueError: late" in answer.errors[0]
    assert "bug" not in answer.err
