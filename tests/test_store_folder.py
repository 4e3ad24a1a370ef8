"""The folder of a run: made new or refused, held by one writer, and what it was made with."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from dressage.errors import RunError, UsageError
from dressage.files import read_json, write_json
from dressage.store import folder as folder_module
from dressage.store.environment import differences, environment, without_secrets
from dressage.store.folder import RunFolder, list_runs
from dressage.store.reader import read_history


def complete(run: RunFolder) -> RunFolder:
    (run.path / "recipe.toml").write_text("seed = 0\n")
    write_json(run.path / "data.json", {})
    return run


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "run"
    RunFolder.require_free(path)
    assert not (tmp_path / "a").exists(), "asking made something"
    run = RunFolder.create(path)
    assert run.path == path and read_json(path / "status.json")["format"] == 1
    (tmp_path / "empty").mkdir()
    RunFolder.create(tmp_path / "empty")


def _full(path: Path) -> Path:
    path.mkdir()
    (path / "thesis.txt").write_text("precious")
    return path


def _run(path: Path) -> Path:
    RunFolder.create(path)
    for name in ("recipe.toml", "data.json"):
        (path / name).touch()
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: _full(p / "run"), "exists and is not empty; .*--out"),
        (lambda p: _run(p / "run"), "is not empty; .*dressage resume"),
        (lambda p: RunFolder.create(p / "run").path, "is not empty; .*delete it: a training was killed"),
        (lambda p: _full(p / "run") / "thesis.txt", "is a file; .*--out"),
        (lambda p: _full(p / "run") / "thesis.txt" / "below", "is a file; .*--out"),
        (lambda p: p / ("n" * 300), "name too long"),
        (lambda p: p / "a\0b", "null"),
    ],
)
def test_what_is_taken_is_refused_and_left_alone(tmp_path: Path, make: object, said: str) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    before = sorted(tmp_path.rglob("*"))
    for attempt in (RunFolder.require_free, RunFolder.create):
        with pytest.raises(UsageError, match=rf"(?i): .*{said}"):
            attempt(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_to_nothing_and_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match="link to nothing"):
        RunFolder.create(tmp_path / "dangling")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    RunFolder.create(tmp_path / "link")
    assert (tmp_path / "real" / "status.json").exists()


def test_a_read_only_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    with pytest.raises(UsageError, match=r"cannot be written \(Permission denied\); .*--out"):
        RunFolder.require_free(tmp_path / "run")


@pytest.mark.parametrize("below", [False, True])
def test_a_full_disk_leaves_no_half_made_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: bool) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"the disk is full: .* free"):
        RunFolder.create_below(tmp_path, "digits") if below else RunFolder.create(tmp_path / "a" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("digits", "digits-1"),
        ("../../etc/passwd", "etc-passwd-1"),
        ("<img onerror=x>\u202e", "img-onerror-x-1"),
        ("...", "run-1"),
        ("", "run-1"),
        ("n" * 300, "n" * 60 + "-1"),
        ("-rf", "rf-1"),
    ],
)
def test_names_below_a_folder_are_tame(tmp_path: Path, name: str, made: str) -> None:
    run = RunFolder.create_below(tmp_path / "runs", name)
    assert run.path == tmp_path / "runs" / made
    assert RunFolder.create_below(tmp_path / "runs", name).path.name == made[:-1] + "2"


def test_runs_that_start_at_once_get_folders_of_their_own(tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.append(RunFolder.create_below(tmp_path / "runs", "digits").path))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(p.name for p in made) == sorted(f"digits-{n}" for n in range(1, 13))


def test_opening_says_what_is_missing(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(RunError, match=r"without recipe\.toml, data\.json; expected"):
        RunFolder.open(run.path)
    complete(run)
    assert RunFolder.open(run.path) == run
    with pytest.raises(RunError, match="is no run folder"):
        RunFolder.open(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match="is a file"):
        RunFolder.open(run.path / "data.json")
    write_json(run.path / "status.json", {"format": 2})
    with pytest.raises(RunError, match=r"is of format 2; this is dressage .* up to format 1; update"):
        RunFolder.open(run.path)
    (run.path / "status.json").write_text("[" * 3000)
    with pytest.raises(RunError, match="nested too deep"):
        RunFolder.open(run.path)
    with pytest.raises(RunError, match="leads out"):
        run.file("../other")


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    (run.path / ".tmp-left").touch()
    assert not run.is_held()
    with run.writing():
        assert run.is_held() and not (run.path / ".tmp-left").exists()
        with (
            pytest.raises(RunError, match=rf"process {os.getpid()} is writing this run; expected one writer"),
            run.writing(),
        ):
            raise AssertionError("two writers")
    assert not run.is_held()
    with run.writing():
        assert run.is_held()


def test_how_a_run_ended_is_kept(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    begun = run.status()["begun"]
    with run.writing():
        run.set_status("running", step=0)
        assert run.status()["status"] == "running"
        run.note("passed over a damaged checkpoint", step=3)
        run.add_finding({"id": "nonfinite-loss", "step": 7})
    run.set_status("finished", step=40, reason="patience", score=float("nan"))
    status = run.status()
    assert (status["status"], status["step"], status["reason"], status["begun"]) == ("finished", 40, "patience", begun)
    history = read_history(run.path)
    assert [(e["kind"], e["step"]) for e in history.events] == [("running", 0), ("note", 3), ("finished", 40)]
    assert history.events[2]["reason"] == "patience" and history.findings == [{"id": "nonfinite-loss", "step": 7}]
    with pytest.raises(ValueError, match="none of"):
        run.set_status("great")  # type: ignore[arg-type]


def test_a_killed_run_is_interrupted(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from dressage.store.folder import RunFolder
        run = RunFolder.create(Path(sys.argv[1]))
        with run.writing():
            run.set_status("running", step=5)
            print("ready", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        run = RunFolder(tmp_path / "run")
        assert run.status()["status"] == "running"
        with pytest.raises(RunError, match=f"process {process.pid} is writing"), run.writing():
            pass
        process.send_signal(signal.SIGKILL)
    assert run.status()["status"] == "interrupted" and run.status()["killed"] is True
    with run.writing():
        pass


def test_runs_are_listed_with_how_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, status in enumerate(("finished", "diverged", "running"), 1):
        monkeypatch.setattr(folder_module.time, "strftime", lambda *_, day=day: f"2026-01-0{day}T00:00:00Z")
        RunFolder.create_below(tmp_path, "digits").set_status(status, step=day, score=0.5)  # type: ignore[arg-type]
    _full(tmp_path / "notes")
    (tmp_path / "digits-1" / "status.json").write_text("{")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    listed = [(path.name, facts["status"]) for path, facts in list_runs(tmp_path)]
    assert listed == [("digits-3", "interrupted"), ("digits-2", "diverged"), ("digits-1", "damaged")]
    with pytest.raises(RunError, match="cannot be listed"):
        list_runs(tmp_path / "none")


def test_the_environment_can_be_kept_and_compared(tmp_path: Path) -> None:
    now = environment()
    write_json(tmp_path / "environment.json", now)
    kept = read_json(tmp_path / "environment.json")
    assert kept == now and differences(kept, now) == []
    assert {"dressage", "torch", "numpy", "processor", "threads", "device", "command"} <= set(now)
    other = {**now, "threads": 64, "python": "4.0", "command": []}
    assert differences(other, now) == [f"threads: 64 then, {now['threads']} now"]


def test_no_secret_is_kept() -> None:
    command = ["dressage", "train", "https://me:pw@host/x.csv", "--api-key", "k", "--wandb.token=t", "--author", "a"]
    kept = without_secrets([*command, "--optim.lr", "1e-3", "tokens.csv", "--password", "--seed", "1"])
    assert kept[:6] == ["dressage", "train", "https://***@host/x.csv", "--api-key", "***", "--wandb.token=***"]
    assert kept[8:] == ["--optim.lr", "1e-3", "tokens.csv", "--password", "--seed", "1"]


def test_of_two_that_take_a_folder_at_once_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "require_free", lambda path: None)  # both looked before either made anything
    first = RunFolder.create(tmp_path / "run")
    first.set_status("running", step=9)
    with pytest.raises(UsageError, match="taken at this moment by another run"):
        RunFolder.create(tmp_path / "run")
    assert first.status()["step"] == 9
