"""Real trainings on digits that name each activation, norm and rule for first weights; and that such runs go on bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dressage
from dressage.errors import RecipeError
from dressage.fit import EpochEvent, fit
from dressage.fit.validate import recalibrate
from dressage.layers import activations, init, norms
from dressage.prepare import Job, prepare

ROWS = 600


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images `(N, 8, 8, 1)` and their classes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images[:ROWS, :, :, None] * 15).astype(np.uint8), found.target[:ROWS]


def recipe(model: dict[str, object], epochs: int = 3, **train: object) -> dict[str, object]:
    width = {"name": "convnet", "width": 8, "depth": 1}
    settings = {"epochs": epochs, "batch_size": 32, "precision": "float32", "refit": False, **train}
    watch = {"diagnose": False}
    return {"model": {**width, **model}, "train": settings, "optim": {"lr": 5e-3}, "augment": [], "watch": watch}


EACH = list(
    zip(init.catalogue, cycle(activations.catalogue), cycle(n for n in norms.catalogue if n != "none"), strict=False)
)
HOPELESS = ("zeros", "constant", "normal")  # rules that are there to show what goes wrong


def test_each_is_named_somewhere_below() -> None:
    for place, family in enumerate((init.catalogue, activations.catalogue, norms.catalogue)):
        assert {row[place] for row in EACH} >= set(family) - {"none"}


@pytest.mark.parametrize(("rule", "activation", "norm"), EACH)
def test_a_training_names_each(rule: str, activation: str, norm: str, digits: tuple, tmp_path: Path) -> None:
    x, y = digits
    settings = recipe({"init": rule, "activation": activation, "norm": norm, "output_bias": "prior"})
    run = dressage.train(x, y=y, recipe=settings, out=tmp_path / "run")
    assert run.status == "finished" and len(run.predict(x[:3]).labels) == 3
    least = 0.05 if rule in HOPELESS else 0.15 if activation == "sigmoid" else 0.5  # 0.1 by chance; sigmoids are slow
    assert run.metrics["accuracy"] > least, run.metrics


# --- going on


def to_the_end(job: Job) -> list[torch.Tensor]:
    for _ in fit(job.state, job.batches, job.plan, job.parts["validation"]):
        pass
    return [*job.state.model.state_dict().values(), *job.state.best.values()]


@pytest.mark.parametrize(
    "model",
    [
        {"norm": "batch_renorm(closed=3, opening=10)", "activation": "prelu"},
        {"norm": "batch(population=true)", "activation": "maxout"},
        {"norm": "weight", "init": "weightnorm"},
    ],
)
def test_a_resumed_training_ends_in_the_same_bits(model: dict[str, object], digits: tuple) -> None:
    x, y = digits
    job, again = (prepare(x, recipe(model, 2), y=y) for _ in range(2))
    events = fit(job.state, job.batches, job.plan, job.parts["validation"])
    for _ in range(job.batches.steps_per_epoch + 4):
        next(events)
    saved = job.state.snapshot()
    events.close()
    again.state.load(*saved)
    assert all(torch.equal(a, b) for a, b in zip(to_the_end(job), to_the_end(again), strict=True))


# --- statistics of the population


def test_population_statistics_are_those_of_algorithm_2(digits: tuple) -> None:
    """R5: E[x] is the mean of μ_B, Var[x] m/(m − 1) times the mean of σ_B², over batches of the training part."""
    x, y = digits
    job = prepare(x, recipe({"norm": "batch(population=true)", "name": "mlp"}, 2), y=y)
    for event in fit(job.state, job.batches, job.plan, job.parts["validation"]):
        if not isinstance(event, EpochEvent):
            continue
        model = job.state.model
        first, norm = model[1], model[2]
        means, variances = [], []
        for batch in job.batches.epoch(0):
            z = first(job.plan.cast(batch.x).flatten(1)).detach().double().numpy()
            means.append(z.mean(0))
            variances.append(((z - z.mean(0)) ** 2).sum(0) / (len(z) - 1))
        assert len(means) <= 32
        np.testing.assert_allclose(norm.running_mean.numpy(), np.mean(means, 0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(norm.running_var.numpy(), np.mean(variances, 0), rtol=1e-4)


def test_running_averages_are_left_alone_unless_asked(digits: tuple) -> None:
    x, y = digits
    job = prepare(x, recipe({"norm": "batch"}, 1), y=y)
    norm = next(m for m in job.state.model.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone()
    recalibrate(job.state.model, job.batches, job.plan, all_norms=False)
    assert torch.equal(before, norm.running_mean)
    recalibrate(job.state.model, job.batches, job.plan)
    assert not torch.equal(before, norm.running_mean)


def test_averaged_weights_are_never_judged_with_statistics_of_others(digits: tuple) -> None:
    x, y = digits
    settings = {**recipe({"norm": "batch", "name": "mlp"}, 1), "average": "ema(decay=0.9)"}
    job = prepare(x, settings, y=y)
    for _ in fit(job.state, job.batches, job.plan, job.parts["validation"]):
        pass
    first, norm = job.state.averaged[1], job.state.averaged[2]
    z = [first(job.plan.cast(b.x).flatten(1)).detach().mean(0) for b in job.batches.epoch(0)]
    torch.testing.assert_close(norm.running_mean, torch.stack(z).mean(0), rtol=1e-4, atol=1e-5)


# --- weight norm


def test_weight_norm_decays_as_a_weight_does(digits: tuple) -> None:
    """AdamW with no gradient multiplies a weight by 1 − lr·λ each step, be it g v/‖v‖ or whole."""
    x, y = digits
    for norm in ("none", "weight"):
        settings = {**recipe({"norm": norm, "name": "mlp"}, 1), "regularize": {"weight_decay": 0.5}}
        job = prepare(x, settings, y=y)
        weight = job.state.model[1].weight.detach().clone()
        for parameter in job.state.weights:
            parameter.grad = torch.zeros_like(parameter)
        for group in job.state.optimizer.param_groups:
            group["lr"] = 0.1
        job.state.optimizer.step()
        torch.testing.assert_close(job.state.model[1].weight, 0.95 * weight)


# --- what does not fit


@pytest.mark.parametrize("norm", ["batch", "sync_batch", "batch_renorm"])
def test_a_single_row_is_refused_only_where_it_has_no_spread(norm: str, digits: tuple) -> None:
    x, y = digits
    with pytest.raises(RecipeError, match="a piece of a batch has a single row; batch norm needs two"):
        prepare(x, recipe({"norm": norm, "name": "mlp"}, batch_size=1), y=y)
    prepare(x, recipe({"norm": norm, "name": "convnet"}, batch_size=1), y=y)


def test_what_a_network_cannot_have_is_told_before_anything_is_written(digits: tuple, tmp_path: Path) -> None:
    x, y = digits
    for model, says in (
        ({"norm": "group(groups=3)"}, "group.groups: 3 given for layers of 8 features"),
        ({"norm": "instance", "name": "mlp"}, "'instance' given; a feature of a row has one value"),
        ({"init": "xavier(form=paper)"}, "xavier.form: 'paper' given"),
    ):
        with pytest.raises(RecipeError) as error:
            dressage.train(x, y=y, recipe=recipe(model), out=tmp_path / "run")
        assert says in str(error.value) and not (tmp_path / "run").exists()
