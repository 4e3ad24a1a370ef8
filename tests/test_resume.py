"""A run that was stopped goes on bit for bit, through the files of its folder; what is not the same run is refused."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import dressage
from dressage import record
from dressage.errors import Diverged, RunError, UsageError
from dressage.fit import StepEvent
from dressage.store.checkpoint import newest, read_checkpoint
from dressage.store.folder import RunFolder
from same import bits

JOB = import_module("dressage.train")


def table(folder: Path, rows: int = 60, name: str = "table.csv") -> Path:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(rows, 7))
    y = np.where(x[:, 0] * x[:, 1] > 0, "yes", "no")
    cells = [[f"{v:.4f}" for v in row] for row in x]
    cells[3][2] = "?"
    lines = [",".join([*row, label]) for row, label in zip(cells, y, strict=True)]
    path = folder / name
    path.write_text("\n".join([",".join([*"abcdefg", "kind"]), *lines]) + "\n")
    return path


def pictures(rows: int = 48) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    x = generator.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8)
    return x, (x.mean((1, 2, 3)) > 127).astype(np.int64)


class Noisy(Dataset):
    """Draws from numpy and from torch at every reading, as augmentation in a Dataset does."""

    def __len__(self) -> int:
        return 45

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        base = torch.linspace(0, row, 9)
        return base + torch.randn(9) + float(np.random.normal()), row % 3


class Own(nn.Module):
    """A network of one's own that draws numbers and keeps statistics."""

    def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(shape[0], 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.4))
        self.head = nn.Linear(9, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.layers(x)
        if self.training:
            hidden = hidden + 0.1 * torch.randn_like(hidden)
        return self.head(hidden)


EVERYTHING = {
    "average": "ema(decay=0.8)",
    "optim": {"lr": 0.02, "clip_norm": 0.5},
    "train": {"epochs": 5, "batch_size": 11, "accumulate": 2, "patience": 2},
    "regularize": {"dropout": 0.3, "weight_decay": 0.1},
    "loss": {"label_smoothing": 0.1},
    "schedule": {"name": "cosine", "warmup": 0.2},
}
PICTURES = {
    "augment": ["horizontal_flip", "random_crop(padding=1)", "mixup(alpha=0.4)"],
    "model": {"name": "convnet", "width": 4, "depth": 1, "norm": "batch"},
    "average": "ema(decay=0.7)",
    "train": {"epochs": 3, "batch_size": 9},
    "regularize": {"dropout": 0.2},
}
SHORT = {"train": {"epochs": 3, "batch_size": 12}, "regularize": {"dropout": 0.3}, "model": {"width": 16, "depth": 1}}


def momentum(recipe: dict) -> dict:
    return {**recipe, "optim": {"name": "nesterov", "lr": 0.05}, "schedule": {"name": "step(every=0.3)"}}


def case(name: str, folder: Path) -> tuple[tuple[object, object], dict, object]:
    """Data with its targets, recipe, own network."""
    if name == "table":
        return (table(folder), None), EVERYTHING, None
    if name == "pictures":
        return pictures(), PICTURES, None
    if name == "dataset":
        return (Noisy(), None), SHORT, None
    if name == "two workers":
        return (Noisy(), None), {**SHORT, "data": {"workers": 2}}, None
    if name == "regression":
        x, _ = pictures()
        flat = x.reshape(len(x), -1)[:, :5].astype(np.float32)
        return (flat, flat[:, 0] * 0.3 - flat[:, 1] + 0.5), momentum(SHORT), None
    return (table(folder), None), SHORT, Own


def go_on(folder: Path, data: tuple[object, object], own: object = None) -> dressage.Run:
    given = None if isinstance(data[0], Path) else data[0]
    return dressage.resume(folder, given, y=data[1], model=own)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of a run is not what is looked at here, and costs most of the time."""
    monkeypatch.setattr(JOB, "write_report", lambda folder: folder)


def photographs(monkeypatch: pytest.MonkeyPatch, folder: Path, every: int = 1) -> list[Path]:
    """The run folder as a kill after each event would leave it, with a checkpoint of that event."""
    taken: list[Path] = []

    class EachEvent(record.Saver):
        seen = 0

        def after(self, event: object, state: object) -> None:
            self.seen += 1
            if self.seen % every:
                return
            self.save(state)
            self.writer.wait()
            taken.append(folder.with_name(f"{folder.name}-{len(taken)}"))
            shutil.copytree(folder, taken[-1])

    monkeypatch.setattr(record, "Saver", EachEvent)
    return taken


@pytest.mark.parametrize("name", ["table", "pictures", "dataset", "regression", "own network"])
def test_a_run_killed_after_any_event_goes_on_bit_for_bit(name, tmp_path, monkeypatch, no_report):
    data, recipe, own = case(name, tmp_path)
    with monkeypatch.context() as patch:
        taken = photographs(patch, tmp_path / "run")
        whole = bits(dressage.train(data[0], y=data[1], recipe=recipe, model=own, out=tmp_path / "run").folder)
    trained = [whole, whole["refit"]] if whole["refit"] else [whole]
    assert len(taken) == sum(one["step"] + len(one["epochs"]) for one in trained) > 10
    for folder in taken:
        go_on(folder, data, own)
        assert bits(folder) == whole, folder.name


def test_nothing_depends_on_where_checkpoints_were_made(tmp_path, no_report):
    """What the photographs are compared with, against a run that nobody looked at."""
    data, recipe, _ = case("table", tmp_path)
    often = {**recipe, "train": {**recipe["train"], "checkpoint_seconds": 1e-9}}
    plain = bits(dressage.train(data[0], recipe=recipe, out=tmp_path / "a").folder)
    assert bits(dressage.train(data[0], recipe=often, out=tmp_path / "b").folder) == plain
    assert len(plain["epochs"]) < 5, "early stopping is meant to be part of it"


def test_random_samples_read_by_two_workers_go_on_as_read_by_none(tmp_path, monkeypatch, no_report):
    data, recipe, _ = case("two workers", tmp_path)
    alone = bits(dressage.train(data[0], recipe=SHORT, out=tmp_path / "alone").folder)
    with monkeypatch.context() as patch:
        taken = photographs(patch, tmp_path / "run", every=4)
        assert bits(dressage.train(data[0], recipe=recipe, out=tmp_path / "run").folder) == alone
    for folder in taken:
        go_on(folder, data)
        assert bits(folder) == alone, folder.name


def test_a_run_may_be_stopped_again_and_again(tmp_path, no_report):
    data, recipe, _ = case("table", tmp_path)
    whole = bits(dressage.train(data[0], recipe=recipe, out=tmp_path / "whole").folder)
    folder, stops = tmp_path / "run", 0

    class Enough(Exception):
        pass

    def three_events() -> object:
        seen = []

        def look(event: object) -> None:
            seen.append(event)
            if len([e for e in seen if isinstance(e, StepEvent)]) == 3:
                raise Enough

        return look

    often = {**recipe, "train": {**recipe["train"], "checkpoint_seconds": 1e-9}}
    with pytest.raises(Enough):
        dressage.train(data[0], recipe=often, out=folder, on_event=three_events())
    while True:
        stops += 1
        try:
            dressage.resume(folder, on_event=three_events())
        except Enough:
            continue
        break
    assert stops > 5 and bits(folder) == whole


def test_only_the_last_two_and_the_best_checkpoints_stay(tmp_path, no_report):
    data, recipe, _ = case("table", tmp_path)
    often = {**recipe, "train": {**recipe["train"], "checkpoint_seconds": 1e-9, "patience": 0, "epochs": 12}}
    run = dressage.train(data[0], recipe=often, out=tmp_path / "run")
    kept = sorted(int(p.name) for p in (run.folder / "checkpoints").iterdir() if p.is_dir())
    best = int((run.folder / "checkpoints" / "best").read_text())
    last = int((run.folder / "checkpoints" / "last").read_text())
    assert len(kept) <= 3 and kept[-1] == last and set(kept) - {best} <= set(kept[-2:])
    state = read_checkpoint(run.folder, last).state
    assert best >= state["best_step"] and best in kept


# --- the machine


def test_the_threads_of_the_run_are_used_again_and_then_given_back(tmp_path, no_report):
    data, recipe, _ = case("pictures", tmp_path)
    found = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        whole = dressage.train(data[0], y=data[1], recipe=recipe, out=tmp_path / "whole")
        assert whole.recipe.train.threads == 2
        with pytest.raises(ZeroDivisionError):
            dressage.train(data[0], y=data[1], recipe=recipe, out=tmp_path / "run", on_event=breaking_at(7))
        torch.set_num_threads(1)
        used = []
        dressage.resume(tmp_path / "run", data[0], y=data[1], on_event=lambda _: used.append(torch.get_num_threads()))
        assert set(used) == {2} and torch.get_num_threads() == 1
        assert bits(tmp_path / "run") == bits(whole.folder)
        one = {**recipe, "train": {**recipe["train"], "threads": 1}}
        torch.set_num_threads(2)
        dressage.train(data[0], y=data[1], recipe=one, out=tmp_path / "one", on_event=lambda _: used.append(0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(found)


def breaking_at(step: int) -> object:
    def look(event: object) -> None:
        if isinstance(event, StepEvent) and event.step == step:
            raise ZeroDivisionError

    return look


def stopped(folder: Path, data: object, recipe: dict | None = None, **more: object) -> Path:
    """A run that broke off at step 5."""
    with pytest.raises(ZeroDivisionError):
        dressage.train(data, recipe=recipe or SHORT, out=folder, on_event=breaking_at(5), **more)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


# --- what is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("yes", "no", 1), "data is not the same: .*other values"),
        (lambda text: text.replace("0.", "3.", 1), "data is not the same: .*other values"),
        (lambda text: "\n".join(text.splitlines()[:-7]), "data is not the same: rows 53, was 60"),
        (lambda text: text.replace("yes", "oui"), "data is not the same: classes .*oui"),
        (lambda text: text.replace("a,b,c", "a,b,x"), "columns that only one has: c, x"),
    ],
)
def test_changed_data_is_refused_and_nothing_is_touched(change, said, tmp_path, no_report):
    path = table(tmp_path)
    folder = stopped(tmp_path / "run", path)
    before = files(folder)
    text = path.read_text()
    path.write_text(change(text))
    with pytest.raises(RunError, match=said):
        dressage.resume(folder)
    assert files(folder) == before
    path.write_text(text)
    assert dressage.resume(folder).status == "finished"


def test_data_may_move_but_not_vanish(tmp_path, no_report):
    folder = stopped(tmp_path / "run", table(tmp_path))
    moved = (tmp_path / "table.csv").rename(tmp_path / "moved.csv")
    with pytest.raises(dressage.DressageError, match=r"table\.csv"):
        dressage.resume(folder)
    assert dressage.resume(folder, moved).status == "finished"


def test_data_from_python_must_be_given_again_and_be_the_same(tmp_path, no_report):
    x, y = pictures()
    folder = stopped(tmp_path / "run", x, y=y)
    with pytest.raises(RunError, match=r"data given from Python.*resume"):
        dressage.resume(folder)
    other = x.copy()
    other[0, 0, 0, 0] ^= 1
    with pytest.raises(RunError, match="other values"):
        dressage.resume(folder, other, y=y)
    with pytest.raises(RunError, match="not the same"):
        dressage.resume(folder, x, y=1 - y)
    assert dressage.resume(folder, x, y=y).status == "finished"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dropout = 0.3", "dropout = 0.4", r"regularize\.dropout is 0\.4, was 0\.3"),
        ("seed = 0", "seed = 1", "seed is 1, was 0"),
        ("epochs = 3", "epochs = 9", r"train\.epochs is 9, was 3"),
    ],
)
def test_a_changed_recipe_is_refused_with_the_difference(old, new, said, tmp_path, no_report):
    folder = stopped(tmp_path / "run", table(tmp_path))
    file = folder / "recipe.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(RunError, match=said):
        dressage.resume(folder)
    file.write_text(file.read_text().replace(new, old))
    assert dressage.resume(folder).status == "finished"


class Narrow(Own):
    def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__(shape, outputs)
        self.layers[2] = nn.Tanh()


class Louder(Own):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def test_another_network_is_refused(tmp_path, no_report):
    data = table(tmp_path)
    folder = stopped(tmp_path / "run", data, model=Own)
    with pytest.raises(RunError, match="network of your own"):
        dressage.resume(folder)
    with pytest.raises(RunError, match=r"Tanh\(\), was .*ReLU\(\)"):
        dressage.resume(folder, model=Narrow)
    Louder.__qualname__ = Louder.__name__ = "Own"  # as if the file had been edited
    with pytest.raises(RunError, match="other code"):
        dressage.resume(folder, model=Louder)
    assert dressage.resume(folder, model=Own).status == "finished"
    plain = stopped(tmp_path / "plain", data)
    with pytest.raises(RunError, match="model mlp; expected no network of your own"):
        dressage.resume(plain, model=Own)


def test_a_finished_run_is_given_back_without_training(tmp_path):
    run = dressage.train(table(tmp_path), recipe=SHORT, out=tmp_path / "run")
    (tmp_path / "table.csv").unlink()
    (run.folder / "report.html").unlink()
    before = files(run.folder)
    again = dressage.resume(run.folder, on_event=lambda event: pytest.fail("something was trained"))
    assert again.metrics == run.metrics and (run.folder / "report.html").is_file()
    (run.folder / "report.html").unlink()
    assert files(run.folder) == before


def test_a_diverged_run_is_explained_and_not_repeated(tmp_path, no_report):
    recipe = {**SHORT, "optim": {"name": "sgd", "lr": 1e12}, "schedule": {"name": "constant", "warmup": 0}}
    with pytest.raises(Diverged, match="step"):
        dressage.train(table(tmp_path), recipe=recipe, out=tmp_path / "run")
    with pytest.raises(Diverged, match=r"diverged, and would again at step .*lower the rate"):
        dressage.resume(tmp_path / "run", on_event=lambda event: pytest.fail("something was trained"))
    assert dressage.load(tmp_path / "run").status == "diverged"


def test_a_run_that_is_being_written_is_refused(tmp_path, no_report):
    folder = stopped(tmp_path / "run", table(tmp_path))
    with RunFolder.open(folder).writing(), pytest.raises(RunError, match=r"process \d+ is writing this run"):
        dressage.resume(folder)


@pytest.mark.parametrize("missing", [["recipe.toml"], ["recipe.toml", "data.json"], ["data.json"], ["status.json"]])
def test_an_incomplete_folder_is_told(missing, tmp_path, no_report):
    folder = stopped(tmp_path / "run", table(tmp_path))
    for name in missing:
        (folder / name).unlink()
    with pytest.raises(RunError, match="incomplete run folder without"):
        dressage.resume(folder)


def test_a_folder_whose_training_was_killed_at_once_says_what_to_do(tmp_path):
    folder = RunFolder.create(tmp_path / "run").path
    with pytest.raises(RunError, match="killed before the first step: delete it and train again"):
        dressage.resume(folder)
    with pytest.raises(UsageError, match="delete it: a training was killed here"):
        dressage.train(table(tmp_path), out=folder)


def test_what_cannot_be_laid_down_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["dressage.jobfile"], "environment", full)
    with pytest.raises(OSError, match="No space"):
        dressage.train(table(tmp_path), recipe=SHORT, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_worker_process_does_not_hold_the_run(tmp_path):
    """It may outlive a writer that was killed by seconds."""
    folder = RunFolder.create(tmp_path / "run")
    with folder.writing():
        worker = os.fork()
        if worker == 0:
            time.sleep(20)
            os._exit(0)
    try:
        until = time.monotonic() + 5
        while folder.is_held():  # it lets go as soon as it runs
            assert time.monotonic() < until
    finally:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)


def test_what_comes_before_the_first_step_does_not_depend_on_threads(tmp_path, monkeypatch, no_report):
    """Those of the run are measured after it, and known before it when the run goes on."""
    prepare = import_module("dressage.prepare")
    used = []

    def spied(name: str) -> None:
        real = getattr(prepare, name)
        monkeypatch.setattr(prepare, name, lambda *given: used.append(torch.get_num_threads()) or real(*given))

    spied("preprocess_for")
    spied("build_network")
    found = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        folder = stopped(tmp_path / "run", table(tmp_path), {**SHORT, "train": {**SHORT["train"], "threads": 2}})
        torch.set_num_threads(1)
        dressage.resume(folder)
    finally:
        torch.set_num_threads(found)
    assert used == [1] * 8, "begun, begun again, and what was prepared for the training on all rows"


def test_a_damaged_last_checkpoint_costs_steps_but_no_bit(tmp_path, no_report):
    path = table(tmp_path)
    whole = bits(dressage.train(path, recipe=SHORT, out=tmp_path / "whole").folder)
    often = {**SHORT, "train": {**SHORT["train"], "checkpoint_seconds": 1e-9}}
    folder = stopped(tmp_path / "run", path, often)
    step, _ = newest(folder)
    file = folder / "checkpoints" / f"{step:09d}" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-3] ^= 16
    file.write_bytes(data)
    told = []
    dressage.resume(folder, on_event=told.append)
    assert any("damaged checkpoint" in row.what for row in told[0].described)
    assert bits(folder) == whole
