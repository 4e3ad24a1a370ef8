"""`train --fix`: what is found is mended where the recipe can, and the better of the two trainings is kept."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import dressage
from command import call, process
from dressage.errors import Diverged, Interrupted, UsageError
from dressage.fit import Event, ExamineEvent, StepEvent
from same import bits

USUAL = {"train": {"refit": False, "threads": 1}, "watch": {"diagnose": False}}
BRIEF = {**USUAL, "train": {**USUAL["train"], "epochs": 5}}
"""Of 200 epochs that are usual for so few rows: a fault that shows at once."""


def stopped(after: int, kind: type[Event] = StepEvent) -> Callable[[Event], None]:
    """Asks for the end, as Ctrl-C does, at so many events."""
    seen = 0

    def on_event(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, kind) and (kind is StepEvent or event.what == "trying remedies")
        if seen == after and isinstance(event, kind):
            os.kill(os.getpid(), signal.SIGINT)

    return on_event


def test_a_rate_that_diverges_is_left_to_the_preset(tmp_path: Path) -> None:
    wild = {**USUAL, "optim": {"name": "sgd", "lr": 1e9}, "schedule": {"name": "constant", "warmup": 0}}
    with pytest.raises(Diverged):
        dressage.train("iris", recipe=wild, out=tmp_path / "plain")
    found = dressage.repair("iris", recipe=wild, out=tmp_path / "a")
    assert found.kept.folder == found.second == tmp_path / "a-repaired"
    assert found.changes["optim.lr"] == (1e9, 0.05)
    assert "optim.name" not in found.changes
    assert found.kept.evaluation["test"]["metrics"]["accuracy"]["value"] > 0.8
    for folder in (found.first, found.second):
        told = json.loads((folder / "repair.json").read_text())
        assert told["kept"] == "a-repaired"
        assert told["changes"]["optim.lr"] == [1e9, 0.05]
        assert told["finding"]["id"] == "optim.lr_too_high"
        assert told["trials"][0]["worth"] is None, "as it was it diverges"


def test_nothing_found_leaves_one_run(tmp_path: Path) -> None:
    recipe = {**USUAL, "model": {"width": 32}}
    found = dressage.repair("iris", recipe=recipe, out=tmp_path / "a")
    assert found.second is None and not found.trials
    assert found.kept.folder == tmp_path / "a"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert bits(found.first) == bits(dressage.train("iris", recipe=recipe, out=tmp_path / "plain").folder)
    assert not (tmp_path / "a" / "repair.json").exists()
    assert "nothing was found" in str(found)


def test_what_is_unusual_and_does_no_harm_stays(tmp_path: Path) -> None:
    found = dressage.repair("iris", recipe={**USUAL, "optim": {"lr": 0.02}}, out=tmp_path / "a")
    assert found.second is None and found.kept.folder == tmp_path / "a"
    assert len(found.trials) == 2 and "none was better" in str(found)
    assert json.loads((tmp_path / "a" / "repair.json").read_text())["kept"] == "a"


def test_a_training_that_was_too_short_goes_on_from_its_end_and_can_be_repeated(tmp_path: Path) -> None:
    short = {**USUAL, "train": {**USUAL["train"], "epochs": 11}}
    found = dressage.repair("iris", recipe=short, out=tmp_path / "a")
    assert found.second is not None and found.kept.folder == found.second
    assert found.changes == {"train.epochs": (11, 200)} and found.finding["id"] == "optim.too_few_epochs"
    assert found.began_at == 77 and "it went on from step 77 of a" in str(found)
    history = found.kept.history
    assert history.steps[0] == 1 and [e["epoch"] for e in history.epochs][:12] == [*range(1, 13)]
    assert history.columns["lr"][77] > 10 * history.columns["lr"][76], "the rate had been annealed, and is back"
    repeated = dressage.reproduce(found.second)
    assert repeated.first_difference is None and repeated.steps == history.steps[-1] - 77
    before = dressage.load(found.first).evaluation["validation"]["metrics"]
    assert found.scores[1] > found.scores[0] == before["accuracy"]["value"]


def test_a_training_that_ended_almost_at_once_begins_anew(tmp_path: Path) -> None:
    """What its few steps have left in the weights stays there: to go on from them spares little, and may cost points."""
    found = dressage.repair("iris", recipe=BRIEF, out=tmp_path / "a")
    usual = dressage.train("iris", recipe=USUAL, out=tmp_path / "usual")
    assert found.began_at == 0 and found.second is not None and bits(found.second) == bits(usual.folder)


def test_a_rate_that_was_gone_is_put_back_where_it_went(tmp_path: Path) -> None:
    gone = {**USUAL, "schedule": {"name": "step(every=0.06,factor=0.0001)", "warmup": 0.0}, "optim": {"lr": 0.001}}
    found = dressage.repair("iris", recipe=gone, out=tmp_path / "a")
    assert found.second is not None and found.kept.folder == found.second
    assert found.finding["id"] == "optim.schedule_collapsed" and "worth" in found.finding["evidence"]
    assert "schedule.name" in found.changes and "optim.lr" not in found.changes
    assert found.began_at == 84, "the epoch in which 0.06 of 1400 steps was over"
    rates = found.kept.history.columns["lr"]
    assert rates[83] == pytest.approx(0.001) and rates[84] > 0.0009
    assert len(dressage.load(found.first).history.steps) > 100, "it stood still for as long as it was let"
    assert dressage.reproduce(found.second).first_difference is None


def test_a_repair_that_is_stopped_anywhere_ends_as_one_that_is_not(tmp_path: Path) -> None:
    whole = dressage.repair("iris", recipe=BRIEF, out=tmp_path / "whole")
    place = tmp_path / "stopped"
    stops = [stopped(20), stopped(1, ExamineEvent), stopped(60)]  # in the first training, in the trials, in the second
    for on_event in stops:
        with pytest.raises(Interrupted, match="the same command with --out") as told:
            dressage.repair("iris", recipe=BRIEF, out=place, on_event=on_event)
        assert str(place) in str(told.value)
    found = dressage.repair("iris", recipe=BRIEF, out=place)
    assert (found.changes, found.scores, found.began_at) == (whole.changes, whole.scores, whole.began_at)
    assert whole.second is not None and found.second is not None
    assert bits(found.first) == bits(whole.first) and bits(found.second) == bits(whole.second)
    again = dressage.repair("iris", recipe=BRIEF, out=place)
    assert again.kept.folder == found.second and again.scores == found.scores


def test_the_folder_of_another_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    dressage.train("iris", recipe=BRIEF, out=tmp_path / "a")
    with pytest.raises(UsageError, match="exists and is not empty"):
        dressage.repair("iris", recipe={**BRIEF, "seed": 1}, out=tmp_path / "a")


def test_what_was_given_beside_a_fault_stays(tmp_path: Path) -> None:
    recipe = {**USUAL, "optim": {"lr": 1e-7}, "model": {"width": 48, "activation": "tanh"}}
    found = dressage.repair("wine", recipe=recipe, out=tmp_path / "a")
    assert found.changes == {"optim.lr": (1e-7, 0.002)}
    assert (found.kept.recipe.model.width, found.kept.recipe.model.activation) == (48, "tanh")
    assert found.scores[1] > 0.9 > found.scores[0]


def test_a_made_network_begins_the_second_training_with_the_weights_that_it_had(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    given = own[0].weight.detach().clone()
    found = dressage.repair("iris", recipe={**USUAL, "optim": {"lr": 1e-8}}, model=own, out=tmp_path / "a")
    assert found.second is not None and found.kept.folder == found.second
    assert torch.equal(own[0].weight, given)
    assert "repaired: optim.lr 1e-08 → 0.002" in str(found)
    fresh = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    fresh.load_state_dict(own.state_dict())
    plain = dressage.train("iris", recipe={**USUAL}, model=fresh, out=tmp_path / "plain")
    assert bits(plain.folder)["tensors"] == bits(found.second)["tensors"]


def test_the_command_the_json_and_the_page_say_what_was_done_and_why(tmp_path: Path) -> None:
    words = ["train", "iris", "--fix", "--train.epochs", "5", "--out", tmp_path / "a"]
    words += ["--train.refit", "false", "--watch.diagnose", "false", "--train.threads", "1"]
    done = process(*words)
    assert done.code == 0, done.err
    assert "tries in short trainings what would help: train.epochs as is usual" in done.err
    assert "trains again with train.epochs as is usual: train.epochs = 5 was given, where 200 is usual" in done.err
    assert done.err.count("iris, from scikit-learn") == 1, "the data is described once"
    head, why, given, tried, result = done.out.splitlines()[:5]
    assert head == "repaired: train.epochs 5 → 200"
    assert why == "    why: optim.too_few_epochs" and "as it was 0." in tried
    assert given == "         train.epochs = 5 was given, where 200 is usual for such data"
    assert "it was 0." in result and "; this run is kept, the first is a" in result
    assert call("show", tmp_path / "a").out.splitlines()[1:3] == [head, why]
    told = call("show", tmp_path / "a", "--json").json["repair"]
    assert (told["kept"], told["changes"], told["metric"]) == ("a-repaired", {"train.epochs": [5, 200]}, "accuracy")
    for name in ("a", "a-repaired"):
        page = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert "R" + head[1:] in page and "2 short trainings that chose" in page
    assert call(*words, "--json").json["repair"] == told, "nothing is trained anew"


def test_without_validation_rows_it_is_said_why_nothing_is_repaired(tmp_path: Path) -> None:
    recipe = {**BRIEF, "data": {"validation": 0}, "optim": {"lr": 1e-8}}
    found = dressage.repair("iris", recipe=recipe, out=tmp_path / "a")
    assert found.second is None and "no validation rows to compare on" in str(found)


def test_trainings_between_say_what_came_of_the_repair(tmp_path: Path) -> None:
    """The first edit is not enough: the training with it diverges too, and is mended again."""
    wild = {"optim": {"name": "momentum", "momentum": 0.9999, "lr": 0.5}, **USUAL}
    found = dressage.repair("iris", recipe=wild, out=tmp_path / "a")
    assert {path: after for path, (_, after) in found.changes.items()} == {"optim.lr": 0.02, "optim.momentum": 0.9}
    for folder in tmp_path.iterdir():
        assert json.loads((folder / "repair.json").read_text())["kept"] == found.kept.folder.name
