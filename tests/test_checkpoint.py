"""Checkpoints: exact, whole or absent, and every damage seen before anything is parsed."""

from __future__ import annotations

import errno
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dressage import files
from dressage.errors import RunError, UsageError
from dressage.store import checkpoint, manifest
from dressage.store.checkpoint import newest, pointer, read_checkpoint, require_same, steps, write_checkpoint
from dressage.store.tensors import read_tensors, write_tensors
from dressage.store.writer import CheckpointWriter

DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.bool, torch.float8_e4m3fn,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
]  # fmt: skip


def some(dtype: torch.dtype, *shape: int) -> Tensor:
    bits = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(1))
    return bits.to(dtype)


def tensors(step: int = 0) -> dict[str, dict[str, Tensor]]:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) + step
    model = {
        "0.weight": base,
        "tied": base,
        "view": base[1:3],
        "strided": base.t(),
        "expanded": torch.tensor([1.0]).expand(5),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 7),
        "parameter": torch.nn.Parameter(base.clone()),
        "not finite": torch.tensor([float("nan"), float("inf"), -0.0]),
        "naïve \u202e<img>": torch.ones(1),
    }
    return {"model": model, "optimizer": {f"{t}": some(t, 3, 1) for t in DTYPES}, "average": {}}


def same_bits(one: Tensor, other: Tensor) -> bool:
    def raw(t: Tensor) -> Tensor:
        return t.detach().contiguous().reshape(-1).view(torch.uint8)

    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(raw(one), raw(other))


def folder_of(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"{step:09d}"


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    state = {"loss": float("nan"), "lr": 0.1 + 0.2, "best": float("-inf"), "names": ["a", None], "seed": 2**64 - 1}
    write_checkpoint(tmp_path, 120, tensors(), state, best=120)
    read = read_checkpoint(tmp_path, 120)
    assert read.step == 120 and read.state["lr"] == 0.1 + 0.2 and read.state["best"] == float("-inf")
    assert read.state["loss"] != read.state["loss"] and read.state["seed"] == 2**64 - 1
    for stem, group in tensors().items():
        assert read.tensors[stem].keys() == group.keys()
        if stem != "model":
            assert all(same_bits(read.tensors[stem][name], tensor) for name, tensor in group.items())
    model = tensors()["model"]
    assert all(same_bits(read.tensors["model"][n], model[n]) for n in model if n != "channels_last")
    assert len({t.data_ptr() for t in read.tensors["model"].values() if t.numel()}) == len(model) - 1
    assert pointer(tmp_path, "best") == pointer(tmp_path, "last") == 120
    assert newest(tmp_path) == (120, [])


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    group = tensors()["model"] | tensors()["optimizer"]
    size, digest = write_tensors(tmp_path / "a.safetensors", group)
    loaded = safetensors.torch.load_file(tmp_path / "a.safetensors")
    assert loaded.keys() == group.keys() and all(same_bits(loaded[name], group[name]) for name in group)
    assert size == (tmp_path / "a.safetensors").stat().st_size and digest == files.sha256(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "bad", [torch.zeros(2, device="meta"), torch.eye(3).to_sparse(), torch.zeros(2, dtype=torch.complex128)]
)
def test_tensors_that_have_no_bytes_are_refused(tmp_path: Path, bad: Tensor) -> None:
    with pytest.raises(RunError, match=r"weird: .*; expected a dense tensor"):
        write_checkpoint(tmp_path, 1, {"model": {"weird": bad}}, {})
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in range(10, 70, 10):
        write_checkpoint(tmp_path, step, {"model": {}}, {"step": step}, best=20 if step >= 20 else None)
    assert steps(tmp_path) == [20, 50, 60]
    write_checkpoint(tmp_path, 70, {"model": {}}, {}, keep=1, best=60)
    assert steps(tmp_path) == [60, 70] and pointer(tmp_path, "best") == 60
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"000000060", "000000070", "best", "last"}


def test_a_step_is_replaced_and_an_interrupted_replacement_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, {"model": {}}, {"try": 1})
    folder_of(tmp_path, 5).rename(tmp_path / "checkpoints" / "000000005.old")  # killed between the two renames
    assert newest(tmp_path) == (5, []) and read_checkpoint(tmp_path, 5).state == {"try": 1}
    write_checkpoint(tmp_path, 5, {"model": {}}, {"try": 2})
    (tmp_path / "checkpoints" / ".tmp-left").mkdir()
    write_checkpoint(tmp_path, 5, {"model": {}}, {"try": 3})
    assert read_checkpoint(tmp_path, 5).state == {"try": 3}
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"000000005", "last"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    write_checkpoint(run, 3, {"model": {"w": torch.zeros(5)}}, {"a": 1})
    write_checkpoint(run, 7, {"model": {"w": torch.ones(5)}, "optimizer": {"m": torch.ones(2)}}, {"a": 1.5, "b": None})
    return run


@given(st.sampled_from(["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]), st.randoms())
@settings(max_examples=300, deadline=None)
def test_any_flipped_bit_is_seen(written: Path, name: str, draw: random.Random) -> None:
    path = folder_of(written, 7) / name
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
    try:
        path.write_bytes(damaged)
        step, reasons = newest(written)
        assert step == 3 and len(reasons) == 1 and name in reasons[0]
        with pytest.raises(RunError, match=name):
            read_checkpoint(written, 7)
    finally:
        path.write_bytes(whole)
    assert newest(written) == (7, [])


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "longer", "folder"])
def test_damaged_files_are_told_apart(written: Path, tmp_path: Path, name: str, damage: str) -> None:
    run = shutil.copytree(written, tmp_path / "run")
    path = folder_of(run, 7) / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "truncated": whole[:-1], "longer": whole + b"\n\0"}[damage])
    with pytest.raises(RunError, match=rf"{name}: .+; .+; .+"):
        read_checkpoint(run, 7)
    assert newest(run)[0] == 3 and folder_of(run, 7).exists()


def forged(run: Path, name: str, content: bytes, **changes: object) -> None:
    """Puts a file into checkpoint 7 together with a manifest that fits it."""
    folder = folder_of(run, 7)
    entries = manifest.read_manifest(folder, 7)
    (folder / name).write_bytes(content)
    listed = {n: {"size": size, "sha256": digest} for n, (size, digest) in entries.items()}
    listed[name] = {"size": len(content), "sha256": files.sha256(folder / name)}
    fields = {"format": 1, "dressage": "9.9", "step": 7, "files": listed, **changes}
    (folder / "manifest.json").write_text(json.dumps({**fields, "check": manifest._check(fields)}))


class _Command:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


def _header(length: int, header: object, body: int) -> bytes:
    text = json.dumps(header).encode()
    return (length or len(text)).to_bytes(8, "little") + text + bytes(body)


def _entry(start: int, end: int, shape: int = 2) -> dict[str, object]:
    return {"dtype": "F32", "shape": [shape], "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        _header(2**60, {}, 0),
        _header(0, {"a": _entry(0, 8), "b": _entry(4, 12)}, 12),
        _header(0, {"a": _entry(0, 8), "b": _entry(16, 24)}, 24),
        _header(0, {"a": _entry(8, 0)}, 8),
        _header(0, {"a": _entry(0, 8, 2**62)}, 8),
        _header(0, {"a": _entry(0, 800)}, 8),
        _header(0, {"a": {"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 8]}}, 8),
        _header(0, [1], 0),
        b"",
        b"\x07",
        b"\x08\x00\x00\x00\x00\x00\x00\x00[[[[[[[[",
    ],
)
def test_hostile_headers_are_refused(written: Path, tmp_path: Path, content: bytes) -> None:
    run = shutil.copytree(written, tmp_path / "run")
    forged(run, "model.safetensors", content)
    with pytest.raises(RunError, match="not a safetensors file"):
        read_checkpoint(run, 7)
    assert read_checkpoint(run, 7, only={"optimizer"}).tensors.keys() == {"optimizer"}


def test_a_pickle_is_never_run(written: Path, tmp_path: Path) -> None:
    run = shutil.copytree(written, tmp_path / "run")
    command = pickle.dumps(_Command(tmp_path / "ran"))
    (folder_of(run, 7) / "model.pt").write_bytes(command)
    assert read_checkpoint(run, 7).step == 7  # what the manifest does not list is not opened
    forged(run, "model.safetensors", command)
    with pytest.raises(RunError, match="not a safetensors file"):
        read_checkpoint(run, 7)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, r"format 2, made by dressage 9\.9; this is dressage .*; update"),
        ({"format": "1"}, "changed"),
        ({"step": 8}, "is of step 8; expected step 7"),
        ({"files": {"../../etc.safetensors": {}, "state.json": {}}}, "lists"),
        ({"files": {"model.safetensors": {}}}, "lists"),
        ({"files": []}, "lists"),
        ({"files": {"state.json": 3}}, "lists"),
        ({"files": {"state.json": {"size": [], "sha256": 1}}}, "bytes"),
    ],
)
def test_other_formats_say_what_differs(written: Path, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    run = shutil.copytree(written, tmp_path / "run")
    forged(run, "state.json", b"{}", **changes)
    with pytest.raises(RunError, match=said):
        read_checkpoint(run, 7)
    assert newest(run)[0] == 3


def test_missing_steps_and_groups_say_what_there_is(written: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint of step 4; there are: 3, 7"):
        read_checkpoint(written, 4)
    with pytest.raises(RunError, match="there are: none"):
        read_checkpoint(tmp_path, 4)
    with pytest.raises(RunError, match=r"has no average\.safetensors"):
        read_checkpoint(written, 7, only={"average"})
    assert newest(tmp_path) == (None, [])


def test_another_architecture_says_what_differs() -> None:
    saved = {"a": torch.zeros(2, 3), "gone": torch.zeros(1), "t": torch.zeros(1)}
    wanted = {"a": torch.zeros(3, 3), "new": torch.zeros(1), "t": torch.zeros(1, dtype=torch.float64)}
    with pytest.raises(RunError, match=r"gone: only.*a: \[2, 3\] in the checkpoint, \[3, 3\].*new: not.*float64"):
        require_same(saved, wanted, "run/checkpoints/000000007")
    require_same(saved, {name: tensor.clone() for name, tensor in saved.items()}, "here")


def test_cut_removes_what_came_after(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step, {"model": {}}, {}, keep=5, best=step)
    (folder_of(tmp_path, 3) / "state.json").unlink()
    assert checkpoint.cut_checkpoints(tmp_path, 2) == [3]
    assert steps(tmp_path) == [1, 2] and pointer(tmp_path, "best") is None and newest(tmp_path) == (2, [])


def test_a_damaged_later_checkpoint_does_not_push_out_good_ones(tmp_path: Path) -> None:
    for step in (1, 2, 9):
        write_checkpoint(tmp_path, step, {"model": {}}, {}, keep=5)
    (folder_of(tmp_path, 9) / "state.json").unlink()
    write_checkpoint(tmp_path, 3, {"model": {}}, {}, keep=2)
    assert steps(tmp_path) == [2, 3, 9]


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5])
def test_a_full_disk_leaves_the_old_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    write_checkpoint(tmp_path, 1, {"model": {"w": torch.ones(3)}}, {})
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"disk is full: .* free, .* to write"):
        write_checkpoint(tmp_path, 2, {"model": {"w": torch.ones(300)}}, {})
    monkeypatch.undo()
    assert newest(tmp_path) == (
        2 if failing == 5 else 1,
        [],
    )  # 3 files and 2 folders are flushed; the last after renaming
    assert not list((tmp_path / "checkpoints").glob(".tmp-*"))


def test_the_writer_copies_before_it_returns(tmp_path: Path) -> None:
    weight, state = torch.zeros(100_000), {"position": [1]}
    with CheckpointWriter(tmp_path) as writer:
        writer.write(1, {"model": {"w": weight}}, state, best=1)
        weight.fill_(7)
        state["position"].append(2)
        writer.wait()
        assert writer.cost > 0 and writer.waited > 0
        assert read_checkpoint(tmp_path, 1).state == {"position": [1]}
        assert not read_checkpoint(tmp_path, 1).tensors["model"]["w"].any()
        for step in range(2, 6):
            writer.write(step, {"model": {"w": weight}}, {})
    assert steps(tmp_path) == [1, 4, 5]


@pytest.mark.parametrize("background", [True, False])
def test_the_writer_raises_what_the_disk_says(tmp_path: Path, background: bool) -> None:
    writer = CheckpointWriter(tmp_path / "missing", background=background)
    with pytest.raises(UsageError, match="cannot be written"):
        writer.write(1, {"model": {}}, {})
        writer.write(2, {"model": {}}, {})
    with pytest.raises(TypeError):
        writer.write(3, {"model": {}}, {"object": object()})
    writer.close()


def test_reading_gives_memory_of_its_own(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"a": torch.ones(3, dtype=torch.bool), "b": torch.ones(3)})
    data = (tmp_path / "a").read_bytes()
    read = read_tensors(data, "a")
    read["b"].add_(1)
    assert read_tensors(data, "a")["b"].tolist() == [1, 1, 1] and read["b"].data_ptr() % 16 == 0


_KILLS = """
    import os, random, signal, sys, time, torch
    from pathlib import Path
    from dressage.store.checkpoint import newest, read_checkpoint, write_checkpoint

    run, rounds, step, draw = Path(sys.argv[1]), int(sys.argv[2]), 0, random.Random(0)
    torch.set_num_threads(1)

    def write(step, told):
        while True:
            step += 1
            for _ in range(2):  # the second replaces the first
                weights = torch.full((20_000,), float(step))
                groups = {"model": {"w": weights}, "optimizer": {"m": weights}}
                write_checkpoint(run, step, groups, {"step": step}, best=step)
                os.write(told, step.to_bytes(8, "little"))

    for _ in range(rounds):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            write(step, tell)
        os.close(tell)
        first = os.read(told, 8)
        time.sleep(draw.random() * 0.05)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(told, "rb") as pipe:
            last = int.from_bytes((first + pipe.read())[-8:], "little")
        step, reasons = newest(run)
        assert step in (last, last + 1) and not reasons, (step, last, reasons)
        read = read_checkpoint(run, step)
        assert read.state == {"step": step} and all(t.eq(step).all() for g in read.tensors.values() for t in g.values())
    print("ok", step)
"""


def kills(run: Path, rounds: int) -> None:
    code = textwrap.dedent(_KILLS)
    done = subprocess.run([sys.executable, "-c", code, str(run), str(rounds)], capture_output=True, text=True)
    assert done.stdout.startswith("ok"), done.stderr


def test_killed_at_any_moment_the_newest_verifies(tmp_path: Path) -> None:
    kills(tmp_path, 10)


@pytest.mark.slow
def test_killed_a_hundred_times_the_newest_verifies(tmp_path: Path) -> None:
    kills(tmp_path, 150)
