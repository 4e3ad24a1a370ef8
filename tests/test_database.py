"""run.db: what is recorded is read back exactly, cut cleanly, and survives a kill, damage and read-only places."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dressage import files
from dressage.errors import DressageError, RunError, UsageError
from dressage.store import blocks, database, reader, sink
from dressage.store.database import Recorder
from dressage.store.reader import curve, read_history


def values_at(step: int) -> tuple[float, float]:
    return step * 0.1, 1.0 / (step + 1)


def recorded(folder: Path, first: int, last: int, columns: tuple[str, ...] = ("loss", "lr")) -> None:
    with Recorder(folder, columns) as recorder:
        for step in range(first, last + 1):
            recorder.step(step, values_at(step))


def expected(steps: list[int], column: int) -> np.ndarray:
    return np.array([values_at(step)[column] for step in steps], np.float32)


def assert_holds(folder: Path, steps: list[int]) -> None:
    history = read_history(folder)
    assert history.damaged == [] and history.steps.tolist() == steps
    assert np.array_equal(history.columns["loss"], expected(steps, 0))
    assert np.array_equal(history.columns["lr"], expected(steps, 1))


def test_tensors_and_numbers_are_read_at_flush(tmp_path: Path) -> None:
    loss = torch.nn.Linear(1, 1)(torch.ones(1)).sum() * 0 + torch.tensor(0.1)
    kept = [loss, torch.tensor([2.5], dtype=torch.bfloat16), 3, float("nan"), torch.tensor(1e300, dtype=torch.float64)]
    with Recorder(tmp_path, ["loss"]) as recorder:
        for step, value in enumerate(kept):
            recorder.step(step, [value])
        assert all(not row[1][0].requires_grad for row in recorder._rows[:2]), "the graph of a step was kept alive"
        recorder.flush()
        history = read_history(tmp_path)
    assert history.columns["loss"].dtype == np.float32 and history.steps.dtype == np.int64
    assert np.array_equal(history.columns["loss"], np.float32([0.1, 2.5, 3, np.nan, np.inf]), equal_nan=True)


def test_a_clean_end_leaves_one_file_of_at_most_eight_bytes_a_scalar(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 20_000)
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
    assert (tmp_path / "run.db").stat().st_size <= 5.5 * 20_000 * 2
    with sqlite3.connect(tmp_path / "run.db") as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    plain.close()
    assert_holds(tmp_path, list(range(1, 20_001)))


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 40])
def test_any_number_of_columns_is_small(tmp_path: Path, columns: int) -> None:
    with Recorder(tmp_path, [f"c{i}" for i in range(columns)]) as recorder:
        for step in range(10_000):
            recorder.step(step, [float(step)] * columns)
            if step % 70 == 0 and columns == 2:
                recorder.flush()  # a block that is written often is still one block
    assert (tmp_path / "run.db").stat().st_size <= 8 * 10_000 * columns
    assert len(read_history(tmp_path).columns) == columns


@given(
    pieces=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60), st.booleans()), min_size=1, max_size=6),
    cut=st.integers(-1, 260),
    more=st.integers(0, 30),
)
@settings(max_examples=20, deadline=None)
def test_gaps_reopening_and_cuts_keep_every_other_step(
    pieces: list[tuple[int, int, bool]], cut: int, more: int
) -> None:
    small = pytest.MonkeyPatch()
    small.setattr(sink, "ROWS", 16)
    small.setattr(database, "FLUSH_ROWS", 10)
    folder = Path(tempfile.mkdtemp())
    try:
        steps, at, recorder = [], 0, Recorder(folder, ("loss", "lr"))
        for gap, length, reopen in pieces:
            for step in range(at + gap - 1, at + gap - 1 + length):
                recorder.step(step, values_at(step))
                steps.append(step)
            at = steps[-1] + 1
            if reopen:
                recorder.close()
                recorder = Recorder(folder, ("loss", "lr"))
        recorder.epoch(1, cut, {"kept": True})
        recorder.event("late", cut + 1, {})
        recorder.cut(cut)
        steps = [step for step in steps if step <= cut]
        for step in range(cut + 1, cut + 1 + more):
            recorder.step(step, values_at(step))
            steps.append(step)
        recorder.close()
        assert_holds(folder, steps)
        history = read_history(folder)
        assert history.epochs == [{"epoch": 1, "step": cut, "kept": True}] and history.events == []
    finally:
        small.undo()
        shutil.rmtree(folder)


def test_blocks_are_full_however_often_they_are_written(tmp_path: Path) -> None:
    with Recorder(tmp_path, ("loss", "lr")) as recorder:
        for step in range(3000):
            recorder.step(step, values_at(step))
            if step % 50 == 0:
                recorder.flush()
    with sqlite3.connect(tmp_path / "run.db") as plain:
        assert plain.execute("SELECT n FROM blocks").fetchall() == [(1024,), (1024,), (952,)]
    plain.close()


def test_what_happened_is_kept_and_repeats_replace(tmp_path: Path) -> None:
    finding = {"id": "lr-too-high", "step": 4, "evidence": {"loss": float("inf")}, "where": "</script>\u202e"}
    with Recorder(tmp_path, ["loss"]) as recorder:
        recorder.step(4, [1.0])
        for score in (0.5, 0.75):
            recorder.epoch(1, 4, {"score": score, "loss": float("nan")})
            recorder.finding(finding)
        recorder.finding({"id": "no-step"})
        recorder.event("running", 0, {"step": "not this", "reason": None})
    history = read_history(tmp_path)
    assert len(history.epochs) == 1 and history.epochs[0]["score"] == 0.75
    assert history.epochs[0]["loss"] != history.epochs[0]["loss"]
    assert history.findings == [finding, {"id": "no-step", "step": 4}]
    event = history.events[0]
    assert (event["kind"], event["step"], event["reason"]) == ("running", 0, None)
    assert abs(event["time"] - time.time()) < 60


def test_columns_may_change_between_runs(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 3)
    with Recorder(tmp_path, ["lr", "norm"]) as recorder:
        recorder.step(4, [0.5, 9.0])
    history = read_history(tmp_path)
    assert history.columns["norm"].tolist()[3] == 9.0 and np.isnan(history.columns["norm"][:3]).all()
    assert np.isnan(history.columns["loss"][3]) and history.columns["lr"][3] == 0.5
    assert curve(tmp_path, "norm")[0].tolist() == [4]


def test_misuse_is_told_at_once(tmp_path: Path) -> None:
    with Recorder(tmp_path, ["loss"]) as recorder:
        recorder.step(5, [1.0])
        with pytest.raises(RunError, match="step 5 after step 5; expected rising"):
            recorder.step(5, [1.0])
        with pytest.raises(RunError, match="2 values at step 6; expected 1: loss"):
            recorder.step(6, [1.0, 2.0])
        with pytest.raises(TypeError):
            recorder.event("x", 6, {"tensor": torch.ones(1)})
        recorder.step(6, [torch.ones(2)])
        with pytest.raises(RunError, match="expected scalars"):
            recorder.flush()


def test_a_step_never_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, real = threading.Event(), sink.Sink.write

    def slow(self: sink.Sink, *given: object) -> None:
        go.wait(10)
        real(self, *given)

    monkeypatch.setattr(sink.Sink, "write", slow)
    monkeypatch.setattr(database, "FLUSH_SECONDS", 0.0)
    with Recorder(tmp_path, ("loss", "lr")) as recorder:
        for step in range(5000):
            recorder.step(step, values_at(step))
        recorder.event("end", 4999, {})
        assert not read_history(tmp_path).steps.size
        go.set()
    assert_holds(tmp_path, list(range(5000)))
    assert len(read_history(tmp_path).events) == 1


def test_it_is_read_while_it_is_written(tmp_path: Path) -> None:
    with Recorder(tmp_path, ("loss", "lr")) as recorder:
        for step in range(2000):
            recorder.step(step, values_at(step))
            if step % 100 == 99:
                recorder.flush()
                assert read_history(tmp_path).steps.tolist() == list(range(step + 1))
        with sqlite3.connect(tmp_path / "run.db") as reading:
            reading.execute("BEGIN")
            reading.execute("SELECT n FROM blocks").fetchone()
            recorder.step(2000, values_at(2000))
            recorder.close()  # with a reader inside
        reading.close()
    assert_holds(tmp_path, list(range(2001)))


def test_a_second_writer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.1}))
    with Recorder(tmp_path, ["loss"]) as recorder:
        other = real(tmp_path / "run.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        recorder.step(1, [1.0])
        with pytest.raises(RunError, match="another process"):
            recorder.flush()
        other.close()


_KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    from dressage.store.database import Recorder
    from dressage.store.reader import read_history

    run, draw, last = Path(sys.argv[1]), random.Random(0), -1

    def write(step, told):
        with Recorder(run, ["loss", "lr"]) as recorder:
            recorder.cut(step)
            while True:
                step += 1
                recorder.step(step, (float(step), -float(step)))
                if step % 37 == 0:
                    recorder.flush()
                    os.write(told, step.to_bytes(8, "little"))

    for _ in range(int(sys.argv[2])):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            write(last, tell)
        os.close(tell)
        first = os.read(told, 8)
        time.sleep(draw.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(told, "rb") as pipe:
            flushed = int.from_bytes((first + pipe.read())[-8:], "little")
        history = read_history(run)
        steps = history.steps.tolist()
        assert not history.damaged and steps == list(range(len(steps))), history.damaged
        assert steps[-1] >= flushed, (steps[-1], flushed)
        assert history.columns["loss"].tolist() == steps and history.columns["lr"].tolist() == [-s for s in steps]
        last = draw.randrange(flushed // 2, flushed)
    print("ok", steps[-1])
"""


def kills(run: Path, rounds: int) -> None:
    code = textwrap.dedent(_KILLED)
    done = subprocess.run([sys.executable, "-c", code, str(run), str(rounds)], capture_output=True, text=True)
    assert done.stdout.startswith("ok"), done.stderr


def test_a_kill_loses_only_what_was_not_flushed(tmp_path: Path) -> None:
    kills(tmp_path, 10)


@pytest.mark.slow
def test_a_hundred_kills_lose_only_what_was_not_flushed(tmp_path: Path) -> None:
    kills(tmp_path, 150)


def killed(folder: Path, name: str) -> Path:
    """The folder of a run whose writer was killed: its last rows are in the log beside the database."""
    live, copy = folder / "live", folder / name
    live.mkdir(exist_ok=True)
    with Recorder(live, ("loss", "lr")) as recorder:
        for step in range(1500):
            recorder.step(step, values_at(step))
        recorder.event("running", 0, {"a": 1})
        recorder.epoch(1, 1499, {"score": 1.0})
        recorder.flush()
        shutil.copytree(live, copy)
    return copy


def test_a_copied_log_is_read_and_taken_up(tmp_path: Path) -> None:
    copy = killed(tmp_path, "copy")
    (copy / "run.db-shm").unlink(missing_ok=True)
    assert (copy / "run.db-wal").stat().st_size > 0
    assert_holds(copy, list(range(1500)))
    recorded(copy, 1500, 1600)
    assert_holds(copy, list(range(1601)))


def test_a_killed_run_in_a_read_only_place_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = killed(tmp_path, "copy")
    before = {p.name: p.read_bytes() for p in copy.iterdir()}
    real = reader._connect

    def refuse(path: Path) -> sqlite3.Connection:
        if path.parent == copy:
            raise sqlite3.OperationalError("unable to open database file")
        return real(path)

    monkeypatch.setattr(reader, "_connect", refuse)
    assert_holds(copy, list(range(1500)))
    assert {p.name: p.read_bytes() for p in copy.iterdir()} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_read_and_not_written(tmp_path: Path) -> None:
    copy = killed(tmp_path, "copy")
    copy.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert_holds(copy, list(range(1500)))
        with pytest.raises(UsageError, match="--out"):
            Recorder(copy, ["loss"])
    finally:
        copy.chmod(stat.S_IRWXU)


def test_reading_a_finished_run_makes_no_file(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 10)
    before = (tmp_path / "run.db").read_bytes()
    read_history(tmp_path), curve(tmp_path, "loss")
    assert [p.name for p in tmp_path.iterdir()] == ["run.db"] and (tmp_path / "run.db").read_bytes() == before


def sql(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "run.db") as plain:
        for statement in statements:
            plain.execute(statement)
    plain.close()


@pytest.mark.parametrize(
    ("statement", "steps", "said"),
    [
        ("UPDATE blocks SET data = zeroblob(length(data)) WHERE first = 1025", 2024, "values do not fit their CRC"),
        ("UPDATE blocks SET data = substr(data, 1, 8) WHERE first = 1025", 2024, "values do not fit"),
        ("UPDATE blocks SET n = 1000000000000 WHERE first = 1025", 2024, "sizes do not fit"),
        ("UPDATE blocks SET n = n - 1 WHERE first = 1025", 2024, "head does not fit"),
        ("UPDATE blocks SET first = 7 WHERE first = 1025", 2024, "head does not fit"),
        ("UPDATE blocks SET n = 'many', low = NULL WHERE first = 1025", 2024, "wrong kind"),
        ("UPDATE blocks SET columns = 99 WHERE first = 1025", 2024, "columns are unknown"),
        ('UPDATE columns SET names = \'{"names": ["lr", "loss"]}\'', 0, "names of columns 1 were left out"),
        ("UPDATE epochs SET facts = '{\"score\": 2.0}'", 3048, "a row of epochs was left out"),
        ("UPDATE events SET facts = NULL", 3048, "a row of events was left out"),
    ],
)
def test_damaged_rows_are_told_and_left_out(tmp_path: Path, statement: str, steps: int, said: str) -> None:
    with Recorder(tmp_path, ("loss", "lr")) as recorder:
        for step in range(1, 3049):
            recorder.step(step, values_at(step))
        recorder.epoch(1, 3048, {"score": 1.0})
        recorder.event("end", 3048, {})
    sql(tmp_path, statement)
    history = read_history(tmp_path)
    assert len(history.steps) == steps and said in " ".join(history.damaged)
    if steps:
        assert np.array_equal(history.columns["loss"], expected(history.steps.tolist(), 0))
        assert len(curve(tmp_path, "loss", 5000)[0]) == steps
    recorded(tmp_path, 3049, 3100)  # what is damaged does not stop the writer
    assert read_history(tmp_path).steps[-1] == 3100


def test_overlapping_blocks_are_left_out(tmp_path: Path) -> None:
    recorded(tmp_path, 1, 100)
    row = blocks.to_row(50, 1, np.zeros((100, 2), np.float32))
    with sqlite3.connect(tmp_path / "run.db") as plain:
        plain.execute(blocks.INSERT_BLOCK, row)
    plain.close()
    history = read_history(tmp_path)
    assert history.steps.tolist() == list(range(1, 101)) and "overlaps" in history.damaged[0]


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_flipped_bits_never_give_wrong_numbers(seed: int) -> None:
    whole = _whole()
    damaged = bytearray(whole)
    draw = np.random.default_rng(seed)
    for _ in range(int(draw.integers(1, 4))):
        damaged[draw.integers(len(whole))] ^= 1 << draw.integers(8)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run.db").write_bytes(damaged)
        try:
            history = read_history(Path(folder))
        except RunError:
            return
        for name, column in (("loss", 0), ("lr", 1)):
            if name in history.columns:
                assert np.array_equal(history.columns[name], expected(history.steps.tolist(), column))
        assert all(epoch["score"] == 1.0 for epoch in history.epochs)


_WHOLE: list[bytes] = []


def _whole() -> bytes:
    if not _WHOLE:
        with tempfile.TemporaryDirectory() as folder:
            with Recorder(Path(folder), ("loss", "lr")) as recorder:
                for step in range(3000):
                    recorder.step(step, values_at(step))
                recorder.epoch(1, 2999, {"score": 1.0})
            _WHOLE.append((Path(folder) / "run.db").read_bytes())
    return _WHOLE[0]


def _endless(folder: Path) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 1, 1, 1, 1, x, x, x FROM c"
    sql(folder, "DROP TABLE blocks", f"CREATE VIEW blocks AS {endless}")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "run.db").unlink(), "does not exist"),
        (lambda f: (f / "run.db").write_bytes(b""), "is empty"),
        (lambda f: (f / "run.db").write_bytes(b"\x80\x04 no database" * 100), "is damaged"),
        (lambda f: (f / "run.db").write_bytes((f / "run.db").read_bytes()[:3000]), "damaged|no database of a run"),
        (
            lambda f: sql(f, "PRAGMA user_version=2"),
            r"format 2; this is dressage .*, which reads up to format 1; update",
        ),
        (lambda f: sql(f, "PRAGMA application_id=1"), "no database of a run"),
        (lambda f: sql(f, "CREATE TABLE other(a)"), "no database of a run"),
        (_endless, "no database of a run"),
    ],
)
def test_what_is_no_database_of_a_run_is_told(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    recorded(tmp_path, 1, 10)
    harm(tmp_path)
    with pytest.raises(RunError, match=rf"run\.db: .*{said}"):
        read_history(tmp_path)
    if (tmp_path / "run.db").exists() and (tmp_path / "run.db").stat().st_size:
        with pytest.raises(RunError, match=said):
            Recorder(tmp_path, ["loss"])


def test_nothing_is_written_after_what_could_not_be(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, ["loss"])
    write, calls = recorder._sink.write, []

    def fails_once(rows: Any, records: Any) -> None:
        calls.append(len(rows))
        if len(calls) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        write(rows, records)

    recorder._sink.write = fails_once  # type: ignore[method-assign]
    recorder.step(1, [1.0])
    recorder._pending = recorder._submit(recorder._sink.write, recorder._rows, [])
    recorder._pending.result()
    recorder._submit(recorder._sink.write, [(2, (2.0,))], []).result()  # handed over before the failure was seen
    with pytest.raises(DressageError):
        recorder.close()
    assert calls == [1]
    assert len(read_history(tmp_path).steps) == 0


def test_a_full_disk_is_told_with_numbers(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        from dressage.errors import UsageError
        from dressage.store.database import Recorder
        recorder = Recorder(Path(sys.argv[1]), ["loss"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            for step in range(200_000):
                recorder.step(step, [1.0])
            recorder.close()
        except UsageError as error:
            print(error)
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True)
    assert "run.db: " in told.stdout and "--out" in told.stdout, told.stderr
    history = read_history(tmp_path)
    assert history.damaged == [] and history.steps.tolist() == list(range(len(history.steps))) and len(history.steps)


@pytest.mark.parametrize(
    ("name", "free", "said"),
    [
        ("SQLITE_IOERR_SHMSIZE", 32_768, r"the disk is full: 32\.8 kB free, .* to write; .*free some space"),
        ("SQLITE_IOERR_WRITE", 1 << 30, r"\(disk I/O error\); expected a disk that takes it; see whether .* quota"),
        ("SQLITE_FULL", 4096, r"the disk is full: 4\.1 kB free"),
    ],
)
def test_what_sqlite_calls_a_fault_of_the_disk_is_told_as_want_of_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, free: int, said: str
) -> None:
    """The index of a log that cannot grow is an I/O error to SQLite: seen with 33 to 53 kB left of a file system."""
    monkeypatch.setattr(blocks, "free_bytes", lambda path: free)
    monkeypatch.setattr(files, "free_bytes", lambda path: free)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = getattr(sqlite3, name)
    told = blocks.database_error(tmp_path / "run.db", error)
    assert isinstance(told, UsageError)
    assert re.search(rf"run\.db: .*{said}.*--out", str(told)), told


@pytest.mark.parametrize("steps", [0, 1, 5, 999, 5000, 40_000])
@pytest.mark.parametrize("points", [1, 10, 2000])
def test_a_curve_keeps_every_extreme(tmp_path: Path, steps: int, points: int) -> None:
    data = np.random.default_rng(0).normal(size=steps).astype(np.float32)
    data[steps // 3 : steps // 3 + 1] = 1e9
    data[steps // 3 + 1 : steps // 3 + 4] = np.nan
    with Recorder(tmp_path, ["loss"]) as recorder:
        for step, value in enumerate(data.tolist()):
            recorder.step(step + 1, [value])
    at, low, high = curve(tmp_path, "loss", points)
    assert len(at) == len(low) == len(high) <= points and (np.diff(at) > 0).all()
    if steps:
        assert at[0] == 1 and np.nanmin(low) == np.nanmin(data) and np.nanmax(high) == np.nanmax(data)
    if steps <= points:
        assert np.array_equal(low, data, equal_nan=True) and np.array_equal(high, data, equal_nan=True)
    with pytest.raises(RunError, match="no column 'acc'; it has loss"):
        curve(tmp_path, "acc", points)
