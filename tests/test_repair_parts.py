"""The parts of a repair: what is suspected, what trials decide, and which state is gone on from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import dressage
from dressage.data.named import NAMES
from dressage.ground import open_ground
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import LEFT, edited
from dressage.repair.going_on import last_good
from dressage.repair.score import score
from dressage.repair.suspects import Given, Remedy, changeable, given_otherwise, mendable, remedies
from dressage.repair.trial import Trial, behind, better, try_out, worth_of_rows
from dressage.stopping import Stop

LR = {"id": "optim.lr_too_high", "severity": "warning", "edit": {"optim.lr": 0.1}, "confidence": 0.7}


def given_of(written: dict[str, Any]) -> list[Given]:
    """Against the plain defaults."""
    recipe = as_recipe(written)
    paths = changeable(recipe, own_model=False)
    return given_otherwise(recipe, recipe, {path: edited(recipe, {path: LEFT}) for path in paths})


def test_the_surest_cause_is_first_and_notes_are_none() -> None:
    findings = [
        {"id": "sym.nonfinite_loss", "severity": "critical", "edit": {"optim.lr": 1.0}, "confidence": 1.0},
        {**LR, "id": "optim.over_regularised", "confidence": 0.6},
        LR,
        {"id": "data.unscaled_inputs", "severity": "info", "edit": {"data.preprocess": ["standardize"]}},
        {"id": "data.leakage", "severity": "warning", "edit": {}},
    ]
    assert [f["id"] for f in mendable(findings)] == [
        "optim.lr_too_high",
        "optim.over_regularised",
        "sym.nonfinite_loss",
    ]
    assert mendable(findings[3:]) == []
    collapsed = {"id": "optim.schedule_collapsed", "severity": "warning", "edit": {}}
    assert mendable([collapsed]) == []
    assert mendable([collapsed], given_of({"schedule": {"name": "step(every=0.1)"}})) == [collapsed]


def test_an_edit_keeps_what_was_written_and_nothing_else() -> None:
    recipe = as_recipe({"seed": 3, "optim": {"name": "sgd", "clip_norm": 1.0}, "augment": ["horizontal_flip"]})
    changed = edited(
        recipe, {"optim.lr": 0.5, "model.width": 8, "optim.clip_norm": LEFT, "augment": LEFT, "average": LEFT}
    )
    assert changed.seed == 3
    assert (changed.optim.name, changed.optim.lr, changed.model.width) == ("sgd", 0.5, 8)
    assert changed.optim.model_fields_set == {"name", "lr"}
    assert changed.model_fields_set == {"seed", "optim", "model"}


@pytest.mark.parametrize(
    ("written", "times", "cause"),
    [
        ({"optim": {"lr": 1e-6}}, 1000.0, "optim.lr_too_low"),
        ({"optim": {"lr": 0.1}}, 100.0, "optim.lr_too_high"),
        ({"optim": {"name": "momentum", "momentum": 0.999}}, 100.0, "optim.momentum_too_high"),
        ({"loss": {"label_smoothing": 0.9}}, 10.0, "optim.over_regularised"),
        ({"regularize": {"dropout": 0.95}}, 20.0, "optim.over_regularised"),
        ({"train": {"epochs": 5}}, 10.0, "optim.too_few_epochs"),
        ({"train": {"epochs": 500}}, 0.1, "optim.too_few_epochs"),
        ({"model": {"width": 1}}, 128.0, "model.bottleneck"),
        ({"model": {"init": "normal(std=2)"}}, 1.0, "model.init_too_large"),
        ({"model": {"init": "normal(std=0.0001)"}}, 1.0, "model.init_too_small"),
        ({"data": {"preprocess": ["center"]}}, 1.0, "data.unscaled_inputs"),
        ({"schedule": {"name": "step(every=0.03,factor=0.01)"}}, 9.0, "optim.schedule_collapsed"),
        ({"augment": ["random_crop(padding=8)"]}, 1.0, "optim.over_regularised"),
        ({"train": {"batch_size": 2}}, 64.0, "eval.underfit"),
        ({"optim": {"clip_norm": 1e-4}}, 1e4, "optim.lr_too_low"),
        ({"optim": {"clip_norm": 5.0}}, 0.2, "optim.lr_too_low"),
        ({"train": {"batch_size": 2}, "model": {"norm": "batch"}}, 64.0, "optim.bn_small_batch"),
    ],
)
def test_how_far_a_value_is_from_what_is_usual_and_the_cause_it_stands_for(
    written: dict[str, Any], times: float, cause: str
) -> None:
    found = given_of(written)
    (one,) = [g for g in found if g.path not in ("optim.name", "model.norm")]
    assert one.times == pytest.approx(times, rel=0.1) and one.is_unusual == (times >= 8)
    assert one.cause == cause


def test_what_a_person_decided_for_other_reasons_is_left_alone() -> None:
    written = {
        "seed": 4,
        "data": {"validation": 0.3, "target": "y"},
        "model": {"name": "mlp", "width": 7},
        "train": {"threads": 1, "refit": True, "epochs": 3},
        "optim": {"momentum": 0.99, "name": "adamw"},
        "watch": {"seconds": 1.0},
    }
    assert changeable(as_recipe(written), own_model=False) == ["model.width", "optim.name", "train.epochs"]
    assert changeable(as_recipe(written), own_model=True) == ["optim.name", "train.epochs"]


def test_remedies_begin_with_the_evidence_and_end_with_all_that_was_given() -> None:
    given = given_of({"optim": {"lr": 10.0}, "model": {"width": 96}, "regularize": {"dropout": 0.95}})
    found = remedies([LR], given, "")
    assert [set(r.edit) for r in found] == [
        {"optim.lr"},
        {"regularize.dropout"},
        {"optim.lr", "regularize.dropout"},
        {"optim.lr", "regularize.dropout", "model.width"},
    ]
    assert found[0].finding == LR and found[0].edit == {"optim.lr": LEFT}, "the preset's rate, not the finding's"
    assert remedies([LR], [], "")[0].edit == {"optim.lr": 0.1}, "where nothing was given, the finding's own edit"
    ordinary = given_of({"model": {"width": 96}})
    assert remedies([], ordinary, "") == []
    assert [set(r.edit) for r in remedies([], ordinary, "trees are 0.2 better")] == [{"model.width"}]


def test_a_symptom_takes_the_name_of_the_cause_that_was_given() -> None:
    overflow = {"id": "sym.nonfinite_loss", "severity": "critical", "evidence": "step 9: loss nan", "edit": {}}
    (one,) = remedies([overflow], given_of({"optim": {"lr": 30.0}}), "")
    assert one.cause == "optim.lr_too_high" and one.edit == {"optim.lr": LEFT}
    assert "step 9: loss nan; optim.lr = 30.0 was given, where 0.001 is usual" in one.why


def test_a_score_counts_every_target_and_ties_are_decided_by_the_loss() -> None:
    def run(*judged: tuple[float, float]) -> Any:
        each = {}
        for i, (a, loss) in enumerate(judged):
            losses = {"value": loss, "low": loss - 0.05, "high": loss + 0.05}
            each[f"t{i}"] = {"headline": "accuracy", "metrics": {"accuracy": {"value": a}, "log_loss": losses}}
        whole = each["t0"] if len(each) == 1 else {"headline": "t0 accuracy", "metrics": {}, "each": each}
        return SimpleNamespace(evaluation={"validation": whole})

    assert score(run((0.9, 0.3), (0.5, 1.0))) > score(run((0.9, 0.3), (0.4, 1.0))), "the second target"
    assert score(run((0.9, 0.2))) > score(run((0.9, 0.3))) and not score(run((0.9, 0.3))) > score(run((0.9, 0.3)))
    assert score(run((0.9, 0.34))).is_like(score(run((0.9, 0.3)))), "within its interval"
    assert not score(run((0.9, 0.4))).is_like(score(run((0.9, 0.3))))
    assert not score(run((0.8, 0.3))).is_like(score(run((0.9, 0.3))))
    assert not score(SimpleNamespace(evaluation={})) > score(run((0.1, 9.0)))  # type: ignore[arg-type]


def trial(edit: str, *worth: float, found: bool = False, diverged: bool = False) -> Trial:
    """A trial of a remedy, a letter a value that it changes, with what it made of each row."""
    remedy = Remedy(edit, dict.fromkeys(edit, LEFT), "", LR if found else None) if edit else None
    return Trial(remedy, 10, None if diverged else torch.tensor(worth, dtype=torch.float64))


def test_trials_choose_what_helps_most_and_spare_what_need_not_change() -> None:
    control = trial("", 0.2, 0.3, 0.1, 0.2)
    small = trial("a", 0.90, 0.91, 0.89, 0.90)
    little, much = (0.91, 0.92, 0.90, 0.91), (0.94, 0.95, 0.93, 0.94)
    assert better([control, small, trial("ab", *little)], surely=True) is small, "a hundredth is worth no larger change"
    other = trial("b", *little)
    assert better([control, small, other], surely=True) is other, "another of the same size is simply better"
    more = trial("ab", *much)
    assert better([control, small, more], surely=True) is more
    named = trial("a", 0.90, 0.91, 0.89, 0.90, found=True)
    assert better([control, named, more], surely=True) is named, "the evidence is for it"
    equal = trial("b", 0.90, 0.91, 0.89, 0.90)
    assert better([control, small, equal], surely=True) is small, "what was named first"


def test_trials_choose_nothing_that_does_not_help() -> None:
    control, small = trial("", 0.2, 0.3, 0.1, 0.2), trial("a", 0.90, 0.91, 0.89, 0.90)
    assert better([trial("", diverged=True), small], surely=True) is small
    assert better([control, trial("a", 0.1, 0.2, 0.0, 0.1)], surely=False) is None
    assert better([control, trial("a", diverged=True)], surely=False) is None
    doubtful = trial("a", 0.9, 0.1, 0.0, 0.0)
    assert better([control, doubtful], surely=True) is None
    assert better([control, doubtful], surely=False) is doubtful


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_the_worth_of_a_row_is_the_score_that_it_says(name: str) -> None:
    assert name in NAMES
    ground = open_ground(name, None, Recipe(), as_recipe({"train": {"threads": 1, "device": "cpu"}}), None, None)
    job = ground.job(as_recipe({"train": {"threads": 1, "epochs": 2}}))
    part = job.parts["validation"]
    job.state.judged.eval()
    with torch.no_grad():
        outputs = job.state.judged(job.plan.cast(part.x[part.rows])).double().numpy()
    y = part.targets.numpy()
    if name == "iris":
        p = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
        expected = 1 - 0.5 * ((p - np.eye(3)[y]) ** 2).sum(1)
    else:
        expected = 1 - (outputs[:, 0] - y) ** 2 / np.var(y.astype(np.float64), ddof=1)
    np.testing.assert_allclose(worth_of_rows(job).numpy(), expected, rtol=1e-5)


def test_a_trial_is_the_training_in_short_and_the_same_each_time() -> None:
    written = as_recipe({"train": {"threads": 1, "refit": False}, "optim": {"lr": 1e-7}})
    ground = open_ground("iris", None, written, ground_form(written), None, None)
    first, again = (try_out(ground, written, None, 100, Stop()) for _ in range(2))
    assert first.steps == again.steps == 98 and first.worth is not None
    assert torch.equal(first.worth, again.worth)
    mended = try_out(ground, written, Remedy("optim.lr_too_low", {"optim.lr": LEFT}, ""), 100, Stop())
    assert mended.mean > first.mean + 0.2
    long = Remedy("", {"train.batch_size": 1000}, "")
    assert try_out(ground, written, long, 100, Stop()).worth is None, "a recipe that the data cannot bear"


def ground_form(written: Recipe) -> Recipe:
    """With the form in which steps are taken."""
    return edited(written, {"train.precision": "float32", "train.memory_format": "contiguous", "train.threads": 1})


def test_a_training_behind_simple_models_is_told(tmp_path: Path) -> None:
    written = as_recipe(
        {"train": {"threads": 1, "refit": False, "epochs": 40}, "optim": {"lr": 1e-7}, "watch": {"diagnose": False}}
    )
    run = dressage.train("iris", recipe=written, out=tmp_path / "a")
    ground = open_ground("iris", None, written, run.recipe, None, None)
    assert "better on 23 validation rows" in behind(ground, written, run.folder)
    good = edited(written, {"optim.lr": LEFT})
    run = dressage.train("iris", recipe=good, out=tmp_path / "b")
    assert behind(ground, good, run.folder) == ""


def run_of(folder: Path, losses: np.ndarray, rates: np.ndarray, kept: list[int], status: str = "finished") -> Any:
    """What `last_good` looks at of a run of ten epochs of ten steps."""
    for step in kept:
        (folder / "checkpoints" / f"{step:09d}").mkdir(parents=True)
    history = SimpleNamespace(steps=np.arange(1, len(losses) + 1), columns={"loss": losses, "lr": rates})
    return SimpleNamespace(
        status=status,
        folder=folder,
        history=history,
        recipe=as_recipe({"train": {"epochs": 10, "batch_size": 10}}),
    )


def test_which_state_is_gone_on_from_is_a_property_of_the_cause(tmp_path: Path) -> None:
    at = np.arange(100)
    late = run_of(tmp_path / "late", np.where(at < 60, 2.0 - at / 40, 3.0 + at), np.full(100, 0.1), [40, 70, 80])
    good = last_good(late, "optim.lr_too_high", ["optim.lr"], 100)
    assert good is not None and (good.checkpoint, good.step) == (40, 40) and "lowest at step 60" in good.why
    assert last_good(late, "optim.lr_too_high", ["optim.lr", "model.width"], 100) is None, "another network"
    assert last_good(late, "optim.over_regularised", ["optim.lr"], 100) is None, "there from the first step"
    assert last_good(late, "optim.too_few_epochs", ["train.epochs"], 100).checkpoint == 80
    assert last_good(late, "optim.too_few_epochs", ["train.epochs"], 2000) is None, "a new start costs hardly more"
    early = run_of(tmp_path / "early", 2.0 + at / 10, np.full(100, 0.1), [10, 80])
    assert last_good(early, "sym.nonfinite_loss", ["optim.lr"], 100) is None
    stuck = run_of(tmp_path / "stuck", np.where(at < 5, 2.3 + 300 * at, 2.3), np.full(100, 0.1), [40, 100])
    assert last_good(stuck, "optim.lr_too_high", ["optim.lr"], 100) is None, "it blew up at once, and never learned"
    slow = run_of(tmp_path / "slow", 2.0 - at / 100, np.full(100, 0.1), [40, 100])
    assert last_good(slow, "optim.lr_too_high", ["optim.lr"], 100) is None, "no harm came in its middle"
    over = run_of(tmp_path / "over", 2.0 - at / 100, np.full(100, 0.1), [40, 100], "diverged")
    assert last_good(over, "sym.nonfinite_loss", ["optim.lr"], 100).checkpoint == 100
    rates = np.where(at < 30, 0.1, 1e-5)
    still = run_of(tmp_path / "still", 2.0 - np.minimum(at, 30) / 40, rates, [90, 100])
    good = last_good(still, "optim.schedule_collapsed", ["schedule.name"], 100)
    assert good is not None and (good.checkpoint, good.step) == (100, 31)
    assert (
        last_good(run_of(tmp_path / "none", np.ones(100), rates, [0]), "optim.too_few_epochs", ["train.epochs"], 100)
        is None
    )
