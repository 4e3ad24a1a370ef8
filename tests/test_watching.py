"""The watch inside a training of ours: it changes no bit, names what is wrong, and keeps quiet where nothing is."""

from __future__ import annotations

import copy
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import dressage
from command import call, process
from dressage.cli.found import options
from dressage.errors import Diverged, Interrupted
from dressage.fit import Event, ExamineEvent, FindingEvent, StepEvent, fit
from dressage.preflight.catalogue import CHECKS
from dressage.prepare import prepare
from dressage.remedies import edited, in_a_recipe
from dressage.stopping import Stop
from dressage.watch.spared import lay_aside
from dressage.watching import OWN_NETWORK, QUICK, JobWatch
from same import bits

SHORT = {"train": {"epochs": 2, "batch_size": 16, "refit": False}}
FAMILIES: dict[str, Mapping[str, Any]] = {
    "mlp": {"model": {"name": "mlp", "width": 16}, "regularize": {"dropout": 0.2}},
    "mlp, averaged": {"model": {"name": "mlp", "width": 16, "norm": "batch"}, "average": "ema(decay=0.9)"},
    "mlp, in pieces": {"model": {"name": "mlp", "width": 16}, "train": {"accumulate": 2}, "optim": {"clip_norm": 1.0}},
    "mlp, momentum": {"model": {"name": "mlp", "width": 16}, "optim": {"name": "momentum", "lr": 0.01}},
    "convnet": {"model": {"name": "convnet", "width": 4}, "augment": ["mixup(alpha=0.4)"]},
    "convnet, bf16": {"model": {"name": "convnet", "width": 4}, "train": {"precision": "bf16"}},
    "resnet": {"model": {"name": "resnet", "width": 4, "depth": 1}, "augment": ["mixup(alpha=0.2)"]},
}


class Net(nn.Module):
    """A network of the user's own, with dropout, and a layer that is not always used."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(64, 16), nn.Dropout(0.3), nn.Linear(16, 10)
        self.unused = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(torch.relu(self.first(x.flatten(1)))))  # type: ignore[no-any-return]


def digits(rows: int = 400, *, images: bool = False) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    x = x[:rows].astype(np.float32)
    return (x.reshape(-1, 1, 8, 8) / 16 if images else x), y[:rows]


def merged(*recipes: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for recipe in recipes:
        for name, value in recipe.items():
            made[name] = {**made.get(name, {}), **value} if isinstance(value, Mapping) else value
    return made


def outcome(folder: Path) -> dict[str, Any]:
    found = bits(folder)
    return {name: found[name] for name in ("tensors", "curves", "epochs", "evaluation")}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_watched_training_is_the_same_to_the_last_bit(family: str, tmp_path: Path) -> None:
    x, y = digits(images=not family.startswith("mlp"))
    recipe = merged(SHORT, FAMILIES[family])
    for watched in (True, False):
        whole = merged(recipe, {"watch": {"diagnose": watched}})
        dressage.train(x, y=y, recipe=whole, out=tmp_path / str(watched))
    assert outcome(tmp_path / "True") == outcome(tmp_path / "False")


def test_a_watched_training_of_an_own_network_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    x, y = digits()
    for watched in (True, False):
        whole = merged(SHORT, {"watch": {"diagnose": watched}})
        dressage.train(x, y=y, model=Net, recipe=whole, out=tmp_path / str(watched))
    assert outcome(tmp_path / "True") == outcome(tmp_path / "False")


def test_no_hook_stands_between_probes_nor_after_the_end() -> None:
    x, y = digits()
    job = prepare(x, merged(SHORT, {"train": {"epochs": 8}}), y=y)
    watch = JobWatch(job)
    watch.begin(Stop(), None)
    standing, rates = [], {}
    for event in fit(job.state, job.batches, job.plan, job.parts["validation"]):
        watch(event)
        if isinstance(event, StepEvent):
            rates[job.state.step] = event.lr
            standing.append(sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in job.state.model.modules()))
    watch.close()
    assert max(standing[:3]) > 0 and standing.count(0) > 0.8 * len(standing)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in job.state.model.modules())
    seen = watch.case.telemetry
    assert len(seen.losses) == seen.step == job.state.step and len(seen.validations) == 8
    assert [p.step for p in seen.probes[:5]] == [1, 2, 3, 6, 12]
    used = seen.probes[3].weights
    assert all(w.gradient > 0 and w.update > 0 for w in used) and 0 < seen.probes[0].rate < seen.probes[3].rate
    assert seen.rates == [(step, rates[step]) for step, _ in seen.rates] and len(seen.rates_read) > 4


def test_gradients_and_updates_of_a_probed_step_are_those_of_the_step() -> None:
    x, y = digits()
    job = prepare(x, SHORT, y=y)
    watch = JobWatch(job)
    watch.begin(Stop(), None)
    before = {n: p.detach().clone() for n, p in job.state.model.named_parameters()}
    for event in fit(job.state, job.batches, job.plan):
        watch(event)
        if isinstance(event, StepEvent):
            break
    (probe,) = watch.case.telemetry.probes
    for told in probe.weights:
        p = dict(job.state.model.named_parameters())[told.name]
        assert p.grad is not None
        moved = (p.detach() - before[told.name]).double().square().mean().sqrt()
        assert told.update == pytest.approx(float(moved), rel=1e-4)
        assert told.gradient == pytest.approx(float(p.grad.double().square().mean().sqrt()), rel=1e-4)
    watch.close()


FAULTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "a rate far too low": ("optim.lr_too_low", {"optim": {"lr": 1e-6}}),
    "dropout of nearly all": ("optim.over_regularised", {"regularize": {"dropout": 0.95}}),
    "a penalty of nearly all": (
        "optim.over_regularised",
        {"regularize": {"techniques": ["l2(strength=3)"], "dropout": 0.0, "weight_decay": 0.0}},
    ),
    "a layer of one unit": ("model.bottleneck", {"model": {"width": 1}}),
    "deep sigmoid, tiny weights": (
        "model.init_too_small",
        {"model": {"depth": 6, "activation": "sigmoid", "init": "normal(std=0.001)"}},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_named_with_an_edit_of_the_recipe(fault: str, tmp_path: Path) -> None:
    cause, recipe = FAULTS[fault]
    x, y = digits(1797)
    told: list[str] = []
    run = dressage.train(
        x,
        y=y,
        recipe=merged({"train": {"epochs": 15, "refit": False}}, recipe),
        out=tmp_path / "run",
        on_event=lambda e: told.append(e.finding.id) if isinstance(e, FindingEvent) else None,
    )
    first = run.findings[0]
    assert first["id"] == cause and first["severity"] in ("warning", "critical") and cause in told, run.findings
    assert first["edit"] and first["evidence"] and first["remedy"]
    repaired = edited(run.recipe, first["edit"])
    assert repaired != run.recipe
    again = dressage.diagnose(run, x, y=y)
    assert again.findings[0].id == cause and not again.is_clear


def test_shuffled_labels_are_named(tmp_path: Path) -> None:
    x, y = digits(1000)
    y = np.random.default_rng(0).permutation(y)
    run = dressage.train(x, y=y, recipe={"train": {"epochs": 8, "refit": False}}, out=tmp_path / "run")
    assert "data.shuffled_labels" in [f["id"] for f in run.findings if f["severity"] != "info"], run.findings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_good_trainings_give_no_warning(name: str, tmp_path: Path) -> None:
    run = dressage.train(name, out=tmp_path / "run")
    assert [f for f in run.findings if f["severity"] != "info"] == []
    found = dressage.diagnose(run)
    assert found.is_clear, [f for f in found.findings if f.is_harmful]


def test_a_diverged_run_has_its_cause_and_its_place(tmp_path: Path) -> None:
    x, y = digits(1000)
    events: list[Event] = []
    recipe = {"optim": {"name": "sgd", "lr": 10.0}, "train": {"refit": False, "epochs": 30}}
    with pytest.raises(Diverged):
        dressage.train(x, y=y, recipe=recipe, out=tmp_path / "run", on_event=events.append)
    run = dressage.load(tmp_path / "run")
    assert [f["id"] for f in run.findings] == ["optim.lr_too_high", "sym.nonfinite_loss"]
    assert run.findings[0]["edit"]["optim.lr"] < 10
    assert [e.finding.id for e in events if isinstance(e, FindingEvent)] == ["optim.lr_too_high"]
    assert {f.id for f in dressage.diagnose(run, x, y=y).findings} == {"optim.lr_too_high", "sym.nonfinite_loss"}


@pytest.mark.parametrize(
    ("recipe", "cause"),
    [
        ({"optim": {"lr": 30.0}}, "optim.lr_too_high"),
        ({"regularize": {"weight_decay": 5e3}}, "optim.over_regularised"),
    ],
)
def test_what_has_not_overflowed_yet_is_no_remedy(recipe: dict[str, Any], cause: str, tmp_path: Path) -> None:
    """Without its decay a training of rate 30 comes to a loss of 2e6 in as many steps: that is not what mends it."""
    with pytest.raises(Diverged):
        dressage.train("wine", recipe={**recipe, "train": {"refit": False, "threads": 1}}, out=tmp_path / "run")
    found = dressage.load(tmp_path / "run").findings
    assert [f["id"] for f in found if not f["id"].startswith("sym.")] == [cause]


def test_a_resumed_run_keeps_its_findings_once_and_its_bits(tmp_path: Path) -> None:
    x, y = digits()
    x[:, 5] = 1e4 * x[:, 5] + 3e4
    recipe = merged(SHORT, {"data": {"preprocess": []}, "train": {"epochs": 6}})
    whole = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "whole")

    class Halt(Exception):
        pass

    def halt(event: Event) -> None:
        if isinstance(event, StepEvent) and event.step == 40:
            raise Halt

    with pytest.raises(Halt):
        dressage.train(x, y=y, recipe=recipe, out=tmp_path / "cut", on_event=halt)
    told: list[str] = []
    early = {f["id"] for f in dressage.load(tmp_path / "cut").findings}
    resumed = dressage.resume(
        tmp_path / "cut",
        x,
        y=y,
        on_event=lambda e: told.append(e.finding.id) if isinstance(e, FindingEvent) else None,
    )
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    ids = [f["id"] for f in resumed.findings]
    assert "data.unscaled_inputs" in ids and len(ids) == len(set(ids)) and ids == [f["id"] for f in whole.findings]
    assert not early & set(told)


def test_without_diagnosis_nothing_is_looked_at(tmp_path: Path) -> None:
    x, y = digits()
    recipe = merged(SHORT, {"optim": {"lr": 1e-7}, "watch": {"diagnose": False}})
    run = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "run")
    assert run.findings == [] and not [e for e in run.history.events if e["kind"] == "probe"]


def test_diagnose_is_a_command(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("train", "iris", "--train.epochs", 25, "--optim.lr", "1e-7", "--train.refit", "false", "--json")
    trained = call(*words, "--out", run)
    assert trained.code == 0 and trained.json["findings"][0]["id"] == "optim.lr_too_low", trained.err
    assert "warning: " in trained.err and "optim.lr_too_low" in trained.err
    shown = call("show", run).out
    assert "--optim.lr" in shown and "optim.lr_too_low" in (run / "report.html").read_text()
    before = sorted((p, p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file())
    answer = process("diagnose", run, "--json")
    assert answer.code == 1 and answer.json["findings"][0]["id"] == "optim.lr_too_low", answer.err
    assert any(c["name"] == "continuations" for c in answer.json["checks"])
    assert sorted((p, p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()) == before
    assert call("diagnose", tmp_path).code == 2


def test_diagnose_says_plainly_that_nothing_was_found(tmp_path: Path) -> None:
    call("train", "iris", "--out", tmp_path / "run", "--train.refit", "false")
    answer = call("diagnose", tmp_path / "run", "--plain")
    assert answer.code == 0 and answer.out.startswith("nothing found that does harm")
    assert "checked in" in answer.out and "losses: " in answer.out


def test_edits_are_written_as_options_and_fit_the_recipe() -> None:
    assert options({"optim.lr": 1e-3, "train.refit": False}) == "--optim.lr 0.001 --train.refit false"
    assert options({"data.preprocess": ["impute(strategy='mean')", "standardize"]}) == (
        "--data.preprocess \"impute(strategy='mean'),standardize\""
    )
    x, y = digits(200)
    job = prepare(x, merged(SHORT, {"data": {"preprocess": []}}), y=y)
    make = dressage.findings.Finding
    made = [
        make("optim.too_few_epochs", "warning", "", "", "", "", {"train.epochs": 0}),
        make("optim.momentum_too_high", "warning", "", "", "", "", {"optim.momentum": 0.5}),
        make("data.unscaled_inputs", "warning", "", "", "", "", {"data.preprocess": ["standardize"]}),
        make("model.bottleneck", "warning", "", "", "", "", {"model.width": 64}),
        make("eval.overfit", "warning", "", "", "", ""),
    ]
    ours = in_a_recipe(made, job, own_model=True)
    assert [dict(f.edit) for f in ours] == [
        {"train.epochs": 4},
        {"optim.beta1": 0.5},
        {"data.preprocess": ["standardize"]},
        {},
        {},
    ]
    assert ours[-1].severity == "info"


def test_first_weights_of_a_large_network_are_laid_aside_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    spared = sys.modules["dressage.watch.spared"]  # dressage.watch is the function
    monkeypatch.setattr(spared, "LARGE", 1000)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.LazyLinear(6))
    x = torch.randn(5, 3, 9, 9)
    network(x)
    copied = copy.deepcopy(network)
    assert lay_aside(copied) and lay_aside(copied)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), copied.state_dict().values(), strict=True)
    )
    assert torch.equal(network.eval()(x), copied.eval()(x))
    optimizer = torch.optim.SGD(copied.parameters(), lr=0.1)
    copied(x).sum().backward()
    optimizer.step()
    assert not torch.equal(network[0].weight, copied[0].weight)
    monkeypatch.setattr(spared, "LARGE", 10**9)
    assert not lay_aside(copied)


def test_the_checks_that_are_named_exist() -> None:
    assert {*QUICK, *OWN_NETWORK} <= {name for name, _, _ in CHECKS}


@pytest.mark.slow
def test_a_verdict_that_a_signal_breaks_off_is_made_on_resume(tmp_path: Path) -> None:
    x, y = digits(600)
    recipe = {"optim": {"lr": 1e-7}, "train": {"epochs": 12, "batch_size": 16, "refit": False, "patience": 0}}

    def stop_while_judged(event: Event) -> None:
        if isinstance(event, ExamineEvent) and event.what == "judging the training":
            os.kill(os.getpid(), signal.SIGTERM)

    whole = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        dressage.train(x, y=y, recipe=recipe, out=tmp_path / "broken", on_event=stop_while_judged)
    resumed = dressage.resume(tmp_path / "broken", x, y=y)
    named = [f["id"] for f in whole.findings if f["severity"] != "info"]
    assert "optim.lr_too_low" in named
    assert [f["id"] for f in resumed.findings if f["severity"] != "info"] == named
