"""`dressage search` and what goes with it, as a person meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import Answer, call

WORDS = ("iris", "--space", "optim.lr=log:1e-3:1", "model.width=choice:8:16", "--jobs", 1, "--model.depth", 1)
SMALL = (*WORDS, "--stages", "4x2,4x4", "--finalists", 2, "--repeats", 2, "--train.batch_size", 32)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    out = tmp_path_factory.mktemp("search") / "s"
    answer = call("search", *SMALL, "--out", out, "--json")
    assert answer.code == 0, answer.err
    return out, answer


def test_what_is_printed(done: tuple[Path, Answer]) -> None:
    out, answer = done
    found = answer.json
    assert found["status"] == "finished" and found["search"] == str(out) and len(found["trials"]) == 8
    assert found["low"] <= found["mean"] <= found["high"] and found["best"]["stage"] == 1
    assert Path(found["recipe"]).is_file() and found["command"] == f"dressage train iris --recipe {found['recipe']}"
    assert "stage 2 of 2: 4 trials of 4 epochs" in answer.err and "4/4  trial" in answer.err
    assert "is best" not in answer.err  # the verdict is the result, and told once


def test_the_last_line_names_the_command_that_trains_the_winner(done: tuple[Path, Answer], tmp_path: Path) -> None:
    out, answer = done
    shown = call("show", out)
    assert shown.code == 0 and shown.out.splitlines()[-1].startswith("next: dressage train iris --recipe ")
    words = shown.out.splitlines()[-1].removeprefix("next: dressage ").split()
    trained = call(*words, "--out", tmp_path / "run", "--json")
    assert trained.code == 0, trained.err
    recipe = call("show", tmp_path / "run", "--json").json["recipe"]
    assert recipe["optim"]["lr"] == answer.json["best"]["edit"]["optim.lr"] and recipe["train"]["epochs"] == 4


def test_trials_are_runs(done: tuple[Path, Answer]) -> None:
    out = done[0]
    listed = call("runs", out, "--json").json["runs"]
    assert len(listed) == 12 and all(run["data"] == "iris" for run in listed)
    best = max((r for r in listed if r["score"] is not None), key=lambda r: r["score"])
    assert best["low"] < best["score"] <= best["high"]
    shown = call("show", out / "trials" / "0000")
    assert shown.code == 0 and "validation accuracy" in shown.out and "searched" not in shown.err


def test_report_is_one_file(done: tuple[Path, Answer]) -> None:
    page = (done[0] / "report.html").read_text()
    assert "optim.lr" in page and len(page) < 3_000_000 and "http://" not in page.replace("http://www.w3.org", "")


def test_resume_of_a_finished_search_says_the_same(done: tuple[Path, Answer]) -> None:
    out, answer = done
    again = call("resume", out, "--json")
    assert (
        again.code == 0 and again.json["trials"] == answer.json["trials"] and again.json["mean"] == answer.json["mean"]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--space", "optim.lrr=log:1e-3:1"), "did you mean 'optim.lr'?"),
        (("--space", "optim.lr=log:1:1e-3"), "optim.lr"),
        (("--space", "optim.lr=log:0:1"), "optim.lr"),
        (("--stages", "0x3"), "0 trials"),
        (("--trials", "-1"), "expected 1 or more"),
        (("--trials", "0"), "0 given; expected 1 or more"),
        (("--jobs", "-1"), "expected 0 or more"),
        (("--budget", "soon"), "e.g. 90s, 20m or 1.5h"),
        (("--sampler", "grd"), "did you mean 'grid'?"),
        (("--halving", "hyper"), "did you mean 'hyperband'?"),
    ],
)
def test_bad_words_are_one_line_and_write_nothing(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    answer = call("search", "iris", *words, "--out", tmp_path / "s")
    assert answer.code == 2 and len(answer.errors) >= 1 and said in answer.err, answer.err
    assert "Traceback" not in answer.err and not (tmp_path / "s").exists()


def test_what_was_decided_is_told_once_and_shown_again(tmp_path: Path) -> None:
    words = ("iris", "--space", "optim.lr=log:1e-3:1", "--stages", "5x1,1x1", "--repeats", 0, "--train.batch_size", 32)
    answer, shown = call("search", *words, "--out", tmp_path / "s"), call("show", tmp_path / "s")
    decided = [line for line in shown.out.splitlines() if line.startswith("optim.lr: ")]
    assert answer.code == 0 and len(decided) == 1, answer.err
    assert decided[0] in answer.err and decided[0] not in answer.out


def test_no_folder_of_a_search(tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text("[]")
    for words in (("resume", tmp_path), ("show", tmp_path)):
        answer = call(*words)
        assert answer.code == 2 and len(answer.errors) == 1, answer.err


def test_help_has_an_example() -> None:
    answer = call("search", "--help")
    assert answer.code == 0 and "dressage search digits --space optim.lr=log:1e-4:1e-1" in " ".join(answer.out.split())
