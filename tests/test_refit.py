"""The second training: on training and validation rows and no other, as long as the first showed, resumable, and what predicts."""

from __future__ import annotations

import json
import os
import shutil
import signal
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dressage
from command import call
from dressage.data.describe import parts_from_json
from dressage.errors import Interrupted, RecipeError
from dressage.fit import PlanEvent, StepEvent
from dressage.prepare import Job, prepare
from dressage.refit import FOLDER, epochs_shown, most_steps, second_job
from dressage.store.checkpoint import newest, read_checkpoint
from same import bits
from test_reproduce import record_instead
from test_resume import SHORT, files, no_report, pictures, table

__all__ = ["no_report"]
OFF = {**SHORT, "train": {**SHORT["train"], "refit": False}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dressage.Run:
    folder = tmp_path_factory.mktemp("refit")
    return dressage.train(table(folder), recipe=SHORT, out=folder / "run")


def rows_of(folder: Path) -> dict[str, set[int]]:
    stored = json.loads((folder / "data.json").read_text())
    return {part: set(rows.tolist()) for part, rows in parts_from_json(stored).items()}


# --- what is learned from


def test_it_learns_from_training_and_validation_rows_and_from_no_other(run):
    first, second = rows_of(run.folder), rows_of(run.folder / FOLDER)
    assert second["train"] == first["train"] | first["validation"] and second["test"] == first["test"]
    assert set(second) == {"train", "test"} and not second["train"] & second["test"]
    assert run.refit["rows"] == len(second["train"]) == 51


def test_the_batches_hold_each_of_those_rows_once_an_epoch(tmp_path):
    first = prepare(table(tmp_path), SHORT)
    second = second_job(first, 2, "")
    taken = torch.cat([batch.rows for batch in second.batches.epoch(0)]).tolist()
    assert sorted(taken) == sorted([*first.parts["train"].rows.tolist(), *first.parts["validation"].rows.tolist()])
    assert torch.equal(second.parts["test"].rows, first.parts["test"].rows)


def test_the_preprocessing_is_fitted_anew_on_those_rows():
    x = np.random.default_rng(0).normal(5, 3, size=(60, 4)).astype("float32")
    first = prepare(x, SHORT, y=np.arange(60) % 2)
    part = second_job(first, 2, "").parts["train"]
    assert part.x[part.rows].double().mean(0).abs().max() < 1e-6
    assert first.parts["train"].x[part.rows].double().mean(0).abs().max() > 1e-3


def test_the_network_begins_anew_as_the_first_did(tmp_path):
    first = prepare(table(tmp_path), SHORT)
    second = second_job(first, 2, "")
    pairs = zip(first.state.model.parameters(), second.state.model.parameters(), strict=True)
    assert all(torch.equal(p, q) and p is not q for p, q in pairs)
    assert (second.recipe.train.epochs, second.recipe.train.refit, second.recipe.train.patience) == (2, False, 0)
    assert second.batches.steps_per_epoch * 3 == most_steps(first) and most_steps(second) == 0


# --- how long


def trained(classify: bool, *, best_is_better: bool) -> Job:
    """A job as after ten epochs, the fourth of which had the best weights."""
    x = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int) if classify else x[:, 0]
    model = {"name": "mlp", "depth": 0}
    job = prepare(x, {"model": model, "average": "none", "train": {"epochs": 10}}, y=y)
    weight, bias = job.state.model.parameters()
    wanted = torch.tensor([[-9.0, 0, 0], [9.0, 0, 0]] if classify else [[1.0, 0, 0]])
    job.state.best = {name: t.clone() for name, t in job.state.model.state_dict().items()}
    for name, tensor in job.state.best.items():
        tensor.copy_(wanted if "weight" in name else torch.zeros_like(tensor))
    with torch.no_grad():
        weight.copy_(wanted * (-1 if best_is_better else 2))
        bias.zero_()
    job.state.best_step, job.state.step, job.state.epoch = 4 * job.batches.steps_per_epoch, 10, 10
    return job


def test_a_regression_is_trained_as_long_as_its_validation_loss_fell():
    assert epochs_shown(trained(False, best_is_better=True))[0] == 4


def test_a_classification_is_trained_as_planned_unless_its_answers_got_worse():
    epochs, why = epochs_shown(trained(True, best_is_better=False))
    assert epochs == 10 and " right" in why and "fewer" not in why, "surer of the same answers: no reason to stop"
    epochs, why = epochs_shown(trained(True, best_is_better=True))
    assert epochs == 4 and "30 more of 30 validation rows wrong" in why


def test_an_answer_more_or_less_is_noise():
    job = trained(True, best_is_better=False)
    part = job.parts["validation"]
    nearest = part.x[part.rows][part.targets == 1][:, 0].sort().values[:2]
    with torch.no_grad():
        job.state.model.state_dict()["0.bias"].copy_(18 * nearest.mean() * torch.tensor([1.0, -1.0]))
    epochs, why = epochs_shown(job)
    assert epochs == 10 and why.endswith("in the end it answered 1 of 30 validation rows fewer right, which is noise")


def test_looking_changes_nothing():
    job = trained(True, best_is_better=True)
    before, best = job.state.snapshot(), {k: v.clone() for k, v in job.state.best.items()}
    epochs_shown(job)
    after = job.state.snapshot()
    assert before[1] == after[1] and all(torch.equal(v, job.state.best[k]) for k, v in best.items())
    assert all(torch.equal(v, after[0]["model"][k]) for k, v in before[0]["model"].items())


# --- what it is used for


def test_it_predicts_and_the_test_part_judges_it(run):
    step, _ = newest(run.folder / FOLDER)
    saved = read_checkpoint(run.folder / FOLDER, step).tensors
    assert all(torch.equal(run.model.state_dict()[k], v) for k, v in saved["average"].items())
    judged = {part: found["network"] for part, found in run.evaluation.items()}
    assert judged == {"test": "refit", "validation": "first", "train": "first"}
    again = dressage.load(run.folder)
    assert again.kept.folder == run.folder / FOLDER and again.recipe.train.epochs == 3
    assert again.evaluation["test"]["baseline"]["prediction"] in ("yes", "no")


def test_predictions_of_the_test_rows_have_the_test_score(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(90, 4)).astype("float32"), np.arange(90) % 3
    one = dressage.train(x, y=y, recipe=SHORT, out=tmp_path / "run")
    rows = sorted(rows_of(one.folder)["test"])
    assert one.evaluate(x[rows], y[rows])["metrics"]["log_loss"] == one.evaluation["test"]["metrics"]["log_loss"]


def test_it_is_told_at_the_end_and_in_the_report(run):
    said = call("show", run.folder, "--plain").out
    assert "trained again on all 51 rows for 3 epochs (all that were planned" in said
    assert call("show", run.folder, "--json").json["refit"]["epochs"] == 3
    assert "Then trained again on all 51 rows for 3 epochs" in run.report().read_text()
    assert call("runs", run.folder.parent, "--json").json["runs"][0]["run"].endswith("run"), "it is no run of its own"


def test_without_it_all_is_as_it_was(tmp_path, no_report):
    one = dressage.train(table(tmp_path), recipe=OFF, out=tmp_path / "run")
    assert not (one.folder / FOLDER).exists() and one.refit == {} and one.kept is one.job
    assert not any("network" in judged for judged in one.evaluation.values())
    saved = read_checkpoint(one.folder, newest(one.folder)[0]).tensors
    assert all(torch.equal(one.model.state_dict()[k], v) for k, v in saved["best"].items())


def test_a_validation_part_that_the_data_has_is_left_to_its_purpose():
    x, y = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"), np.arange(60) % 2
    parts = {"train": slice(0, 30), "val": slice(30, 45), "test": slice(45, 60)}
    data = {f"{name}_{part}": values[rows] for part, rows in parts.items() for name, values in (("x", x), ("y", y))}
    assert not prepare(data, SHORT).recipe.train.refit
    assert prepare(data, {"train": {"refit": True}}).recipe.train.refit, "unless it is wished"


# --- networks of one's own


class Own(nn.Module):
    def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(shape[0], outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)


def test_a_network_of_ones_own_is_trained_once_unless_it_is_wished(tmp_path, no_report):
    path, wished = table(tmp_path), {**SHORT, "train": {**SHORT["train"], "refit": True}}
    assert dressage.train(path, recipe=SHORT, model=Own, out=tmp_path / "once").refit == {}
    twice = dressage.train(path, recipe=wished, model=Own, out=tmp_path / "twice")
    assert twice.refit["rows"] == 51 and twice.model.training is False
    with pytest.raises(RecipeError, match=r"train\.refit: a network that is made already"):
        dressage.train(path, recipe=wished, model=Own((7,), 2), out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


# --- stopped, killed and repeated (kills after any event of either training: test_resume)


def stop_at(step: int, what: object) -> object:
    """Does `what` at that step of the second training; 0: before its first step."""
    seen = []

    def look(event: object) -> None:
        if isinstance(event, PlanEvent) and event.again:
            seen.append(event)
        here = event.step if isinstance(event, StepEvent) else 0
        if seen and here == step:
            seen.clear()
            what()  # type: ignore[operator]

    return look


def kill() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("step", [0, 1, 6, 15])
def test_killed_in_the_second_training_it_goes_on_bit_for_bit(step, run, tmp_path, no_report):
    with pytest.raises(ZeroDivisionError):
        dressage.train(table(tmp_path), recipe=SHORT, out=tmp_path / "run", on_event=stop_at(step, kill))
    assert dressage.load(tmp_path / "run").status == "interrupted"
    events = []
    again = dressage.resume(tmp_path / "run", on_event=events.append)
    plans = [e for e in events if isinstance(e, PlanEvent)]
    assert [bool(p.again) for p in plans] == [False, True] and plans[0].step == plans[0].total_steps
    assert bits(again.folder) == bits(run.folder)


@pytest.mark.parametrize("written", [(), ("data.json",), ("data.json", "reasons.json", "data.safetensors")])
def test_killed_between_the_trainings(written, run, tmp_path, monkeypatch, no_report):
    refit = import_module("dressage.refit")

    def half(folder: Path, job: object, data: object, *, own_model: bool) -> None:
        for name in written:
            shutil.copy(run.folder / FOLDER / name, folder / name)
        kill()

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(refit, "write_job", half)
        dressage.train(table(tmp_path), recipe=SHORT, out=tmp_path / "run")
    assert bits(dressage.resume(tmp_path / "run").folder) == bits(run.folder)


def test_ctrl_c_in_the_second_training_says_so_and_loses_nothing(run, tmp_path):
    folder = tmp_path / "run"
    asked = stop_at(7, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match=r"stopped at step 7 of the training on all rows.*dressage resume"):
        dressage.train(table(tmp_path), recipe=SHORT, out=folder, on_event=asked)
    assert dressage.load(folder).status == "interrupted" and (folder / "report.html").is_file()
    assert dressage.load(folder).kept.folder == folder, "until it is done the first network answers"
    steps = []
    dressage.resume(folder, on_event=lambda e: steps.append(e.step) if isinstance(e, StepEvent) else None)
    assert steps[0] == 8 and bits(folder) == bits(run.folder)


def test_what_was_decided_is_kept(run, tmp_path, monkeypatch, no_report):
    with pytest.raises(ZeroDivisionError):
        dressage.train(table(tmp_path), recipe=SHORT, out=tmp_path / "run", on_event=stop_at(6, kill))
    monkeypatch.setattr(import_module("dressage.refit"), "epochs_shown", lambda job: (99, "another machine"))
    assert bits(dressage.resume(tmp_path / "run").folder) == bits(run.folder)


def test_a_repetition_repeats_both(run, tmp_path):
    copy = Path(shutil.copytree(run.folder, tmp_path / "copy"))
    before = files(copy)
    assert dressage.reproduce(copy).first_difference is None and files(copy) == before
    record_instead(copy / FOLDER, 4, "loss", 7.0)
    found = dressage.reproduce(copy)
    assert (found.first_difference, found.recorded, found.again) == (4, 7.0, True)
    assert "differs from step 4 of the training on all rows on: loss" in call("reproduce", copy, "--plain").out


def test_pictures_too_where_it_is_wished(tmp_path, no_report):
    x, y = pictures()
    plain = {"precision": "float32", "memory_format": "contiguous", "threads": 1}  # nothing is measured
    recipe = {"model": {"width": 4, "depth": 1}, "train": {"epochs": 2, "batch_size": 9, "refit": True, **plain}}
    one = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "run")
    assert one.refit["rows"] == len(rows_of(one.folder)["train"]) + len(rows_of(one.folder)["validation"])
    assert len(one.predict(x).labels) == len(x)
