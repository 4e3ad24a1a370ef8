"""A training for several targets is checked, watched, diagnosed and repaired, and its gaps are told: each target by itself."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import dressage
from dressage.clock import work_seconds
from dressage.evaluate import gaps_of
from dressage.examine import examined, subject_of_job
from dressage.findings import Finding
from dressage.fit.validate import outputs_of
from dressage.preflight.result import Checked, Preflight
from dressage.prepare import Job, prepare
from dressage.repair.trial import worth_of_rows
from dressage.subject import judged, lab_of
from dressage.watching import case_of, validation_of
from same import bits

X, DIGIT = load_digits(return_X_y=True)
X = X.astype(np.float32)
Y = {"digit": DIGIT, "ink": X.sum(1) / 7}
SHORT = {"train": {"epochs": 4, "refit": False, "threads": 1}}


@pytest.fixture(scope="module")
def job() -> Job:
    return prepare(X, SHORT, y=Y)


def test_each_target_is_a_subject_with_its_own_loss(job: Job) -> None:
    """The losses of the two add up to the training's, and the metric is the mean of theirs."""
    whole = subject_of_job(job)
    assert list(whole.each) == ["digit", "ink"] and whole.task is None
    assert whole.each["digit"].task == "classification" and whole.each["ink"].task == "regression"
    (loss, metric), *each = (
        judged(lab_of(s), s.model) for s in (whole, whole.each["digit"], whole.each["ink"])
    )  # in eval mode, on the same rows
    assert loss == pytest.approx(sum(one for one, _ in each), rel=1e-5)
    assert metric == pytest.approx(sum(m for _, m in each) / 2, rel=1e-5)


def test_what_an_epoch_says_is_the_mean_of_the_targets(job: Job) -> None:
    sd = float(job.parts["validation"].targets[:, 1].double().std()) * job.plan.objective.parts[1].goal.unit
    told = validation_of({"val_loss": 2.0, "val_digit_accuracy": 0.75, "val_ink_rmse": 0.5 * sd}, job)
    assert told.metric == pytest.approx((0.75 + 1 - 0.25) / 2) and told.loss == 2.0
    assert case_of(job, own_model=False).higher_is_better


def test_the_worth_of_a_row_is_the_mean_of_its_targets(job: Job) -> None:
    part = job.parts["validation"]
    z = outputs_of(job.state.judged, part, job.plan).double().numpy()
    y = part.targets.double().numpy()
    p = np.exp(z[:, :10]) / np.exp(z[:, :10]).sum(1, keepdims=True)
    brier = 1 - 0.5 * ((p - np.eye(10)[y[:, 0].astype(int)]) ** 2).sum(1)
    square = 1 - (z[:, 10] - y[:, 1]) ** 2 / y[:, 1].var(ddof=1)
    assert np.allclose(worth_of_rows(job), (brier + square) / 2, rtol=1e-6)


def test_a_finding_of_one_target_says_so(job: Job) -> None:
    loud = {**Y, "digit": np.random.default_rng(0).permutation(DIGIT)}  # labels of one target alone are shuffled
    spoiled = prepare(X, SHORT, y=loud)
    found = examined(subject_of_job(spoiled), spoiled, ["data.shuffled_labels", "data.duplicates"], work_seconds() + 60)
    harm = [f for f in found.findings if f.is_harmful]
    assert [f.id for f in harm] == ["data.shuffled_labels"] and harm[0].where.startswith("digit: ")
    assert [c.name for c in found.checks] == [
        f"{check} ({target})" for target in loud for check in ("data.duplicates", "data.shuffled_labels")
    ]


def test_a_finding_of_all_targets_is_said_once(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def same(*given: object) -> Preflight:
        found = Finding("data.nonfinite", "warning", "train", "3 numbers", "a cause", "a remedy")
        return Preflight([found], [Checked("data.nonfinite", "found", "3 numbers", 0.0)])

    monkeypatch.setattr("dressage.examine.examine", same)
    (told,) = examined(subject_of_job(job), job, [], work_seconds()).findings
    assert told.where == "train"


def test_gaps_are_told_of_each_target(tmp_path: Path) -> None:
    run = dressage.train(X, y=Y, recipe=SHORT, out=tmp_path / "run")
    parts = run.evaluation
    own = {t: gaps_of({p: e["each"][t] for p, e in parts.items()}) for t in Y}
    assert run.gaps["each"] == own and run.gaps["said"] == f"digit: {own['digit']['said']}; ink: {own['ink']['said']}"
    assert own["digit"]["unit"] == "share wrong" and own["ink"]["unit"] == "RMSE"
    page = unescape((run.folder / "report.html").read_text(encoding="utf-8"))
    section = page[page.index('<section id="limits">') :].partition("</section>")[0]
    for target, gaps in own.items():
        place = section.index(f"<h3>{target}</h3>")
        assert gaps["said"][1:] in section[place:] and all(line[1:] in section[place:] for line in gaps["next"])
    assert section.count("its noise</td>") == sum(len(gaps["gaps"]) for gaps in own.values())
    unwatched = {**SHORT, "watch": {"diagnose": False}}
    other = dressage.train(X, y=Y, recipe=unwatched, out=tmp_path / "other")
    assert bits(run.folder)["tensors"] == bits(other.folder)["tensors"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cause", "recipe"),
    [
        ("optim.lr_too_low", {"optim": {"lr": 1e-6}}),
        ("optim.over_regularised", {"regularize": {"dropout": 0.95}}),
    ],
)
def test_a_fault_is_named_and_repaired(cause: str, recipe: dict[str, object], tmp_path: Path) -> None:
    recipe = {"train": {"epochs": 15, "refit": False}, **recipe}
    found = dressage.repair(X, y=Y, recipe=recipe, out=tmp_path / "run")
    assert dressage.load(tmp_path / "run").findings[0]["id"] == cause
    metrics = found.kept.metrics
    assert metrics["digit accuracy"] > 0.9 and metrics["ink r2"] > 0.9
    assert dressage.diagnose(found.kept, X, y=Y).is_clear


def test_a_network_of_one_target_has_its_outputs_alone(job: Job) -> None:
    subject = subject_of_job(job)
    x = subject.train.x[:5]
    with torch.no_grad():
        whole = subject.model.eval()(x)
        assert subject.each["digit"].model.eval()(x).equal(whole[:, :10])
        assert subject.each["ink"].model.eval()(x).equal(whole[:, 10:])
