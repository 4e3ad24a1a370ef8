"""What a user gets for bad input: one line with what was found, what was expected and what to do, and nothing else.

The numbers are those of the project's list of bad inputs.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import bad_data as bad
from command import Answer, call, process

CPU_SECONDS = 5
QUICK = ["--train.epochs", "1"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRESSAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def check_refused(answer: Answer, code: int, *named: str) -> None:
    """Exit code, one `error:` line in three parts that names these, no traceback, nothing that steers a terminal."""
    assert answer.code == code, answer
    assert len(answer.errors) == 1 and "Traceback" not in answer.err, answer.err
    (line,) = answer.errors
    assert answer.err.rstrip().endswith(line), "more follows the error"
    assert line.count(";") >= 2 and "this is a bug" not in line, line
    for name in named:
        assert name in line, f"{name!r} is not named: {line}"
    check_plain(answer)


def check_plain(answer: Answer) -> None:
    """No control character but the end of a line."""
    assert not [c for c in answer.out + answer.err if not c.isprintable() and c != "\n"], answer


def train(data: object, out: Path, *words: object) -> tuple[Answer, float]:
    """`dressage train` in this process, and its CPU seconds."""
    import dressage.train  # noqa: F401  the import is not the input's fault

    began = time.process_time()
    answer = call("train", data, "--out", out, *words)
    return answer, time.process_time() - began


REFUSED: list[tuple[str, bad.Maker, list[str]]] = [
    ("1 missing path", bad.missing, ["nothing_here"]),
    ("2 empty folder", bad.empty_folder, ["void"]),
    ("3 one class", bad.one_class, ["pics", "class"]),
    ("3 one class in a table", bad.one_class_table, ["label"]),
    ("4 a class with one image", bad.lone_image, ["lonely"]),
    ("5 text named jpg", bad.with_bad_file(b"hello, I am text\n"), ["bad.jpg"]),
    ("6 zero bytes", bad.with_bad_file(b""), ["bad.jpg"]),
    ("7 truncated jpg", bad.truncated_jpg, ["bad.jpg"]),
    ("12 loop of links", bad.link_loop, ["self.jpg", "link"]),
    ("12 link out of the tree", bad.link_out, ["out.jpg", "secret"]),
    ("14 unreadable file", bad.unreadable, ["0.jpg"]),
    ("17 ragged row", bad.ragged, ["17"]),
    ("18 doubled column", bad.doubled_column, ["'a'"]),
    ("20 target missing everywhere", bad.no_target, ["label"]),
    ("22 inf, 1e400, Arabic digits, 1_000", bad.odd_numbers, ["'a'", "line 2"]),
    ("23 NUL byte", bad.nul_byte, ["table.csv"]),
    ("24 a huge field", bad.huge_field, ["line 6"]),
    ("27 truncated Parquet", bad.truncated_parquet, ["table.parquet"]),
    ("28 nested Parquet", bad.nested_parquet, ["'a'"]),
    ("29 dtype object", bad.object_npy, ["object"]),
    ("30 header of 8 TB", bad.header_of_8_terabytes, ["x.npy"]),
    ("32 different lengths", bad.different_lengths, ["40", "39"]),
]

# What is accepted, and what the table of assumptions says about it.
TOLD: list[tuple[str, bad.Maker, list[str]]] = [
    ("10 modes of pixels", bad.mixed_modes, ["CMYK"]),
    ("11 turned by EXIF", bad.turned, ["EXIF"]),
    ("13 odd file names", bad.odd_names, []),
    ("15 the same image in two parts", bad.in_both_parts, ["c0/0.jpg"]),
    ("16 latin-1", bad.latin_1, ["größer"]),
    ("19 no header", bad.no_header, ["header"]),
    ("21 decimal commas", bad.decimal_commas, ["decimal"]),
    ("25 semicolons", bad.semicolons, [";"]),
    ("26 a column equal to the target", bad.leak, ["copy"]),
    ("33 labels with gaps", bad.labels_as([0, 5, 9]), []),
    ("33 negative labels", bad.labels_as([-1, 1]), []),
    ("33 labels as floats", bad.labels_as([0.0, 1.0]), []),
    ("hostile names", bad.hostile_names, ["<img", "\\x1b"]),
]


@pytest.mark.parametrize(("maker", "named"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(maker: bad.Maker, named: list[str], tmp_path: Path) -> None:
    data, out = maker(tmp_path), tmp_path / "run"
    answer, cpu = train(data, out, *QUICK, *(["--target", "label"] if data.suffix in (".csv", ".parquet") else []))
    check_refused(answer, 3, *named)
    assert answer.out == "" and not out.exists() and cpu < CPU_SECONDS


@pytest.mark.parametrize(("maker", "told"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_accepted_and_told(maker: bad.Maker, told: list[str], tmp_path: Path) -> None:
    answer, _ = train(maker(tmp_path), tmp_path / "run", *QUICK)
    assert answer.code == 0, answer.err
    for word in told:
        assert word in answer.err + answer.out, f"{word!r} is not told: {answer.err}{answer.out}"
    check_plain(answer)
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize(
    "maker", [bad.png_of(12_000), bad.png_of(40_000), bad.npz_bomb], ids=["8 large PNG", "9 larger PNG", "31 npz bomb"]
)
def test_bombs_stay_within_a_gigabyte(maker: bad.Maker, tmp_path: Path) -> None:
    data, out = maker(tmp_path), tmp_path / "run"
    program = (
        "import resource, sys; from dressage.cli.main import main; import dressage.train; code = main(sys.argv[1:]);"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "train", data, "--out", out, *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    *said, last = done.stderr.splitlines()
    assert int(last.split()[1]) < 1_000_000
    if done.returncode:
        check_refused(
            Answer(done.returncode, done.stdout, "\n".join(said)), 3, data.name if data.is_file() else "bad.png"
        )
        assert not out.exists()


RECIPES = [
    ("34 unknown key", "[optim]\nlearning_rate = 1\n", ["learning_rate", "lr"]),
    ("34 unknown section", "[optm]\nlr = 1\n", ["optm", "optim"]),
    ("34 unknown technique", "[model]\nactivation = 'rellu'\n", ["rellu", "relu"]),
    ("34 unknown option", "augment = ['random_crop(pading=4)']\n", ["pading", "padding"]),
    ("35 rate as a word", "[optim]\nlr = 'fast'\n", ["optim.lr", "fast"]),
    ("35 negative rate", "[optim]\nlr = -1e-3\n", ["optim.lr", "-0.001"]),
    ("35 rate that is no number", "[optim]\nlr = nan\n", ["optim.lr", "nan"]),
    ("group and time", "[data]\ngroup = 'a'\ntime = 'b'\n", ["recipe.toml", "data.time", "data.group"]),
    ("36 batch larger than the data", "[train]\nbatch_size = 100000\n", ["train.batch_size", "100000"]),
    ("37 nested deep", "x = " + "[" * 3000 + "]" * 3000, ["nested"]),
    ("37 an integer of 5,000 digits", "seed = " + "9" * 5000, ["recipe.toml"]),
    ("37 ten megabytes", "#" + "x" * 10_000_000, ["bytes"]),
    ("no TOML", "optim: lr: 1", ["recipe.toml", "TOML"]),
    ("code as an option", "augment = ['random_crop(padding=__import__(\"os\"))']", ["random_crop"]),
]


@pytest.mark.parametrize(("text", "named"), [case[1:] for case in RECIPES], ids=[case[0] for case in RECIPES])
def test_bad_recipe(text: str, named: list[str], tmp_path: Path) -> None:
    file, out = tmp_path / "recipe.toml", tmp_path / "run"
    file.write_text(text)
    answer, cpu = train(bad.csv(tmp_path, bad.rows()), out, "--recipe", file)
    check_refused(answer, 2, *named)
    assert not out.exists() and cpu < CPU_SECONDS


def test_35_a_rate_written_as_text_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[optim]\nlr = '1e-3'\n")
    answer = call("recipe", "show", "--recipe", tmp_path / "recipe.toml", "--json")
    assert answer.json["recipe"]["optim.lr"]["value"] == 1e-3


@pytest.mark.parametrize("form", ["a run", "a file", "a full folder", "no place for one"])
def test_38_out_that_cannot_be_used(form: str, tmp_path: Path) -> None:
    out = Path("/proc/run") if form == "no place for one" else tmp_path / "run"
    if form == "a file":
        out.write_text("mine")
    elif form in ("a run", "a full folder"):
        out.mkdir()
        (out / ("recipe.toml" if form == "a run" else "thesis.tex")).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    answer, _ = train(bad.csv(tmp_path, bad.rows()), out)
    check_refused(answer, 2, str(out))
    there = sorted(p for p in tmp_path.rglob("*") if p.name != "table.csv" and "cache" not in p.parts)
    assert there == before
    assert form != "a file" or out.read_text() == "mine"


def test_39_a_full_disk(tmp_path: Path) -> None:
    """A process that may write one megabyte a file gets the same answer from the system as on a full disk."""
    data, out = bad.csv(tmp_path, bad.rows()), tmp_path / "run"
    words = ["train", data, "--out", out, "--model.width", "1024", "--model.depth", "2", *QUICK]
    done = subprocess.run(
        [sys.executable, "-m", "dressage", *map(str, words)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    check_refused(Answer(done.returncode, done.stdout, done.stderr), 2, "room")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs."""
    folder = tmp_path_factory.mktemp("finished")
    answer = call("train", bad.csv(folder, bad.rows()), "--out", folder / "run", "--train.epochs", "2")
    assert answer.code == 0, answer.err
    return folder


def damaged(finished: Path, tmp_path: Path) -> tuple[Path, list[Path]]:
    """A copy of the run as if it had been stopped at its last step, and the files of weights in it."""
    shutil.copytree(finished, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    status = run / "status.json"
    status.write_text(status.read_text().replace('"finished"', '"interrupted"'))
    weights = sorted(run.glob("**/checkpoints/*/model.safetensors"))
    assert weights
    return run, weights


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-10] ^= 0x10
    file.write_bytes(content)


def _pickle(file: Path) -> None:
    file.write_bytes(b"cos\nsystem\n(S'touch '\nS'pwned'\ntR.")


def _long_header(file: Path) -> None:
    file.write_bytes((2**60).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(
    "damage", [_cut, _flip, _pickle, _long_header], ids=["41 cut", "42 bit", "43 pickle", "45 header"]
)
@pytest.mark.parametrize("command", ["predict", "resume"])
def test_damaged_checkpoints(
    damage: Any, command: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run, weights = damaged(finished, tmp_path)
    for file in weights:
        damage(file)
    answer = call(command, run, *([finished / "table.csv"] if command == "predict" else []))
    check_refused(answer, 2, "checkpoint")
    assert not (tmp_path / "pwned").exists()


def test_a_damaged_checkpoint_is_passed_over_aloud(finished: Path, tmp_path: Path) -> None:
    run, weights = damaged(finished, tmp_path)
    newest = max(weights, key=lambda file: int(file.parent.name))
    assert len(weights) > 1
    _flip(newest)
    answer = call("resume", run)
    assert answer.code == 0 and "damaged checkpoint" in answer.err


def test_44_another_architecture(finished: Path, tmp_path: Path) -> None:
    run, _ = damaged(finished, tmp_path)
    recipe = run / "recipe.toml"
    text = recipe.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("width = ")]
    recipe.write_text(text.replace(line, "width = 7"))
    check_refused(call("predict", run, finished / "table.csv"), 2, "7")


@pytest.mark.parametrize("command", ["show", "resume", "evaluate", "reproduce"])
def test_a_folder_that_is_no_run(command: str, tmp_path: Path) -> None:
    check_refused(call(command, tmp_path / "nowhere"), 2, "nowhere")
    (tmp_path / "other").mkdir()
    check_refused(call(command, tmp_path / "other"), 2, "other")


def test_as_a_process(tmp_path: Path) -> None:
    """The same answers from the command itself."""
    missing = process("train", tmp_path / "nothing_here", "--out", tmp_path / "run")
    check_refused(missing, 3, "nothing_here")
    assert missing.out == "" and os.listdir(tmp_path) == []  # noqa: PTH208
    usage = process("train", "digits", "--optim.lt", "3")
    check_refused(usage, 2, "--optim.lt", "--optim.lr")
    assert usage.cpu < 2
