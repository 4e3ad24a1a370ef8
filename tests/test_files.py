"""Files that appear whole or not at all, and JSON that is exact."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dressage import files
from dressage.errors import DataError, RunError, UsageError

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["$float", "$dict", "a", "é"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def exactly(value: object) -> object:
    """The value with every float as its bits (every NaN alike), so that == compares what JSON must keep."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    return [exactly(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_json_comes_back_to_the_last_bit(value: object) -> None:
    text = files.to_json({"value": value})
    assert "NaN" not in text.replace('"NaN"', "") and text.isascii()
    assert exactly(files.from_json(text, "here")["value"]) == exactly(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e400}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "9" * 30 + "}",
        '{"a": ' + "[" * 3000 + "]" * 3000 + "}",
        '{"a": ' + "[" * 100 + "]" * 100 + "}",
        '{"a": {"$float": "0x1"}}',
        '{"a": {"$float": []}}',
        '{"a": {"$dict": 3}}',
        b'{"a": "\xff"}',
        b"\x80\x04\x95",
    ],
)
def test_hostile_json_is_refused_in_three_parts(text: str | bytes) -> None:
    with pytest.raises(DataError, match=r"^x\.json: .+; expected .+; .+"):
        files.from_json(text, "x.json", DataError)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {2.0: 1}}, {"a": object()}, {"a": b"x"}])
def test_what_json_would_change_is_not_written(tmp_path: Path, value: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_read_again_is_not_written() -> None:
    deep: list[object] = []
    for _ in range(files.JSON_DEPTH + 1):
        deep = [deep]
    with pytest.raises(ValueError, match="nested"):
        files.to_json(deep)


def test_write_replaces_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)  # the longest name: the temporary one must not be longer
    files.write_atomic(path, "old")
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
    assert files.sha256(path) == hashlib.sha256(b"new").hexdigest()
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    path = tmp_path / "a.json"
    files.write_atomic(path, "old")

    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fails)
    with pytest.raises(UsageError, match=r"a\.json: .+; expected .+; .*--out"):
        files.write_atomic(path, "new" * 1000)
    monkeypatch.undo()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_numbers(tmp_path: Path) -> None:
    """A limit on the size of a file stands for the full disk: the system stops the write half way."""
    code = """
        import resource, sys
        from pathlib import Path
        from dressage.errors import UsageError
        from dressage.files import write_atomic
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        try:
            write_atomic(Path(sys.argv[1]) / "big", bytes(5_000_000))
        except UsageError as error:
            print(error)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "the disk is full" in told.stdout and "5.0 MB to write" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_room_is_asked_for_before_writing(tmp_path: Path) -> None:
    files.require_space(tmp_path / "not" / "yet" / "there", 1000)
    with pytest.raises(UsageError, match=r"free, 1000000\.0 TB to write"):
        files.require_space(tmp_path, 10**18)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "a", tmp_path / "folder", tmp_path / ("n" * 300)):
        with pytest.raises(UsageError, match="cannot be written"):
            files.write_atomic(path, "x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_reading_refuses_what_is_no_file_or_too_large(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big").write_bytes(bytes(2000))
    for name, said in {"pipe": "not a plain file", "big": r"2\.0 kB", "none": "does not exist", "a\0b": "read"}.items():
        with pytest.raises(RunError, match=said):
            files.read_json(tmp_path / name, limit=1000)


def test_json_file_round_trip(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"loss": float("nan"), "name": "\u202egpj.<img>", "n": [1, (2, 3)]})
    read = files.read_json(tmp_path / "a.json")
    assert read["loss"] != read["loss"] and read["name"] == "\u202egpj.<img>" and read["n"] == [1, [2, 3]]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../../x", "/etc/passwd", "a\0b", "link/x", "loop/x"])
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(RunError, match="leads out"):
        files.inside(folder, name)


def test_names_inside_a_folder(tmp_path: Path) -> None:
    assert files.inside(tmp_path, "a/b.json") == tmp_path / "a" / "b.json"
    assert files.inside(tmp_path, "..a") == tmp_path / "..a"
