"""A network that is taken over: what of it stays, what learns from when on and how fast, and that the run can be repeated."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.errors import RecipeError
from dressage.fit import EpochEvent, State, StepEvent, fit
from dressage.fit.thaw import thaw_of
from dressage.fit.validate import recalibrate
from dressage.layers.held import Held, hold, release
from dressage.models import build_model
from dressage.models.units import belongs, units
from dressage.optim import COMPARING
from dressage.optim import catalogue as optimizers
from dressage.optim.thaw import catalogue, in_proportion
from dressage.prepare import Job, prepare
from dressage.recipe import Model, Recipe
from dressage.run import load
from same import bits
from test_resume import go_on, no_report, photographs  # noqa: F401

Arrays = tuple[np.ndarray, np.ndarray]
NET = {"name": "convnet", "width": 4, "depth": 1, "norm": "batch"}
SHORT = {"epochs": 4, "batch_size": 32, "refit": False, "threads": 1}


def digits(first: int, each: int) -> Arrays:
    """So many of each of five digits from `first` on, as grey images of 8 × 8."""
    found = load_digits()
    rows = np.concatenate([np.flatnonzero(found.target == n)[:each] for n in range(first, first + 5)])
    return np.uint8(found.images[rows] * 15), found.target[rows]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the digits 0 to 4."""
    x, y = digits(0, 100)
    recipe = {"model": NET, "train": SHORT, "augment": [], "average": "none", "watch": {"diagnose": False}}
    folder = tmp_path_factory.mktemp("source") / "first"
    return dressage.train(x, y=y, recipe=recipe, out=folder).folder


def recipe_of(source: Path, layers: str = "head", **more: object) -> dict[str, object]:
    transfer = {"source": str(source), "layers": layers, **more.pop("transfer", {})}  # type: ignore[dict-item]
    return {"transfer": transfer, "train": SHORT, "augment": [], "watch": {"diagnose": False}, **more}


def job_of(source: Path, layers: str = "head", **more: object) -> Job:
    x, y = digits(5, 20)
    return prepare(x, recipe_of(source, layers, **more), y=y)


def states(job: Job) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """The number of each epoch that is over, and the network then."""
    for event in fit(job.state, job.batches, job.plan, job.parts.get("validation")):
        if isinstance(event, EpochEvent):
            yield event.epoch, {name: tensor.clone() for name, tensor in job.state.model.state_dict().items()}


# What is trained when.


@pytest.mark.parametrize(
    ("written", "layers", "epochs", "expected"),
    [
        ("head", 4, 10, [0, None, None, None]),
        ("top(layers=3)", 4, 10, [0, 0, 0, None]),
        ("top(layers=9)", 2, 10, [0, 0]),
        ("all", 3, 10, [0, 0, 0]),
        ("staged", 5, 10, [0, 3, 3, 5, 5]),
        ("staged(at='2,4,6')", 4, 10, [0, 2, 4, 6]),
        ("staged(at='2,5')", 4, 10, [0, 2, 2, 5]),
        ("staged(at='1,2,3')", 2, 10, [0, 1]),
        ("staged(at='0.5')", 1, 10, [0]),
        ("staged(at='0.333333,0.666667')", 3, 3, [0, 1, 2]),
        ("staged(at='0.333333,0.666667')", 3, 2, [0, 1, 1]),
        ("staged", 3, 1, [0, 0, 0]),
    ],
)
def test_layers_are_freed_from_the_head_downwards(written, layers, epochs, expected):
    assert catalogue.build(written)(layers, epochs) == expected


@pytest.mark.parametrize("layers", range(2, 30))
def test_stages_follow_the_formula_of_the_catalogue(layers):
    places = [3, 5, 8]
    below = layers - 1
    expected = [0] + [places[int(np.floor((k - 1) * 3 / below))] for k in range(1, layers)]
    assert catalogue.build("staged(at='3,5,8')")(layers, 20) == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("staged(at='5,2')", "places that rise"),
        ("staged(at='12')", "in a run of 10"),
        ("staged(at='a')", "numbers with commas"),
        ("staged(at='-1')", "above 0"),
        ("top(layers=0)", "1 or more"),
    ],
)
def test_stages_that_cannot_be_are_told(written, said):
    with pytest.raises(RecipeError, match=said):
        catalogue.build(written)(4, 10)


def test_stages_in_epochs_have_their_share_of_a_longer_run():
    assert in_proportion("staged(at='2,5')", 10, 20) == "staged(at='0.2,0.5')"
    assert in_proportion("staged(at='0.2,0.5')", 10, 20) == "staged(at='0.2,0.5')"
    assert in_proportion("all", 10, 20) == "all"


@pytest.mark.parametrize(
    ("name", "shape", "norm", "count"),
    [
        ("mlp", (4,), "layer", 3),
        ("convnet", (1, 8, 8), "batch", 7),
        ("resnet", (3, 8, 8), "batch", 8),
        ("vit", (1, 8, 8), "layer", 4),
        ("recurrent", (5, 3), "layer", 3),
        ("highway", (4,), "none", 4),
        ("repvgg", (3, 8, 8), "batch", 7),
    ],
)
def test_every_parameter_belongs_to_one_layer_and_the_last_is_the_head(name, shape, norm, count):
    model = build_model(Model(name=name, width=8, depth=2, norm=norm), shape, 3, 0.1)
    found = units(model)
    assert len(found) == count
    for parameter in model.state_dict():
        assert sum(belongs(parameter, unit) for unit in found) == 1, parameter
    head = [tensor for parameter, tensor in model.named_parameters() if belongs(parameter, found[-1])]
    assert [tuple(tensor.shape) for tensor in head][-1] == (3,) and len(head) == 2


def test_a_held_norm_stays_in_evaluation_also_in_a_copy_until_it_is_released():
    norm = nn.BatchNorm1d(3)
    net = nn.Sequential(norm)
    hold(norm)
    twin = copy.deepcopy(net).train()
    twin(torch.randn(5, 3) + 9)
    assert isinstance(twin[0], Held) and not twin[0].training and torch.equal(twin[0].running_mean, torch.zeros(3))
    release(norm)
    assert type(norm) is nn.BatchNorm1d and net.train()[0].training


# What is taken over.


def test_weights_form_and_preprocessing_are_the_sources(source):
    job, first = job_of(source), load(source)
    assert job.recipe.model.model_dump() == {**first.recipe.model.model_dump(), "init": job.recipe.model.init}
    assert torch.equal(job.preprocess.cast.scale, first.job.preprocess().cast.scale)
    assert torch.equal(job.preprocess.cast.shift, first.job.preprocess().cast.shift)
    body = list(first.model.state_dict().values())[:-2]
    for mine, theirs in zip(list(job.state.model.state_dict().values())[:-2], body, strict=True):
        assert torch.equal(mine, theirs)
    assert "3 of 4 layers taken over; its head is new" in job.resolved.reasons["transfer.source"].why
    assert "as in first" in job.resolved.reasons["model.width"].why
    assert list(job.preprocess.classes) == ["5", "6", "7", "8", "9"]


def test_steps_that_are_named_are_fitted_on_the_new_rows(source):
    job = job_of(source, data={"preprocess": ["center"]})
    assert list(job.preprocess.steps) == ["center"] and job.start is not None and job.start.preprocess is None


def test_the_head_stays_where_the_classes_are_the_same(source):
    x, y = digits(0, 20)
    job, first = prepare(x, recipe_of(source), y=y), load(source)
    for mine, theirs in zip(job.state.model.state_dict().values(), first.model.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert job.state.optimizer.param_groups[0]["share"] == 0.1


def test_dropout_that_differs_does_not_hinder(source):
    first = load(source)
    for dropout in (0.0, 0.5):
        job = job_of(source, regularize={"dropout": dropout})
        assert torch.equal(next(job.state.model.parameters()), next(first.model.parameters()))


def test_weights_of_a_file_are_taken_over_by_name(source, tmp_path):
    from safetensors.torch import save_file

    weights = {name: tensor.contiguous() for name, tensor in load(source).model.state_dict().items()}
    save_file(weights, tmp_path / "net.safetensors")
    job = job_of(
        tmp_path / "net.safetensors", model=NET, regularize={"dropout": load(source).recipe.regularize.dropout}
    )
    assert torch.equal(next(job.state.model.parameters()), next(iter(weights.values())))


# What stays, and what moves.


@pytest.mark.parametrize("average", ["none", "ema(decay=0.5)"])
def test_a_frozen_body_stays_to_the_last_bit_with_its_statistics(source, average):
    job = job_of(source, average=average)
    before = {name: tensor.clone() for name, tensor in job.state.model.state_dict().items()}
    last = [after for _, after in states(job)][-1]
    moved = {name for name, tensor in last.items() if not torch.equal(tensor, before[name])}
    head = units(job.state.model)[-1]
    assert moved == {name for name in last if belongs(name, head)}
    judged = job.state.judged.state_dict()
    assert all(torch.equal(judged[name], before[name]) for name in judged if not belongs(name, head))
    owned = sum(p.numel() for p in job.state.weights)
    assert owned == sum(p.numel() for name, p in job.state.model.named_parameters() if belongs(name, head))


@pytest.mark.parametrize("name", [n for n in optimizers if n not in (*COMPARING, "muon")])
def test_each_optimiser_frees_layers_at_their_epochs(source, name):
    train = {"epochs": 4, "refit": False, "threads": 1}  # gd has a batch size of its own
    settings = {"optim": {"name": name, "lr": 1e-3}, "average": "none", "schedule": {"warmup": 0.0}, "train": train}
    frees_at_their_epochs(job_of(source, "staged(at='1,3')", **settings))


def test_muon_frees_layers_at_their_epochs(tmp_path):
    """It needs matrices between hidden layers."""
    from safetensors.torch import save_file

    form = {"name": "mlp", "width": 8, "depth": 3}
    model = build_model(Model.model_validate(form), (1, 8, 8), 5, 0.0)
    save_file(
        {n: t for n, t in model.state_dict().items() if not belongs(n, units(model)[-1])}, tmp_path / "w.safetensors"
    )
    settings = {"optim": {"name": "muon", "lr": 1e-3}, "average": "none", "schedule": {"warmup": 0.0}}
    more = {"model": {**form, "norm": "none"}, "regularize": {"dropout": 0.0}}
    frees_at_their_epochs(job_of(tmp_path / "w.safetensors", "staged(at='1,3')", **settings, **more))


def frees_at_their_epochs(job: Job) -> None:
    begun = {name: tensor.clone() for name, tensor in job.state.model.state_dict().items()}
    parts = units(job.state.model)
    since = catalogue.build("staged(at='1,3')")(len(parts), 4)[::-1]
    assert since == [3, 1, 1, 0]
    for epoch, now in states(job):
        assert all(bool(tensor.isfinite().all()) for tensor in now.values())
        for unit, begins in zip(parts, since, strict=True):
            moved = any(not torch.equal(now[name], begun[name]) for name in now if belongs(name, unit))
            assert moved == (begins < epoch), (unit, epoch)


@pytest.mark.parametrize("name", COMPARING)
def test_optimisers_that_compare_losses_train_the_head(source, name):
    job = job_of(source, optim={"name": name})
    before = next(job.state.model.parameters()).clone()
    losses = [event.loss for event in fit(job.state, job.batches, job.plan) if isinstance(event, StepEvent)]
    assert losses[-1] < losses[0] and torch.equal(next(job.state.model.parameters()), before)


def test_a_step_of_each_layer_has_its_share_of_the_rate(source):
    """Plain descent: θ − θ' = lr·rate·decay^(k−1)·g for layer k below the head, lr·g for the new head."""
    plain = {"regularize": {"weight_decay": 0.0, "dropout": 0.0}, "schedule": {"name": "constant", "warmup": 0.0}}
    settings = {
        "optim": {"name": "sgd", "lr": 0.1},
        "average": "none",
        **plain,
        "transfer": {"rate": 0.2, "decay": 0.5},
    }
    job = job_of(source, "all", **settings)
    before = {name: p.detach().clone() for name, p in job.state.model.named_parameters()}
    twin = copy.deepcopy(job.state.model).train()
    batch = next(iter(job.batches.epoch(0)))
    loss = nn.functional.cross_entropy(twin(job.plan.cast(batch.x)), batch.y)
    slopes = dict(zip(before, torch.autograd.grad(loss, list(twin.parameters())), strict=True))
    next(fit(job.state, job.batches, job.plan))
    for depth, unit in enumerate(units(job.state.model)[::-1]):
        share = 1.0 if depth == 0 else 0.2 * 0.5 ** (depth - 1)
        for name, p in job.state.model.named_parameters():
            if belongs(name, unit):
                step = 0.1 * share * slopes[name].double()
                assert torch.allclose(before[name].double() - p.double(), step, atol=2e-7), name


def test_the_short_way_of_adamw_has_the_shares_of_the_long_one(source, monkeypatch):
    def losses() -> list[float]:
        job = job_of(source, "all", transfer={"rate": 0.3, "decay": 0.5})
        return [float(e.loss) for e in fit(job.state, job.batches, job.plan) if isinstance(e, StepEvent)]

    short = losses()
    monkeypatch.setattr(State, "kernel", lambda self: None)
    assert losses() == short


def test_frozen_statistics_are_not_measured_anew(source):
    job = job_of(source, "staged(at='2')", average="ema(decay=0.5)")
    before = job.state.judged.state_dict()["1.running_mean"].clone()
    recalibrate(job.state.judged, job.batches, job.plan)
    assert torch.equal(job.state.judged.state_dict()["1.running_mean"], before)


def test_what_is_frozen_depends_on_the_epoch_alone():
    model = build_model(Model(name="mlp", width=4, depth=2), (3,), 2, 0.0)
    recipe = Recipe.model_validate({"transfer": {"source": "x", "layers": "staged(at='2,4')"}, "train": {"epochs": 6}})
    thaw = thaw_of(model, recipe, new_head=True)
    for epoch, live in ((0, 1), (5, 3), (1, 1), (3, 2), (4, 3)):
        thaw.settle(model, epoch)
        assert sum(m.weight.requires_grad for m in model if isinstance(m, nn.Linear)) == live


# A run of it.


def test_more_of_a_network_learns_more_of_few_rows(source):
    """On training rows: the head alone fits them less than all layers, and better than chance."""
    fitted = {}
    for layers in ("head", "all"):
        job = job_of(source, layers, transfer={"rate": 1.0}, train={**SHORT, "epochs": 15})
        fitted[layers] = [
            e.metrics["train_loss"] for e in fit(job.state, job.batches, job.plan) if isinstance(e, EpochEvent)
        ]
    assert fitted["all"][-1] < fitted["head"][-1] < np.log(5)


def test_a_run_goes_on_bit_for_bit_from_any_step_without_its_source(source, tmp_path, monkeypatch, no_report):  # noqa: F811
    place = shutil.copytree(source, tmp_path / "first")
    data = digits(5, 20)
    recipe = recipe_of(place, "staged(at='1,2')", average="ema(decay=0.7)", train={**SHORT, "refit": True})
    with monkeypatch.context() as patch:
        taken = photographs(patch, tmp_path / "run", every=3)
        whole = bits(dressage.train(data[0], y=data[1], recipe=recipe, out=tmp_path / "run").folder)
    shutil.rmtree(place)
    assert whole["refit"] and len(taken) > 6
    for folder in taken:
        go_on(folder, data)
        assert bits(folder) == whole, folder.name
    found = dressage.reproduce(tmp_path / "run", data[0], y=data[1])
    assert found.first_difference is None and found.steps == whole["step"] + whole["refit"]["step"]


def test_weights_that_a_run_has_kept_are_checked(source, tmp_path, no_report):  # noqa: F811
    x, y = digits(5, 20)
    run = dressage.train(x, y=y, recipe=recipe_of(source), out=tmp_path / "run")
    kept = run.folder / "transfer.safetensors"
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(bytes(content))
    with pytest.raises(dressage.errors.RunError, match="was changed or damaged"):
        dressage.reproduce(run.folder, x, y=y)


@pytest.mark.parametrize("layers", ["head", pytest.param("staged(at='0.25,0.5')", marks=pytest.mark.slow)])
def test_the_watch_finds_no_fault_in_what_is_meant(source, layers, tmp_path, no_report):  # noqa: F811
    """That a longer training would learn more is true of these."""
    x, y = digits(5, 40)
    recipe = {**recipe_of(source, layers), "train": {**SHORT, "epochs": 20, "batch_size": 16}, "watch": {"seconds": 5}}
    run = dressage.train(x, y=y, recipe=recipe, out=tmp_path / "run")
    assert [f for f in run.findings if f["severity"] != "info" and f["id"] != "optim.too_few_epochs"] == []
